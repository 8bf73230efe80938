"""A draw from a bank: equal chances, shares of strata, and the same wherever it is drawn again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from unsilent.errors import ItemError
from unsilent.probes.draw import draw_seed, drawn

GOLDEN_SEED = 147612909090886153132848751883072859695
GOLDEN = [7, 21, 29, 53, 57, 65, 72, 86]
"""Of ``STRATA``."""
STRATA = np.repeat(np.arange(5), [40, 3, 17, 1, 29])


def test_every_unit_has_the_same_chance() -> None:
    """Counts over 4,000 draws lie within the limits that n/B gives, exactly, for all units at once.

    Units of a stratum of one and of forty alike.
    """
    draws, count, units = 4000, 13, len(STRATA)
    seen = np.zeros(units, dtype=np.int64)
    for number in range(draws):
        seen[drawn(STRATA, count, draw_seed("chance", number))] += 1
    assert seen.sum() == draws * count
    low, high = binom.ppf([1e-6, 1 - 1e-6], draws, count / units)
    assert (seen >= low).all() and (seen <= high).all()
    # The largest departure is one of so many: a stratum that is favoured would show here.
    for stratum in np.unique(STRATA):
        of = stratum == STRATA
        found = binomtest(int(seen[of].sum()), draws * count, of.sum() / units)
        assert found.pvalue > 1e-6


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    share=st.floats(0.02, 1.2),
    seed=st.integers(0, 2**128 - 1),
)
def test_each_stratum_has_its_share_within_one(sizes: list[int], share: float, seed: int) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    count = max(1, round(share * len(strata)))
    places = drawn(np.random.default_rng(1).permutation(strata), count, seed)
    assert len(places) == min(count, len(strata))
    assert (np.diff(places) > 0).all() and places.min() >= 0 and places.max() < len(strata)
    shuffled = np.random.default_rng(1).permutation(strata)
    for stratum, size in enumerate(sizes):
        held = int((shuffled[places] == stratum).sum())
        assert abs(held - min(count, len(strata)) * size / len(strata)) < 1 + 1e-9


def test_neighbouring_strata_together_have_their_share_as_well() -> None:
    for number in range(200):
        strata = STRATA[drawn(STRATA, 20, draw_seed(number))]
        assert abs((strata >= 2).sum() - 20 * (STRATA >= 2).mean()) < 1


def test_a_mean_over_draws_is_the_banks() -> None:
    values = np.random.default_rng(3).normal(size=len(STRATA)) + STRATA
    means = [values[drawn(STRATA, 9, draw_seed("mean", n))].mean() for n in range(3000)]
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - values.mean()) < 4 * error


def test_a_draw_is_the_same_in_every_version() -> None:
    """Recorded: a server and its clients may run different versions of numpy."""
    seed = draw_seed("sha256:0", "client-3", 2, "task")
    assert seed == GOLDEN_SEED
    assert drawn(STRATA, 8, seed).tolist() == GOLDEN


def test_who_round_and_set_change_the_draw() -> None:
    base = ("plan", "client-1", 1, "task")
    others = [
        ("plan2", *base[1:]),
        ("plan", "client-2", 1, "task"),
        ("plan", "client-1", 2, "task"),
    ]
    others.append(("plan", "client-1", 1, "bias"))
    first = drawn(STRATA, 20, draw_seed(*base)).tolist()
    assert first == drawn(STRATA, 20, draw_seed(*base)).tolist()
    assert all(drawn(STRATA, 20, draw_seed(*names)).tolist() != first for names in others)
    assert draw_seed("a", "b") != draw_seed("ab")


def test_nothing_from_nothing() -> None:
    with pytest.raises(ItemError, match="0 of 5 units"):
        drawn(np.zeros(5, dtype=np.int64), 0, 1)
    with pytest.raises(ItemError, match="3 of 0 units"):
        drawn(np.zeros(0, dtype=np.int64), 3, 1)
