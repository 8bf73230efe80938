"""Series: pooled windows by hand, and the effective number of clients."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import FindingsError
from unsilent.inference.series import satterthwaite, series_of, system_series
from unsilent.release.coordinate import LOSS
from unsilent.release.layout import Layout


def history(plan, summed, values, seed=1):
    """One sum a round: ``values`` is one list of SF-1 effects for each."""
    return [
        summed(plan, [{"SF-1": v, "system.loss": -v} for v in clients], (seed, number), number)
        for number, clients in enumerate(values, start=1)
    ]


def test_a_window_pools_client_rounds(plan_of, summed):
    plan = plan_of(rounds=(1, 2, 3))
    layout = Layout.from_plan(plan)
    totals = history(plan, summed, [[0.1] * 30, [0.2] * 10, [0.0] * 20])
    series = series_of(plan, layout, totals, "SF-1")
    found = series.window(1, 2)
    index = layout.index("SF-1")
    pooled = sum(int(t.vector[index]) for t in totals[:2])
    assert found.effect == pytest.approx(pooled / 40 / layout.unit("SF-1") * 0.3, rel=1e-12)
    variance = totals[0].noise_variance + totals[1].noise_variance
    assert found.privacy_sd == pytest.approx(series.truncation * math.sqrt(variance) / 40)
    assert found.clients == 20
    assert series.window(3, 3).effect == pytest.approx(series.effects[2])
    assert series.window(3, 3).privacy_sd == pytest.approx(series.privacy_sd[2])


def test_the_part_that_stays_does_not_shrink_with_rounds(plan_of, summed):
    plan = plan_of(rounds=tuple(range(1, 17)), population="like-these", epsilon=40.0)
    layout = Layout.from_plan(plan)
    values = np.linspace(-0.1, 0.2, 30).tolist()
    series = series_of(plan, layout, history(plan, summed, [values] * 16), "SF-1")
    one, all_ = series.window(16, 16), series.window(1, 16)
    assert all_.privacy_sd == pytest.approx(one.privacy_sd / 4)
    # An upper bound that the noise of the second moment widens, less so over many rounds.
    true = np.std(values, ddof=1) / math.sqrt(30)
    assert true <= all_.sampling_sd <= 1.5 * true
    assert all_.sampling_sd < one.sampling_sd
    ends = series.pooled(1, 16)
    assert min(ends.below.degrees_of_freedom, ends.above.degrees_of_freedom) >= 29


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20), st.integers(0, 5))
def test_the_mean_cohort_never_exceeds_the_effective_number(counts, more):
    # c_i of L rounds, client by client: (sum c)^2 / sum c^2 >= sum c / L.
    if not any(counts):
        counts = [*counts, 1]
    rounds = max(counts) + more
    total = sum(counts)
    assert total**2 / sum(c * c for c in counts) >= total / rounds - 1e-9


def test_late_joiners_and_changing_cohorts_are_covered(plan_of):
    # Clients' lasting errors drawn once; who is in which round changes.
    rng = np.random.default_rng(5)
    member = rng.random((8, 40)) < 0.7
    member[:4, 20:] = False
    weights = member.sum(axis=0) / member.sum()
    error = rng.standard_normal((4000, 40)) @ weights
    cohort = member.sum() / 8
    assert error.std() == pytest.approx(math.sqrt((weights**2).sum()), rel=0.05)
    assert error.std() <= 1 / math.sqrt(cohort)


def test_degrees_of_freedom_grow_with_the_known_part():
    nine = np.asarray(9.0)
    assert float(satterthwaite(np.asarray(1.0), np.asarray(0.0), nine)) == 9.0
    assert float(satterthwaite(np.asarray(1.0), np.asarray(1.0), nine)) == 36.0
    assert math.isinf(float(satterthwaite(np.asarray(0.0), np.asarray(1.0), nine)))


def test_a_series_ends_where_asked_and_knows_its_rounds(plan_of, summed):
    plan = plan_of(rounds=(1, 2, 3))
    layout = Layout.from_plan(plan)
    totals = history(plan, summed, [[0.1] * 30, [0.2] * 30, [0.0] * 30])
    series = series_of(plan, layout, [totals[0], totals[2]], "SF-1")
    assert series.until(2).rounds.tolist() == [1]
    assert series.window(2, 3).effect == pytest.approx(series.effects[1])
    with pytest.raises(FindingsError, match="no judged round from 2 to 2"):
        series.window(2, 2)
    with pytest.raises(FindingsError, match="no judged round until 0"):
        series.until(0)
    with pytest.raises(FindingsError, match="do not rise"):
        series_of(plan, layout, [totals[1], totals[0]], "SF-1")
    with pytest.raises(FindingsError, match="no round to judge"):
        series_of(plan, layout, [], "SF-1")


def test_system_metrics_are_not_sampled(plan_of, summed):
    plan = plan_of(population="like-these")
    layout = Layout.from_plan(plan)
    series = system_series(layout, [summed(plan, [{"system.loss": 0.3}] * 30, None)], LOSS)
    assert series.window(3, 3).effect == pytest.approx(0.3, abs=series.truncation)
    assert series.window(3, 3).sampling_sd == 0.0
