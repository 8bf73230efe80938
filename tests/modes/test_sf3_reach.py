"""How far one record moves what SF-3 says of a client, found by trying every client there is."""

import numpy as np
import pytest

from unsilent.modes import MODES
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread

FEWEST = 4
"""A plan holds out no fewer."""


def largest_step(table):
    """Between clients whose counts of lost and gained answers one record sets apart.

    A record is lost, gained or neither; replaced, it is another of the three.
    """
    steps = (table[1:] - table[:-1], table[:, 1:] - table[:, :-1], table[1:, :-1] - table[:-1, 1:])
    return max(float(np.nanmax(np.abs(step))) for step in steps)


def counts(records):
    lost, gained = np.mgrid[: records + 1, : records + 1]
    return lost, gained, lost + gained <= records


@pytest.mark.parametrize("records", [4, 5, 6, 7, 8, 11, 16, 23])
def test_no_record_moves_the_value_further_than_declared(records):
    lost, gained, possible = counts(records)
    values = np.full(possible.shape, np.nan)
    for place in zip(*np.nonzero(possible), strict=True):
        values[place] = confirmed_loss(int(lost[place]), int(gained[place]), records)
    declared = MODES["SF-3"].record_reach(records)[0]
    assert 0.7 * declared < largest_step(values) <= declared * (1 + 1e-9)


@pytest.mark.parametrize("records", [*range(FEWEST, 30), 48, 75, 120])
def test_no_record_moves_the_spread_further_than_declared(records):
    lost, gained, possible = counts(records)
    spreads = np.where(possible, loss_spread(lost, gained, records), np.nan)
    declared = MODES["SF-3"].record_reach(records)[1]
    assert 0.7 * declared < largest_step(spreads) <= declared
