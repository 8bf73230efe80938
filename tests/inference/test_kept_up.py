"""What is kept up over rounds is bit for bit what judging from scratch gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from unsilent.inference import judge_rounds, looks
from unsilent.inference.ahead import Settling
from unsilent.inference.boundary import as_student, obrien_fleming, quantile, spent_until
from unsilent.inference.eprocess import log_evalue, tuned_precision
from unsilent.inference.looks import spending_boundary
from unsilent.inference.onset import onset_of
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series, series_of
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

CLIENTS, FAILS_FROM = 100, 60
ROUNDS = {"horizon": 100, "open-ended": 240}


def plan_of(control):
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": ROUNDS[control]},
            "monitor": {"min_cohort": 10, "control": control},
            "privacy": {"epsilon": 50.0},
            "modes": {
                "amplified_bias": {"tolerance": 0.1, "clip": 0.3, "subgroups": ["news", "films"]},
                "alignment_erosion": {"tolerance": 0.1, "clip": 0.3},
                "fairness_collapse": {"tolerance": 0.05},
            },
        }
    )


def history(plan):
    """Sums of changing cohorts; a round in seven is missed, and two modes fail after a while."""
    layout, rng = Layout.from_plan(plan), np.random.default_rng(1)
    found = []
    for number in plan.monitoring_rounds:
        clients = int(rng.integers(80, CLIENTS + 1))
        failing = 0.29 if number >= FAILS_FROM else 0.0
        values = {"SF-1": failing, "SF-1/news": failing, "SF-3": failing / 2}
        one = layout.encode({**dict.fromkeys(layout.inputs, 0.0), **values})
        variance = float(share_variance(plan)) * clients
        noise = np.rint(rng.normal(0, variance**0.5, len(one))).astype(np.int64)
        if number % 7:
            found.append(Release(layout.digest, number, clients, clients * one + noise, variance))
    return layout, found


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
def test_one_more_round_says_what_all_rounds_from_the_start_say(control):
    plan = plan_of(control)
    layout, totals = history(plan)
    kept, asked = {}, {66, len(totals)}
    if control == "open-ended":
        asked |= {5, 64, 140}
    looks.forget()
    for judged in sorted(asked | set(range(1, len(totals), 40))):
        kept[judged] = judge_rounds(plan, layout, totals[:judged])
    verdicts = {f.code: f.verdict for f in kept[len(totals)] if f.verdict}
    assert verdicts["SF-1"] == "failure"
    assert "undetermined" in verdicts.values() or "healthy" in verdicts.values()
    for judged in sorted(asked, reverse=True):
        looks.forget()
        assert judge_rounds(plan, layout, totals[:judged]) == kept[judged]


def test_a_boundary_is_kept_for_the_looks_that_it_was_found_for_alone():
    looks.forget()
    information = np.arange(1.0, 81.0)
    spent = np.diff(spent_until(np.arange(81) / 80, 0.01))
    other = np.diff(spent_until(np.arange(81) / 80, 0.02))
    whole = spending_boundary(information, spent)
    assert spending_boundary(information[:70], spent[:70]) == whole[:70]
    # Other looks after the same first ones, and the same looks of another error.
    later = np.append(information[:75], information[75:] + 0.5)
    branched, apart = spending_boundary(later, spent), spending_boundary(information, other)
    assert branched[:75] == whole[:75]
    assert branched[75:] != whole[75:]
    assert max(apart[-10:]) < min(whole[-10:])
    looks.forget()
    assert spending_boundary(later, spent) == branched
    looks.forget()
    assert spending_boundary(information, other) == apart


def test_spending_of_many_times_is_that_of_each():
    times = np.linspace(0, 1, 50)
    assert spent_until(times, 0.003).tolist() == [obrien_fleming(time, 0.003) for time in times]


def tried_in_full(series, tolerance, level):
    """The ends of both sets from every window of every round, as tables of all pairs."""
    level, count = level / 2, len(series.rounds)

    def weights(sd):
        return np.maximum(sd, 1e-9) ** -2.0

    def sums(values):
        return np.concatenate([[0.0], np.cumsum(values)])

    def table(row, column, bets):
        found, length = np.full((count + 1, count + 1), -np.inf), (column - row).astype(float)
        found[row, column] = bets - np.log(length * (length + 1))
        return found

    def kept(left, right, level):
        both = np.logaddexp(left, right) - np.log(2)
        both[0] = right[0]
        return both < -np.log(level)

    pooled = series.pooled(int(series.rounds[0]), int(series.rounds[-1]))
    lasting, margin = max(float(pooled.below.sampling_sd), float(pooled.above.sampling_sd)), 0.0
    own = level
    if lasting > 0:
        freedom = series.degrees_of_freedom[-1]
        margin, own = float(as_student(quantile(level / 4), freedom)) * lasting, level / 2
    margin += series.truncation
    (least, low), (most, high) = series.below, series.above
    low, high = np.hypot(low, series.redrawn_sd), np.hypot(high, series.redrawn_sd)
    first, end = np.triu_indices(count + 1, 1)

    def windows(beyond, sd):
        w = weights(sd)
        score, information = sums(w * beyond), sums(w)
        within = information[end] - information[first]
        z = (score[end] - score[first]) / np.sqrt(within)
        rho = tuned_precision(w[first] * (end - first), own)
        return table(first, end, log_evalue(z, within, rho))

    above = windows(least - tolerance - margin, low)
    below = windows(tolerance - margin - most, high)
    rest = -np.log1p(np.arange(count))
    left = np.logaddexp(logsumexp(above[:, :count], axis=0), rest)
    crossing = kept(left, logsumexp(below[:count], axis=1), own)

    w = weights(np.hypot(np.maximum(series.below[1], series.above[1]), series.redrawn_sd))
    information, lows, highs = sums(w), sums(w * least), sums(w * most)

    def rises(start, split, stop, rho):
        early, late = (
            information[split] - information[start],
            information[stop] - information[split],
        )
        rise = (lows[stop] - lows[split]) / late - (highs[split] - highs[start]) / early
        both = early * late / (early + late)
        return log_evalue((rise - series.truncation) * np.sqrt(both), both, rho)

    found = np.zeros((2, count))
    if count > 1:
        split, k = (places + 1 for places in np.triu_indices(count - 1, 1))
        rho = tuned_precision(w[split] * (k - split), level)
        bets = table(split, k, rises(np.zeros_like(split), split, k, rho))
        rest = -np.log(np.arange(1, count))
        found[0, 1:] = np.logaddexp(logsumexp(bets[:, 1:count], axis=0), rest)
        k, split = np.triu_indices(count, 1)
        rho = tuned_precision(w[k] * (split - k), level)
        bets = table(k, split, rises(k, split, np.full_like(k, count), rho))
        rest = -np.log(count - np.arange(count))
        found[1] = np.logaddexp(logsumexp(bets[:count], axis=1), rest)
    jump = crossing & kept(found[0], found[1], level)
    return np.flatnonzero(crossing), np.flatnonzero(jump)


def sudden_in_full(series):
    """Whether a jump explains as much as any drift, from the shapes themselves."""
    weights, times = np.maximum(series.privacy_sd, 1e-9) ** -2.0, series.rounds.astype(float)
    since = times[None, :] - times[:, None]

    def explained(shapes):
        centered = shapes - np.average(shapes, axis=1, weights=weights)[:, None]
        size, norms = centered @ (weights * series.effects), centered**2 @ weights
        return np.max(np.maximum(size, 0.0) ** 2 / np.maximum(norms, 1e-300), initial=0.0)

    drift = explained(np.maximum(since[:-1], 0.0))
    return explained((since[1:] >= 0).astype(float)) >= drift * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_an_onset_is_that_of_all_windows_of_all_rounds(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 120))
    times = np.cumsum(rng.integers(1, 4, count))
    start, size = int(rng.integers(0, count)), rng.choice([0.01, 0.05, 0.15])
    jumps = np.where(np.arange(count) >= start, 0.1 + size, rng.choice([0.0, 0.08]))
    drifts = np.maximum(np.arange(count) - start, 0) * size / 20 + 0.05
    step, clients = 1e-9, rng.integers(20, 31, count)
    sd = rng.choice([0.005, 0.03, 0.1])
    series = Series(
        code="SF-6",
        rounds=times,
        clients=clients,
        asked=np.full(count, 30) if seed % 4 == 1 else clients,
        noise_variance=np.full(count, (sd * 25 / step) ** 2),
        effects=(jumps if seed % 2 else drifts) + rng.normal(0, sd, count),
        spreads=np.zeros(count),
        squares=np.full(count, 0.02),
        cut=np.full(count, 0.02),
        raised=np.full(count, 0.01),
        sampling=Sampling(
            "clients" if seed % 3 == 0 else "none", -0.3, 0.3, 0.3, step, 0.25, step, step,
            added_step=1e-30,
        ),
    )  # fmt: skip
    crossing, jump = tried_in_full(series, 0.1, 0.02)
    found = onset_of(series, 0.1, 0.02)
    if not len(crossing):
        assert found is None
        return
    assert found is not None
    assert (found.first, found.last) == (times[crossing[0]], times[crossing[-1]])
    shown = len(jump) and (jump[0] == 0 or sudden_in_full(series))
    assert found.sudden == ((times[jump[0]], times[jump[-1]]) if shown else None)


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("side", [0, 1])
def test_the_round_that_would_settle_it_is_the_first_of_all(control, side):
    plan = plan_of(control)
    layout, totals = history(plan)
    settling = Settling(plan, series_of(plan, layout, totals[:40], "SF-6"), 0, side)
    every = np.array(settling[:])
    assert len(every) == len(plan.monitoring_rounds) - totals[39].round
    assert settling[3] == pytest.approx(every[3])
    either = np.maximum if side else np.minimum
    least = settling._either(settling._own.least, settling._other.least, np.arange(len(every)))
    assert (least <= every * (1 + 1e-12)).all()
    assert either is settling._decides
    for limit in (0.0, every.min(), np.median(every), every.max() * 1.01):
        limits = limit * np.linspace(1.0, 1.1, len(every))
        below = np.flatnonzero(every < limits)
        assert settling.first_below(limits) == (below[0] if len(below) else None)
