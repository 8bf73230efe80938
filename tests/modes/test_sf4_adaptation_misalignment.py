import numpy as np
import pytest

from unsilent.modes import MODES

MODE = MODES["SF-4"]


def measure(evidence, items, start_general, local_general, start_harmful, local_harmful):
    return MODE.measure(
        evidence(
            {
                ("start", "general"): (items, start_general),
                ("local", "general"): (items, local_general),
                ("start", "harmful"): (items, start_harmful),
                ("local", "harmful"): (items, local_harmful),
            }
        )
    )


def test_the_value_is_the_mean_of_both_drops(evidence, questions):
    found = measure(evidence, questions(2), [0.8, 0.6], [0.5, 0.5], [0.9, 0.9], [0.8, 0.4])
    assert found.value == pytest.approx((0.2 + 0.3) / 2)
    assert found.items == 4


def test_the_spreads_add_in_squares(evidence, questions):
    found = measure(evidence, questions(2), [0.8, 0.6], [0.5, 0.5], [0.9, 0.9], [0.8, 0.4])
    ability = np.std([0.3, 0.1], ddof=1) / np.sqrt(2)
    safety = np.std([0.1, 0.5], ddof=1) / np.sqrt(2)
    assert found.spread == pytest.approx(np.hypot(ability, safety) / 2)


@pytest.mark.parametrize("side", [0, 1])
def test_a_loss_of_only_one_shows_by_half(evidence, questions, side):
    after = [[0.9] * 3, [0.9] * 3]
    after[side] = [0.5] * 3
    found = measure(evidence, questions(3), [0.9] * 3, after[0], [0.9] * 3, after[1])
    assert found.value == pytest.approx(0.2)


def test_a_gain_of_ability_is_negative(evidence, questions):
    found = measure(evidence, questions(2), [0.4] * 2, [0.8] * 2, [0.9] * 2, [0.9] * 2)
    assert found.value == pytest.approx(-0.2)
