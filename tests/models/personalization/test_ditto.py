"""Ditto: a lasting model of the client's own, between trained alone and the global one."""

import numpy as np
import pytest

from tests.models.personalization.exact import Exact, arrays
from unsilent.errors import PlanError
from unsilent.models.personalization import method_of


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0, 9.0])
def test_it_minimizes_the_loss_plus_the_pull(weight: float) -> None:
    """Li et al. 2021, eq. 1, on a loss of (v - 4)^2 / 2 and a global model of 1."""
    found = method_of("ditto", {"lambda": weight}).personal(arrays(1.0), arrays(7.0), Exact(4.0))
    np.testing.assert_allclose(found["0.q.lora_B"], (4.0 + weight * 1.0) / (1 + weight), rtol=1e-6)


def test_without_a_pull_it_is_trained_alone() -> None:
    method = method_of("ditto", {"lambda": 0.0})
    ways = [method.personal(arrays(where), arrays(7.0), Exact(4.0)) for where in (1.0, -50.0)]
    for name, array in ways[0].items():
        np.testing.assert_array_equal(array, ways[1][name])


def test_with_an_endless_pull_it_is_the_global_model() -> None:
    found = method_of("ditto", {"lambda": 1e9}).personal(arrays(1.0), arrays(7.0), Exact(4.0))
    np.testing.assert_allclose(found["1.q.lora_A"], 1.0, atol=1e-6)


def test_it_goes_on_from_its_own_model_of_the_round_before() -> None:
    method, tune = method_of("ditto"), Exact(4.0)
    assert method.lasting
    method.personal(arrays(1.0), arrays(7.0), tune)
    assert [float(start["0.q.lora_A"][0]) for start in tune.started] == [7.0]


def test_a_push_away_is_refused() -> None:
    with pytest.raises(PlanError, match="lambda is -1, which pushes"):
        method_of("ditto", {"lambda": -1.0})
