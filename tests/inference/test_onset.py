"""When a failure began: the interval holds the round, is short where it can be, and says so."""

from dataclasses import replace

import numpy as np
import pytest

from unsilent.errors import FindingsError
from unsilent.inference.onset import onset_of
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series

ROUNDS, TOLERANCE = np.arange(1, 41), 0.1


def series_of_effects(effects, sd, rounds=None, source="none", clients=30, cut=0.0, raised=0.0):
    """A series with given effects and noise; truncation is nothing."""
    m, step = len(effects), 1e-9
    return Series(
        code="SF-6",
        rounds=np.arange(1, m + 1) if rounds is None else np.asarray(rounds),
        clients=np.full(m, clients),
        asked=np.full(m, clients),
        noise_variance=np.full(m, (sd * clients / step) ** 2),
        effects=np.asarray(effects, dtype=float),
        spreads=np.zeros(m),
        squares=np.full(m, 0.02),
        cut=np.full(m, cut),
        raised=np.full(m, raised),
        # The two reports are without noise here.
        sampling=Sampling(source, -0.3, 0.3, 0.3, step, 0.25, step, step, added_step=1e-30),
    )


TRUTHS = {
    "a jump": np.where(ROUNDS >= 15, 0.18, 0.0),
    "a drift": (ROUNDS - 14.5) * 0.01 + TOLERANCE,
    "a jump onto the tolerance's edge": np.where(ROUNDS >= 15, 0.1001, 0.05),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS.keys())
def test_the_interval_holds_the_onset_at_all_rounds_at_once(truth):
    rng, missed, repetitions = np.random.default_rng(3), 0, 50
    for _ in range(repetitions):
        effects = truth + rng.normal(0, 0.03, len(ROUNDS))
        found = [
            onset_of(series_of_effects(effects[:m], 0.03), TOLERANCE, 0.05)
            for m in (15, 18, 25, 40)
        ]
        missed += any(o is None or not o.first <= 15 <= o.last for o in found)
    assert missed / repetitions <= 0.05


def test_a_jump_is_found_to_within_few_rounds():
    rng = np.random.default_rng(5)
    wide, sharp, held = [], [], 0
    for _ in range(100):
        effects = TRUTHS["a jump"] + rng.normal(0, 0.03, len(ROUNDS))
        found = onset_of(series_of_effects(effects, 0.03), TOLERANCE, 0.05)
        wide.append(found.last - found.first + 1)
        sharp.append(found.sudden[1] - found.sudden[0] + 1)
        held += found.sudden[0] <= 15 <= found.sudden[1]
        assert found.first <= found.sudden[0] <= found.sudden[1] <= found.last
    assert np.mean(wide) < 4
    assert np.mean(sharp) < 1.2
    assert held >= 0.95 * 100


def test_a_drift_is_seldom_called_sudden():
    rng, early, late = np.random.default_rng(7), 0, 0
    for _ in range(40):
        effects = TRUTHS["a drift"] + rng.normal(0, 0.03, len(ROUNDS))
        # Rounds past the crossing are few at an alarm, many later.
        for m in (22, 40):
            found = onset_of(series_of_effects(effects[:m], 0.03), TOLERANCE, 0.05)
            early += m == 22 and found.sudden is not None
            late += m == 40 and found.sudden is not None
    assert early <= 8
    assert late <= 1


def test_a_failure_from_the_start_began_by_the_first_round():
    found = onset_of(series_of_effects(np.full(20, 0.25), 0.01), TOLERANCE, 0.05)
    assert (found.first, found.last, found.sudden) == (1, 1, (1, 1))


def test_rounds_are_named_as_the_plan_numbers_them():
    effects = np.where(np.arange(8) >= 4, 0.3, 0.0)
    found = onset_of(series_of_effects(effects, 0.01, np.arange(5, 45, 5)), TOLERANCE, 0.05)
    assert (found.first, found.last) == (25, 25)


def test_rounds_without_a_failure_have_no_onset():
    assert onset_of(series_of_effects(np.zeros(20), 0.01), TOLERANCE, 0.05) is None


def test_an_error_that_stays_blurs_the_crossing_and_not_the_jump():
    rng, held, sharp = np.random.default_rng(9), 0, []
    for _ in range(40):
        lasting = rng.normal(0, 0.02)
        effects = TRUTHS["a jump"] + lasting + rng.normal(0, 0.01, len(ROUNDS))
        found = onset_of(series_of_effects(effects, 0.01, source="clients"), TOLERANCE, 0.05)
        held += found is not None and found.first <= 15 <= found.last
        sharp.append(found.sudden == (15, 15))
    assert held == 40
    assert np.mean(sharp) > 0.9


def test_what_clipping_may_hide_is_not_counted_as_health():
    effects = np.where(np.arange(20) >= 10, 0.2, 0.05)
    plain = onset_of(series_of_effects(effects, 0.005), TOLERANCE, 0.05)
    hidden = onset_of(series_of_effects(effects, 0.005, cut=0.3), TOLERANCE, 0.05)
    assert (plain.first, plain.last) == (11, 11)
    assert (hidden.first, hidden.last) == (1, 11)


def test_what_clipping_may_have_raised_is_not_counted_as_failure():
    # From round 11 on .2, of which .12 may be what the joint clip raised: any of them may be first.
    effects = np.where(np.arange(20) >= 10, 0.2, 0.05)
    raised = onset_of(series_of_effects(effects, 0.005, raised=0.4), TOLERANCE, 0.05)
    assert (raised.first, raised.last) == (11, 20)


def test_clients_who_are_missing_may_have_failed_or_not():
    # A quarter of those asked, at either end of .3: .2 may be .075, and .05 may be .1125.
    effects = np.where(np.arange(20) >= 10, 0.2, 0.05)
    some = replace(series_of_effects(effects, 0.005), asked=np.full(20, 40))
    found = onset_of(some, TOLERANCE, 0.05)
    assert (found.first, found.last) == (1, 20)


def test_a_level_is_an_error_probability():
    with pytest.raises(FindingsError, match="level"):
        onset_of(series_of_effects([0.1], 0.01), TOLERANCE, 0.5)


def test_items_that_each_round_draws_anew_are_no_onset():
    # Without privacy noise: ten clients with 16 items each of a large bank, whose choice alone
    # moves each round's mean by 30 / sqrt(160) points, past the tolerance in one round of three.
    rng, runs, clients, step = np.random.default_rng(11), 40, 10, 1e-9
    spread = 0.3 / 4
    truth = np.where(ROUNDS >= 25, 0.3, 0.09)
    sampling = Sampling(
        "none", -1.0, 1.0, 1.0, step, 0.1, step, 0.0, "probes", probes=((1.0, 16, 1_000_000),)
    )
    held = without = 0
    for _ in range(runs):
        effects = truth + rng.normal(0, spread / clients**0.5, len(ROUNDS))
        series = replace(
            series_of_effects(effects, 1e-6, clients=clients),
            spreads=np.full(len(ROUNDS), spread),
            sampling=sampling,
        )
        found = onset_of(series, TOLERANCE, 0.05)
        held += found is not None and found.first <= 25 <= found.last
        plain = replace(series, sampling=replace(sampling, items="none"))
        found = onset_of(plain, TOLERANCE, 0.05)
        without += found is not None and found.first <= 25 <= found.last
    assert held >= 38
    assert without < 20
