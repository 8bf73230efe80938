"""Fine-tuning shares everything and tunes the global model."""

import numpy as np

from tests.models.personalization.exact import Exact, arrays
from unsilent.models.personalization import completed, method_of, sent


def test_the_global_model_is_tuned_wherever_the_clients_own_was() -> None:
    method, tune = method_of("fine-tune"), Exact(4.0)
    found = method.personal(arrays(1.0), arrays(9.0), tune)
    assert [float(start["0.q.lora_A"][0]) for start in tune.started] == [1.0]
    np.testing.assert_array_equal(found["0.q.lora_A"], [4.0, 4.0])


def test_everything_travels_and_nothing_is_kept() -> None:
    method = method_of("fine-tune")
    assert (method.splits, method.lasting) == (False, False)
    assert sent(method, arrays(1.0)).keys() == arrays(1.0).keys()

    def own() -> dict[str, np.ndarray]:
        raise AssertionError("nothing of the client's own is asked for")

    assert completed(method, arrays(2.0), own)["1.q.lora_B"][0] == 2.0
