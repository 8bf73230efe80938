"""How many clients finite records put on the wrong side of a threshold, at most."""

import numpy as np
import pytest
from scipy.special import gammaln, ndtr

from unsilent.inference import judge_rounds
from unsilent.inference.mistaken import mistaken_ratio
from unsilent.modes.sf3_fairness_collapse import LEFT_BEHIND
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release


def measured(lost, gained, records):
    """As the mode computes it, from counts of lost and gained answers."""
    value = (lost - gained > LEFT_BEHIND * records * (1 + 1e-12)).astype(float)
    up, down = gained + 0.5, lost + 0.5
    error = np.sqrt(up + down - (up - down) ** 2 / (records + 2)) / (records + 2)
    entered = ndtr(((lost - gained) / records - LEFT_BEHIND) / error)
    return value, np.sqrt(entered * (1 - entered))


@pytest.mark.parametrize("records", [4, 5, 7, 8, 9, 10, 16, 17, 24, 25, 26, 34, 50, 75, 100, 150])
def test_it_holds_for_any_loss_and_is_no_larger_than_so_many_or_more_need(records):
    lost, gained = (each.ravel().astype(float) for each in np.indices((records + 1, records + 1)))
    lost, gained = lost[lost + gained <= records], gained[lost + gained <= records]
    value, spread = measured(lost, gained, records)
    ways = gammaln(records + 1) - gammaln(lost + 1) - gammaln(gained + 1)
    ways -= gammaln(records - lost - gained + 1)
    worst = 0.0
    for gain in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.44):
        for loss in (-0.1, 0.0, 0.06, 0.11, 0.12, 0.1200001, 0.13, 0.2, 0.3):
            chances = gain + loss, gain, 1 - loss - 2 * gain
            if min(chances) < 0:
                continue
            counts = lost, gained, records - lost - gained
            log = sum(n * np.log(max(p, 1e-300)) for n, p in zip(counts, chances, strict=True))
            weight = np.exp(ways + log)
            share = float(weight @ value)
            wrong = 1 - share if loss > LEFT_BEHIND else share
            worst = max(worst, wrong / float(weight @ spread))
    assert worst <= mistaken_ratio(records)
    assert mistaken_ratio(records) <= {True: 1.87, False: 1.72}[records < 10]


def test_more_records_mistake_no_more():
    ratios = [mistaken_ratio(records) for records in range(4, 400)]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize(
    ("records", "loss", "gain", "camp", "tolerance"),
    [(8, 0.219, 0.1, 1.0, 0.02), (9, 0.1201, 0.0, 0.2, 0.185), (25, 0.1201, 0.0, 0.5, 0.47)],
)
def test_a_camp_beside_the_threshold_makes_no_false_verdict(records, loss, gain, camp, tolerance):
    # A camp truly lies just within, or just beyond; all others are better on every record.
    clients, runs, false = 3000, 40, 0
    plan = parse_plan(
        {
            "federation": {"clients": clients, "rounds": 1, "held_out": records},
            "monitor": {"min_cohort": 2, "items": "like-these"},
            "privacy": {"epsilon": 8.0, "aggregation": "plain"},
            "modes": {"fairness_collapse": {"tolerance": tolerance, "clip": 1.0}},
        }
    )
    layout, sum_variance = Layout.from_plan(plan), float(share_variance(plan)) * clients
    truth = camp if loss - gain > LEFT_BEHIND else 0.0
    wrong = "failure" if truth <= tolerance else "healthy"
    rng, inside = np.random.default_rng(5), round(camp * clients)
    for _ in range(runs):
        lost, gained = np.zeros(clients), np.full(clients, float(records))
        counts = rng.multinomial(records, [loss, gain, 1 - loss - gain], inside)
        lost[:inside], gained[:inside] = counts[:, 0], counts[:, 1]
        value, spread = measured(lost, gained, records)
        given = {name: np.zeros(clients) for name in layout.inputs}
        given |= {"SF-3": value, "SF-3.spread": spread}
        total = layout.encode_all(given).sum(axis=0)
        total += np.rint(rng.normal(0, sum_variance**0.5, len(total))).astype(np.int64)
        release = Release(layout.digest, 1, clients, total, sum_variance)
        found = judge_rounds(plan, layout, [release])
        false += next(f for f in found if f.code == "SF-3").verdict == wrong
    assert false <= 2
