"""Each federation has a bank of its own, from which each client draws anew in each round."""

from dataclasses import replace

import numpy as np
import pytest
from unsilent_bench.fleet.probes import MOST_BEYOND, ROLES, Asked, ProbeRows, asked
from unsilent_bench.fleet.recording import fleet_plan

from unsilent.errors import InputError
from unsilent.plan import parse_plan

PLAN = fleet_plan()


@pytest.fixture
def universe() -> ProbeRows:
    """Twice as many units as the plan's banks hold, each with a row of its own."""
    units = {role: 2 * PLAN.bank(role) for role in ROLES}
    bias, task, general, harmful = (np.arange(units[role]) for role in ROLES)
    return ProbeRows(
        pairs=np.stack([bias, bias + len(bias)], axis=1),
        pair_kind=bias % 8,
        task=task,
        right=task % 2,
        domain=task // 2 % 4,
        general=general,
        origin=general % 4,
        harmful=harmful,
        harm=harmful % 7,
    )


def test_a_bank_and_what_lies_beyond_hold_no_unit_twice(universe: ProbeRows) -> None:
    found = asked(universe, PLAN, 7)
    both = np.concatenate([found.bank.task, found.beyond.task])
    assert len(np.unique(both)) == len(both)
    assert np.isin(both, universe.task).all()
    assert len(found.beyond.task) == min(len(universe.task) - len(found.bank.task), MOST_BEYOND)
    for role in ROLES:
        assert len(found.bank.strata(role)) == PLAN.bank(role)


def test_a_bank_has_its_share_of_each_stratum(universe: ProbeRows) -> None:
    found = asked(universe, PLAN, 7)
    for role in ROLES:
        counts = np.bincount(found.bank.strata(role))
        assert np.ptp(counts) <= 2


def test_federations_have_banks_of_their_own(universe: ProbeRows) -> None:
    one, same, other = (asked(universe, PLAN, seed).bank.task for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    # Half of one bank is in the other by chance.
    assert 0.4 < np.isin(one, other).mean() < 0.6


def test_each_client_draws_its_own_in_each_round(universe: ProbeRows) -> None:
    found = asked(universe, PLAN, 7)
    first, again, later = found.of_round(3, 1), found.of_round(3, 1), found.of_round(3, 2)
    for role in ROLES:
        assert first[role].shape == (3, PLAN.probes.size(role))
        assert np.array_equal(first[role], again[role])
    for role in ("bias", "task", "general"):
        assert not np.array_equal(first[role][0], first[role][1])
        assert not np.array_equal(first[role][0], later[role][0])


def test_what_is_drawn_does_not_depend_on_what_may_be_tuned(universe: ProbeRows) -> None:
    tuned = PLAN.model_copy(update={"privacy": PLAN.privacy.model_copy(update={"epsilon": 2.0})})
    assert tuned.digest != PLAN.digest
    before, after = (asked(universe, plan, 7).of_round(2, 1)["bias"] for plan in (PLAN, tuned))
    assert np.array_equal(before, after)


def test_a_tenth_can_be_asked(universe: ProbeRows) -> None:
    tenth = fleet_plan(0.1)
    found = asked(universe, tenth, 7)
    assert found.sizes == {"bias": 20, "task": 40, "general": 30, "harmful": 8}
    assert len(found.bank.task) == PLAN.bank("task")
    # Whoever replays it has to say so: a plan of more items would be wrong about these.
    assert tenth.digest != PLAN.digest
    assert parse_plan(tenth.to_json()).digest == tenth.digest
    for (name, mode), (_, before) in zip(tenth.modes, PLAN.modes, strict=True):
        if mode is not None and before is not None and before.spread_clip is not None:
            assert mode.spread_clip == pytest.approx(before.spread_clip * 10**0.5), name


def test_a_bank_that_leaves_nothing_beyond_is_refused(universe: ProbeRows) -> None:
    few = np.arange(PLAN.bank("harmful"))
    with pytest.raises(InputError, match=r"probes.banks.harmful: \d+ harmful units do not leave"):
        asked(replace(universe, harmful=few, harm=few % 7), PLAN, 7)


def test_a_client_scores_at_most_1800_items() -> None:
    sides = {"bias": 2}
    assert sum(sides.get(role, 1) * PLAN.probes.size(role) for role in ROLES) <= 1800


def test_taken_units_keep_what_is_known_of_them(universe: ProbeRows) -> None:
    found: Asked = asked(universe, PLAN, 7)
    drawn = found.bank.take(found.of_round(2, 1))
    assert drawn.pairs.shape == (2, PLAN.probes.size("bias"), 2)
    assert np.array_equal(drawn.right, drawn.task % 2)
    assert np.array_equal(drawn.harm, drawn.harmful % 7)
    assert set(np.ravel(drawn.pairs[..., 1] - drawn.pairs[..., 0])) == {2 * PLAN.bank("bias")}
