"""Error rates of the whole path, by seeded simulation through the real release."""

import numpy as np
import pytest

from unsilent.inference import judge_rounds
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

PROBE_MODES = ("SF-1", "SF-2", "SF-4", "SF-5", "SF-6")


def simulate(plan, draw, repetitions, seed):
    """Judge ``repetitions`` rounds; ``draw(rng)`` gives one federation's clients."""
    layout, noise, rng = Layout.from_plan(plan), SeededNoise(seed), np.random.default_rng(seed)
    clients = plan.federation.clients
    variance = float(share_variance(plan)) * clients
    noises = noise.sample(variance**0.5, repetitions * len(layout.names)).reshape(repetitions, -1)
    fixed, results = None, []
    for row in noises:
        if fixed is None or not getattr(draw, "fixed", False):
            drawn = draw(rng)
            values = {name: np.array([c.get(name, 0.0) for c in drawn]) for name in layout.inputs}
            fixed = layout.encode_all(values).sum(axis=0)
        total = Release(layout.digest, 3, clients, fixed + row, variance)
        results.append({f.code: f for f in judge_rounds(plan, layout, [total])})
    return results


def enrolled(clients, mean):
    """The same clients every time: only the noise is drawn anew."""

    def draw(rng):
        values = rng.normal(0, 0.05, (clients, len(PROBE_MODES))).clip(-0.1, 0.1)
        values += mean - values.mean(axis=0)
        return [dict(zip(PROBE_MODES, row, strict=True)) for row in values]

    draw.fixed = True
    return draw


@pytest.mark.parametrize("clients", [10, pytest.param(30, marks=pytest.mark.long), 100])
def test_enrolled_intervals_cover_and_false_failures_stay_rare(plan_of, clients):
    plan = plan_of(clients=clients, weight=0.4)
    # Truth exactly at the tolerance: the hardest case, any FAILURE or HEALTHY is an error.
    results = simulate(plan, enrolled(clients, 0.1), 150, clients)
    covered = np.mean(
        [all(r[c].interval[0] <= 0.1 <= r[c].interval[1] for c in PROBE_MODES) for r in results]
    )
    failed = np.mean([any(r[c].verdict == "failure" for c in PROBE_MODES) for r in results])
    healthy = np.mean([any(r[c].verdict == "healthy" for c in PROBE_MODES) for r in results])
    # Either verdict is false at most in alpha; a truth exactly at the tolerance lets both be.
    assert covered >= 0.9 - 2.5 * (0.1 * 0.9 / 150) ** 0.5
    assert failed <= 0.05 + 2.5 * (0.05 * 0.95 / 150) ** 0.5
    assert healthy <= 0.05 + 2.5 * (0.05 * 0.95 / 150) ** 0.5


@pytest.mark.parametrize("clients", [10, pytest.param(30, marks=pytest.mark.long), 100])
def test_clients_like_these_cover_the_mean_they_come_from(plan_of, clients):
    plan = plan_of(clients=clients, weight=0.4, population="like-these", modes=("amplified_bias",))

    def draw(rng):
        return [{"SF-1": v} for v in rng.normal(0.1, 0.06, clients)]

    repetitions = 6000 // (clients + 30)
    results = simulate(plan, draw, repetitions, 100 + clients)
    ends = np.array([r["SF-1"].interval for r in results])
    limit = 0.05 + 2.5 * (0.05 * 0.95 / repetitions) ** 0.5
    assert np.mean(ends[:, 0] > 0.1) <= limit
    assert np.mean(ends[:, 1] < 0.1) <= limit


@pytest.mark.parametrize("population", ["enrolled", "like-these"])
@pytest.mark.parametrize("clients", [10, pytest.param(30, marks=pytest.mark.long)])
def test_what_clients_lose_on_few_records_is_covered(plan_of, clients, population):
    # One client in five loses 30 points; everybody's 24 records are drawn anew each time.
    plan = plan_of(clients=clients, modes=("fairness_collapse",), population=population)
    turned, loss, records = 0.1, 0.3, 24

    def counts(rng, lost):
        chances = [turned + lost, turned, 1 - 2 * turned - lost]
        return rng.multinomial(records, chances)[:2].tolist()

    def draw(rng):
        where = np.arange(clients) % 5 == 0
        if population == "like-these":
            where = rng.random(clients) < 0.2
        found = []
        for fails in where:
            lost, gained = counts(rng, loss * fails)
            found.append(
                {
                    "SF-3": confirmed_loss(lost, gained, records),
                    "SF-3.spread": float(loss_spread(lost, gained, records)),
                }
            )
        return found

    # Half of the records decide: a loss counts with the chance that they show one.
    half = np.random.default_rng(0).multinomial(
        records // 2, [turned + loss, turned, 1 - 2 * turned - loss], 100_000
    )
    truth = 0.2 * loss * np.mean(half[:, 0] > half[:, 1])
    results = simulate(plan, draw, 150, 200 + clients)
    ends = np.array([r["SF-3"].interval for r in results])
    # One look: either end errs in at most all of alpha.
    limit = 0.05 + 2.5 * (0.05 * 0.95 / 150) ** 0.5
    assert np.mean(ends[:, 0] > truth) <= limit
    assert np.mean(ends[:, 1] < truth) <= limit


def test_a_failure_that_accuracy_shows_is_rarely_called_silent(plan_of):
    plan = plan_of(clients=30, clip=0.5)
    clients = [{"SF-6": 0.4, "system.accuracy": 0.06, "system.loss": -0.1}] * 30

    def draw(rng):
        return clients

    draw.fixed = True
    results = simulate(plan, draw, 80, 300)
    failures = [r["SF-6"] for r in results if r["SF-6"].verdict == "failure"]
    assert len(failures) > 72
    assert np.mean([f.visibility == "silent" for f in failures]) <= 0.01


def test_a_failure_without_any_loss_is_mostly_called_silent(plan_of):
    plan = plan_of(clients=100, clip=0.5)
    clients = [{"SF-6": 0.4, "system.accuracy": -0.04, "system.loss": -0.1}] * 100

    def draw(rng):
        return clients

    draw.fixed = True
    results = simulate(plan, draw, 60, 400)
    assert np.mean([r["SF-6"].visibility == "silent" for r in results]) >= 0.9
