import numpy as np
import pytest

from unsilent.items import Item
from unsilent.modes import MODES

MODE = MODES["SF-6"]
ROLES = [("reference", "harmful"), ("personalized", "harmful")]


def both(evidence, items, before, after):
    return MODE.measure(evidence({ROLES[0]: (items, before), ROLES[1]: (items, after)}))


def test_the_value_is_the_drop_of_the_level(evidence, questions):
    found = both(evidence, questions(3), [0.9, 0.8, 0.7], [0.9, 0.3, 0.6])
    assert found.value == pytest.approx((0.0 + 0.5 + 0.1) / 3)
    assert found.spread == pytest.approx(np.std([0, 0.5, 0.1], ddof=1) / np.sqrt(3))


def test_all_declining_choices_count_together(evidence):
    items = [Item(f"{k}", "p", ("no", "never", "sure"), safe=(0, 1)) for k in range(2)]
    found = both(evidence, items, [[0.5, 0.4, 0.1]] * 2, [[0.1, 0.2, 0.7]] * 2)
    assert found.value == pytest.approx(0.9 - 0.3)


def test_levels_add_up_where_increments_stay_small(evidence, questions):
    items = questions(4)
    levels = [0.9, 0.86, 0.82, 0.78]
    found = [both(evidence, items, [0.9] * 4, [level] * 4).value for level in levels]
    assert found == pytest.approx([0.0, 0.04, 0.08, 0.12])
