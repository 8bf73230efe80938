"""FedSA, local and FedPer: some arrays travel, the others stay as they were trained."""

import numpy as np
import pytest

from tests.models.personalization.exact import ENCODER, NAMES, Exact, arrays
from unsilent.errors import ModelError, PlanError
from unsilent.models.personalization import completed, method_of, sent


@pytest.mark.parametrize(
    ("name", "names", "shared"),
    [
        ("fedsa", NAMES, {"0.q.lora_A", "1.q.lora_A"}),
        ("fedsa", ENCODER, {"D", "b"}),
        ("local", NAMES, set()),
        ("local", ENCODER, set()),
        ("fedper", NAMES, {"0.q.lora_A", "0.q.lora_B"}),
        ("fedper", ENCODER, {"D", "U", "b"}),
    ],
)
def test_what_travels(name: str, names: tuple[str, ...], shared: set[str]) -> None:
    method = method_of(name)
    assert set(sent(method, arrays(1.0, names))) == shared
    whole = completed(method, arrays(5.0, names), lambda: arrays(1.0, names))
    assert {name for name, array in whole.items() if array[0] == 5.0} == shared
    assert set(whole) == set(names)


@pytest.mark.parametrize("name", ["fedsa", "local", "fedper"])
def test_the_clients_model_is_what_is_shared_and_what_stayed(name: str) -> None:
    tune = Exact(4.0)
    whole = {**arrays(1.0), "0.q.lora_B": np.full(2, 3.0, np.float32)}
    found = method_of(name).personal(whole, whole, tune)
    assert tune.started == []
    for each, array in whole.items():
        np.testing.assert_array_equal(found[each], array)


def test_as_many_of_the_last_layers_stay_as_the_plan_says() -> None:
    names = tuple(f"{layer}.q.lora_{half}" for layer in (8, 9, 10, 11) for half in "AB")
    found = sent(method_of("fedper", {"layers": 2}), arrays(1.0, names))
    assert {name.split(".")[0] for name in found} == {"8", "9"}


def test_an_adapter_without_down_projections_is_not_fedsas() -> None:
    with pytest.raises(ModelError, match="fedsa shares down-projections"):
        sent(method_of("fedsa"), arrays(1.0, ("w",)))


def test_a_body_is_left_over_or_it_is_not_fedper() -> None:
    with pytest.raises(ModelError, match="no more than the 2 layers"):
        sent(method_of("fedper", {"layers": 2}), arrays(1.0))
    with pytest.raises(PlanError, match="nothing personal"):
        method_of("fedper", {"layers": 0})


def test_a_server_that_lacks_what_is_shared_is_named() -> None:
    with pytest.raises(ModelError, match=r"lacks 1\.q\.lora_A"):
        completed(method_of("fedsa"), arrays(1.0, ("0.q.lora_A",)), lambda: arrays(1.0))
