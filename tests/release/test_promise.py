"""The words say what the figures mean, and the chance of a right guess is exact."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from unsilent.plan import parse_plan
from unsilent.release.accountant import PrivacyEvent, epsilon
from unsilent.release.promise import (
    GIVEN,
    OTHERS,
    PLAIN_CAVEAT,
    RECORD_CONDITION,
    SECURE_SUM_CAVEAT,
    TAKING_PART,
    TRAINING,
    chance_of_a_right_guess,
    conditions,
    for_a_lawyer,
    scope,
    statement,
)


def plan(**privacy):
    return parse_plan(
        {
            "federation": {"clients": 20},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, **privacy},
        }
    )


def events(mu, releases=1):
    sigma = math.sqrt(releases) / mu
    return [PrivacyEvent("discrete_gaussian", r, 1.0, sigma) for r in range(1, releases + 1)]


@pytest.mark.parametrize("releases", [1, 4])
@pytest.mark.parametrize("mu", [0.2, 1.0, 2.5])
def test_the_chance_is_that_of_the_best_test_of_a_shift(mu, releases):
    chance = chance_of_a_right_guess(events(mu, releases))
    assert chance == pytest.approx(norm.cdf(mu / 2), rel=1e-12)
    random, trials = np.random.default_rng(1), 200_000
    guessed_in = random.normal(mu / 2, 1, trials) > 0
    guessed_out = random.normal(-mu / 2, 1, trials) < 0
    seen = (guessed_in.mean() + guessed_out.mean()) / 2
    assert seen == pytest.approx(chance, abs=4.5 * 0.5 / math.sqrt(2 * trials))


def test_it_is_within_what_epsilon_allows():
    for mu in (0.3, 1.0, 2.0):
        for delta in (1e-2, 1e-5):
            bound = math.exp(epsilon(events(mu), delta))
            assert chance_of_a_right_guess(events(mu)) <= (bound + delta) / (1 + bound)


def test_the_sentence_counts_guesses_and_never_too_few():
    text = for_a_lawyer(plan(), events(1.0))
    assert "numbers or zeros in their place were added right at most 70 times in 100" in text
    assert "already knows the adapters and all other clients' numbers" in text
    assert "tossing a coin is right 50 times" in text
    assert "epsilon" not in text
    assert "at most 51 times" in for_a_lawyer(plan(), events(0.01))
    assert "at most 99.99 times" in for_a_lawyer(plan(), events(9.0))
    assert for_a_lawyer(plan(), []).startswith("Nothing has been released")


def test_each_adjacency_and_unit_has_its_own_question():
    zeros, others, record = plan(), plan(adjacency="replace-one"), plan(unit="record")
    assert "one given client's numbers from zeros in their place" in statement(zeros, 1.0, 1)
    assert "numbers from any others in their place" in statement(others, 1.0, 2)
    assert "what one given evaluation record says" in statement(record, 1.0, 1)
    assert "which of two sets of numbers one given client had" in for_a_lawyer(others, events(1.0))


@pytest.mark.parametrize("aggregation", ["plain", "secure-sum"])
@pytest.mark.parametrize("unit", ["client", "record"])
def test_the_scope_is_in_the_statement_and_says_what_is_not_promised(unit, aggregation):
    of = plan(unit=unit, aggregation=aggregation)
    assert all(sentence in statement(of, 1.0, 1) for sentence in scope(of))
    assert {TAKING_PART, TRAINING} <= set(scope(of))
    # Given the adapters an evaluation record changes nothing of the others.
    assert (OTHERS in scope(of)) == (GIVEN in scope(of)) == (unit == "client")
    assert (RECORD_CONDITION in scope(of)) == (unit == "record")
    assert (PLAIN_CAVEAT in scope(of)) == (aggregation == "plain")
    assert (SECURE_SUM_CAVEAT in conditions(of)) == (aggregation == "secure-sum")


def test_what_is_not_protected_is_called_so():
    assert TAKING_PART.startswith("Taking part is not protected")
    assert TRAINING.startswith("What training leaks is not protected")
    assert OTHERS.startswith("Nor is what a client does to the others' numbers")
    assert "of the joint clip" in OTHERS


def test_plain_aggregation_and_a_spent_budget_are_said():
    plain = statement(plan(aggregation="plain"), 1.0, 1)
    assert "this does not hold against the server" in plain
    masked = statement(plan(aggregation="secure-sum"), 1.0, 1)
    assert "does not hold against the server" not in masked
    assert "the server received masked vectors" in masked
    assert "budget was spent" not in plain
    assert "budget was spent after round 3" in statement(plan(), 8.0, 3, stopped_after=3)
    assert "before any round was judged" in statement(plan(), 8.0, 3, stopped_after=0)


def test_a_smaller_sum_that_lies_could_give_is_said():
    def said(clients, consistency):
        of = parse_plan(
            {
                "federation": {"clients": clients},
                "modes": {"amplified_bias": {"tolerance": 0.1}},
                "privacy": {"dropout": 0.2, "secure_sum": {"consistency": consistency}},
            }
        )
        return statement(of, 1.0, 1)

    assert "sign" not in said(64, "auto")
    assert "sign" not in said(64, "on")
    assert "a sum of only 43 honest clients, which this counts on" in said(64, "off")
    # A run of an earlier version is still told of.
    assert "single vectors, which this does not count on" in said(200, "off")
    assert "sign" not in statement(plan(aggregation="plain"), 1.0, 1)
