"""Counts in a release: exact, never shrunk by other numbers, and moved by one record as claimed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.performance.records import answered, items, plan
from unsilent.audit import claim
from unsilent.performance import families_of, is_count
from unsilent.performance.tally import Answered, tally
from unsilent.plan import parse_plan
from unsilent.release.counts import counting
from unsilent.release.layout import Layout
from unsilent.release.noise import sensitivity, share_variance

REFERENCE = {
    "binned": {"statistic": "auroc", "of": "positive", "by": "group", "tolerance": 0.1},
    "gaps": {"statistic": "calibration", "by": "class", "bins": 1, "tolerance": 0.1},
    "sites": {"statistic": "accuracy", "by": "site", "tolerance": 0.1},
    "classes": {"statistic": "sensitivity", "by": "class", "tolerance": 0.1},
}


def encoded(of, both, site="big", others=None):
    layout = Layout.from_plan(of)
    values = dict.fromkeys(layout.inputs, 0.0) | (others or {})
    return layout.encode(values | tally(of.performance, {"held-out": both}, site=site))


@pytest.mark.parametrize("unit", ["client", "record", "none"])
def test_a_count_is_decoded_as_it_was_whatever_the_other_numbers_are(unit):
    of = plan(unit=unit)
    random = np.random.default_rng(1)
    both = answered(random, items(random, 16))
    layout = Layout.from_plan(of)
    counts = tally(of.performance, {"held-out": both})
    vector = encoded(of, both, others={"SF-3": 1.0, "system.loss": 9.0, "SF-3.spread": 0.3})
    decoded = layout.decode(vector, 1)
    for name, count in counts.items():
        whole = not any(part in name for part in (":gaps.", ":words:"))
        assert decoded[name] == pytest.approx(count, abs=1e-9 if whole else 0.01), name
    assert math.hypot(*vector.tolist()) <= layout.bound


def test_a_client_of_any_numbers_stays_within_the_joint_clip():
    of = plan(unit="client")
    layout, random = Layout.from_plan(of), np.random.default_rng(2)
    for _ in range(30):
        size = 10 ** random.uniform(-1, 3)
        values = {name: float(random.normal() * size) for name in layout.inputs}
        assert math.hypot(*layout.encode(values).tolist()) <= layout.bound


@pytest.mark.parametrize("statistics", ["all", "reference"])
def test_no_record_moves_the_counts_further_than_claimed(statistics):
    of = plan() if statistics == "all" else plan(statistics=REFERENCE)
    layout, random = Layout.from_plan(of), np.random.default_rng(5)
    counts = [at for at, name in enumerate(layout.names) if is_count(name)]
    farthest = 0.0
    claimed = sensitivity(of)
    for _ in range(40):
        both = answered(random, items(random, 16))
        extreme = random.random(2) < 0.5
        first, second = (beside(both, random, sure=bool(sure)) for sure in extreme)
        apart = encoded(of, first) - encoded(of, second)
        farthest = max(farthest, float(np.linalg.norm(apart[counts])))
        assert float(np.linalg.norm(apart)) <= claimed
    # The search comes near what is claimed of the counts: it would find a claim that is too small.
    counted = counting(of, layout.clip, layout.scale)
    assert counted is not None
    assert 0.6 * counted.moved < farthest <= counted.moved


def beside(both, random, *, sure):
    """The same records with another one, of any answer and scores, in the first place."""
    other = items(random, 1, "o").items[0]
    records = (other, *both.reference.items.items[1:])
    changed = replace(both.reference.items, items=records)

    def table(outcomes):
        score = float(random.integers(2)) if sure else random.random()
        rows = outcomes.probabilities.copy()
        rows[0] = 1 - score, score
        return replace(outcomes, items=changed, probabilities=rows)

    return Answered(table(both.reference), table(both.personalized))


@pytest.mark.parametrize("of", [plan(), plan(statistics=REFERENCE)], ids=["all", "reference"])
def test_the_audit_claims_by_a_reckoning_of_its_own_what_the_release_does(of):
    assert claim.reach(of) == pytest.approx(sensitivity(of), rel=1e-3)


def test_other_numbers_leave_the_noise_to_the_counts():
    of = plan(clients=100, count=64)
    layout = Layout.from_plan(of)
    record = layout.unit(next(filter(is_count, layout.names))) / 64
    # All together a record moves by no more than 1.2 times what it moves the counts.
    assert sensitivity(of) < 1.2 * record * math.sqrt(3 * len(families_of(of.performance)))
    assert share_variance(of) > 0


def test_plans_without_counts_have_none_of_it():
    bare = {"modes": {"fairness_collapse": {"tolerance": 0.1}}}
    of = parse_plan(bare)
    assert "performance" not in of.to_json()
    assert not any(map(is_count, Layout.from_plan(of).names))


@pytest.mark.parametrize("clients", [40, 2000])
def test_a_sum_of_all_clients_fits_a_secure_sum(clients):
    for unit in ("client", "record"):
        of = plan(unit=unit, clients=clients, count=500)
        layout = Layout.from_plan(of)
        most = max(layout.unit(name) for name in layout.names)
        if unit == "client":
            most = layout.bound
        assert clients * most < 2**31
