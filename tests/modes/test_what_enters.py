"""A mode is measured on what it declares: no other outcome and no home domain enters."""

import numpy as np
import pytest

from tests.release.neighbours import public_outcomes
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes import MODES
from unsilent.modes.base import Evidence, Need

ROLES = ("reference", "global", "personalized")


def records(domain, right):
    items = ItemSet(
        "records", (Item("r0", f"text {domain}", (" yes", " no"), answer=0, domain=domain),)
    )
    rows = np.array([[right, 1 - right]])
    return {Need(role, "records"): Outcomes(items, role, rows) for role in ROLES}


@pytest.mark.parametrize("code", [code for code, mode in MODES.items() if mode.shows is None])
def test_a_mode_without_records_is_moved_by_none_and_only_a_home_that_it_declares(code):
    mode = MODES[code]
    if any(need.items == "records" for need in mode.needs):
        pytest.skip("measured on records")
    public = public_outcomes(np.random.default_rng(3), 0.5)
    within = ("home", "away")
    first = mode.measure_with(Evidence({**public, **records("home", 0.9)}, "home"), within)
    second = mode.measure_with(Evidence({**public, **records("nowhere", 0.1)}, "home"), within)
    assert first == second
    moved = mode.measure_with(Evidence({**public, **records("home", 0.9)}, "away"), within)
    assert (moved != first) == mode.needs_home
    assert mode.record_reach(10) == (0.0, 0.0)
