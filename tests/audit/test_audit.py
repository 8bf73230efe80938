"""The audit passes the code that releases and catches each bug that is planted in it."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from unsilent.audit.attack import mu_lower_bound
from unsilent.audit.audit import Mechanism, audit, blocks
from unsilent.audit.audit_result import ERROR, P_VALUES
from unsilent.audit.mutants import MUTANTS, Mutant
from unsilent.audit.planted import Scaled
from unsilent.cli import main
from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import PlanError
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.plans import starter_plan
from unsilent.release import SeededNoise, accountant, noise, record_unit
from unsilent.release.layout import Layout
from unsilent.release.noise import ExactNoise, share_variance
from unsilent.release.vector import privatize


def plan(**privacy):
    return parse_plan(
        {
            "federation": {"clients": 12, "rounds": 1},
            "modes": {
                "amplified_bias": {"tolerance": 0.1},
                "fairness_collapse": {"tolerance": 0.2, "clip": 1.0},
            },
            "privacy": {"epsilon": 2.0, **privacy},
            "monitor": {"min_cohort": 5},
        }
    )


@pytest.mark.parametrize("mu", [0.3, 1.0, 3.0])
def test_the_bound_is_below_the_true_mu_and_near_it(mu):
    random = np.random.default_rng(3)
    bounds = []
    for _ in range(100):
        outside, inside = random.normal(size=(2, 10_000))
        bounds.append(mu_lower_bound(inside + mu, outside, 0.02))
    # 100 trials at 2% each: 11 or more come up once in 100,000.
    assert sum(bound > mu for bound in bounds) < 11
    assert np.mean(bounds) == pytest.approx(mu - 0.1, abs=0.1)


@cache
def sound():
    """The audit of code without a bug."""
    return audit(plan(), repetitions=400)


def test_scores_that_tell_nothing_prove_nothing():
    same = np.zeros(100)
    assert mu_lower_bound(same, same, 1e-4) == 0.0
    assert mu_lower_bound(-np.arange(100.0), np.arange(100.0), 1e-4) == 0.0


def test_scores_that_tell_all_prove_what_their_number_can():
    bound = mu_lower_bound(np.ones(2000), np.zeros(2000), 1e-4)
    rate = (1e-4 / 2) ** (1 / 1000)  # Clopper and Pearson for 1000 of 1000
    assert bound == pytest.approx(2 * norm.ppf(rate), rel=1e-9)


@pytest.mark.parametrize(
    "privacy",
    [
        {},
        {"adjacency": "replace-one"},
        {"dropout": 0.2, "collusion": 0.1},
        {"unit": "record"},
        pytest.param({"unit": "record", "adjacency": "replace-one"}, marks=pytest.mark.long),
    ],
)
def test_the_code_that_releases_passes_and_half_its_claim_is_proven(privacy):
    # The sampler of real clients is the same under each.
    exact = not privacy or privacy == {"unit": "record"}
    result = audit(plan(**privacy), repetitions=30_000, seed=4, exact=exact)
    assert result.passed, [check for check in result.checks if not check.passed]
    assert result.mu_claimed / 2 <= result.mu_lower_bound <= result.mu_claimed


def test_the_claim_is_the_plans_promise_for_one_release():
    ten = parse_plan(plan().to_json() | {"federation": {"clients": 12, "rounds": 10}})
    of_ten = audit(ten, repetitions=100, exact=False)
    for found, releases in ((sound(), 1), (of_ten, 10)):
        mu = found.mu_claimed * math.sqrt(releases)
        assert mu == pytest.approx(0.502, abs=1e-3)
        delta = norm.cdf(mu / 2 - 2 / mu) - math.exp(2) * norm.cdf(-mu / 2 - 2 / mu)
        assert delta == pytest.approx(1e-5, rel=1e-6)


SOUND = [accountant.largest_mu, noise.smallest_cohort, record_unit._reach]
BUGS = {mutant.name: mutant for mutant in MUTANTS}


@cache
def attacked(name):
    """The audit of a planted bug, which several tests read."""
    return BUGS[name].attack(starter_plan(), seed=2)


MADE_FOR = {
    "rounding_to_nearest": "norm",
    "noise_reused_between_rounds": "rounds",
    "noise_shared_by_clients": "covariance",
    "shared_noise": "covariance",
    "n_min_without_collusion": "claim",
    "mu_10_percent_high": "claim",
    "reach_halved": "claim",
    "reached_without_noise": "block",
    "limit_over_one_plan": "limit",
}


# One of each kind, and of those alike the one that is hardest to see.
OFTEN = {*MADE_FOR, "missing_joint_clip", "sigma_10_percent_low", "block_without_noise"}


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in BUGS]
)
def test_each_planted_bug_is_caught(name):
    assert not attacked(name).passed
    assert attacked(name).caught_by


def test_a_bug_that_was_planted_in_a_function_is_taken_out_again():
    for name in ("n_min_without_collusion", "mu_10_percent_high", "reach_halved"):
        attacked(name)
    assert [accountant.largest_mu, noise.smallest_cohort, record_unit._reach] == SOUND
    assert len(MUTANTS) == len(BUGS) == 19


@pytest.mark.parametrize("name", MADE_FOR)
def test_the_part_made_for_a_bug_is_the_one_that_sees_it(name):
    assert MADE_FOR[name] in attacked(name).caught_by


def test_noise_shared_between_coordinates_gives_the_canary_away():
    """The attacker who knows the covariance proves more than is claimed, not only bad noise."""
    checks = {check.name: check for check in attacked("shared_noise").checks}
    assert checks["joint canary"].passed
    assert (
        checks["joint canary, noise's covariance known"].found > 2 * checks["joint canary"].allowed
    )


def test_noise_where_none_is_claimed_is_seen():
    """Whoever judges an exact number counts on none."""
    of = plan(unit="record")
    mechanism = Mechanism.of(of)

    def everywhere(layout, values, variance, noise):
        clean = layout.encode(values)
        return clean + noise.sample(math.sqrt(variance), len(clean))

    broken = replace(mechanism, privatize=everywhere)
    found = audit(of, repetitions=400, exact=False, mechanism=broken).checks
    assert "noise where none is claimed" in [check.name for check in found if not check.passed]


def test_a_sum_without_noise_claims_nothing_to_attack():
    of = parse_plan(
        {
            "federation": {"clients": 12},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"unit": "none"},
        }
    )
    with pytest.raises(PlanError, match="claims nothing that could be attacked"):
        audit(of)


def test_a_weak_exact_sampler_is_seen_by_its_own_sample():
    mechanism = Mechanism.of(plan())
    weak = Mechanism(
        mechanism.layout,
        mechanism.variance,
        mechanism.privatize,
        mechanism.source,
        lambda: Scaled(ExactNoise(), 0.85),
    )
    failed = [c.name for c in audit(plan(), repetitions=400, mechanism=weak).checks if not c.passed]
    assert "variance of exact share" in failed
    assert all("of exact share" in name for name in failed)


@pytest.mark.parametrize(
    "seeds",
    [(2, 3), pytest.param(range(12), marks=pytest.mark.long)],
    ids=["two", "a dozen"],
)
def test_correct_code_raises_no_alarm(seeds):
    """The chance of an alarm here is as many times ERROR."""
    assert ERROR <= 1e-4
    for seed in seeds:
        unit = "record" if seed % 4 == 3 else "client"
        assert audit(plan(unit=unit), repetitions=1000, seed=seed, exact=False).passed, seed


def test_all_checks_together_share_the_error():
    result = sound()
    by_chance = [c for c in result.checks if c.by not in ("norm", "claim", "client", "limit")]
    tests = [check.allowed for check in by_chance if check.by in P_VALUES]
    assert len(set(tests)) == 1
    assert len(by_chance) * tests[0] <= ERROR
    assert len(by_chance) * tests[0] > 0.9 * ERROR


def test_what_is_attacked_is_what_an_observer_releases(tmp_path):
    of = plan()
    statistics = [Statistic(code, 0.05, -1.0, 1.0, 0.02, 50) for code in ("SF-1", "SF-3")]
    made = Observer(of, "client", tmp_path, noise=SeededNoise(6)).release(
        1, statistics, SystemChange(0.1, 0.2), ModelCheck(0.0)
    )
    values = {"SF-1": 0.05, "SF-3": 0.05, "SF-1.spread": 0.02, "SF-3.spread": 0.02}
    values |= {"system.loss": 0.1, "system.accuracy": 0.2}
    values |= {"model.unshown": 0.0, "model.differing": 0.0}
    again = privatize(Layout.from_plan(of), values, share_variance(of), SeededNoise(6))
    assert made.vector.tolist() == again.tolist()
    mechanism = Mechanism.of(of)
    assert (mechanism.privatize, mechanism.variance) == (privatize, share_variance(of))


def test_blocks_hold_every_coordinate_once():
    layout = Layout.from_plan(starter_plan())
    found = blocks(layout)
    assert sorted(p for part in found.values() for p in part) == list(range(len(layout.names)))
    assert list(found) == [
        "SF-1",
        "SF-2",
        "SF-3",
        "SF-4",
        "SF-5",
        "SF-6",
        "system",
        "model",
        "raised",
        "clipped",
    ]


def test_the_command_reports_bound_claim_and_every_bug(capsys, monkeypatch):
    planted = MUTANTS[1::17]  # each of them is caught in a test of its own
    monkeypatch.setattr("unsilent.audit.audit.REPETITIONS", 10_000)
    monkeypatch.setattr("unsilent.audit.mutants.MUTANTS", planted)
    assert main(["privacy", "audit", "--json", "--seed", "11"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["passed"]
    assert data["mu_claimed"] / 2 <= data["mu_lower_bound"] <= data["mu_claimed"]
    assert set(data["mutants"]) == {mutant.name for mutant in planted}
    assert all(found["caught"] and found["by"] for found in data["mutants"].values())
    assert any("training" in sentence for sentence in data["cannot_catch"])


def test_a_bug_that_is_missed_fails_the_command(capsys, monkeypatch):
    harmless = Mutant("harmless", "nothing", lambda plan, mechanism: mechanism)
    for place in ("audit.audit", "mutants.audit"):
        monkeypatch.setattr(f"unsilent.audit.{place}", lambda *plan, **how: sound())
    monkeypatch.setattr("unsilent.audit.mutants.MUTANTS", (harmless,))
    assert main(["privacy", "audit"]) == 1
    # A console breaks its lines where they are full.
    text = " ".join(capsys.readouterr().out.split())
    assert "MISSED" in text
    assert "0 of 1 planted bugs caught" in text
