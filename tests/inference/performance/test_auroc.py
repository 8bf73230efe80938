"""AUROC from binned private sums: scikit-learn's on the pooled records lies within the interval."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from tests.inference.performance.simulated import binned, pool
from unsilent.inference.boundary import quantile
from unsilent.inference.performance.auroc import auroc
from unsilent.inference.performance.pool import Pool, Reach
from unsilent.performance.family import Family
from unsilent.performance.tally import score_edges

FAMILY = Family("scores", "held-out", of="c", bins=24)
EDGES = score_edges(24)
REPEATS = 120


def drawn(random, size, shift):
    scores = [1 / (1 + np.exp(-random.normal(mean, 1.5, size))) for mean in (shift, -shift)]
    counts = [binned(each, EDGES, 24) for each in scores]
    seen = {
        (FAMILY, f"{side}.{at}"): float(count)
        for side, each in zip(("in", "out"), counts, strict=True)
        for at, count in enumerate(each)
    }
    exact = roc_auc_score([1] * size + [0] * size, np.concatenate(scores))
    return seen, float(exact)


@pytest.mark.parametrize("shift", [0.0, 0.9, 3.0])
def test_of_these_records_it_is_what_scikit_learn_finds(shift):
    """Bins hide which of a pair in one bin is larger: with no noise the exact one is within."""
    random, reach = np.random.default_rng(1), Reach(2.0, 2.0)
    for _ in range(20):
        seen, exact = drawn(random, 200, shift)
        ends = auroc(pool(random, seen, 0.0), (FAMILY,), reach, "none")
        assert ends.lower - 1e-9 <= exact <= ends.upper + 1e-9
        assert ends.upper - ends.lower < 0.12
        assert ends.value == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(("noise", "size"), [(3.0, 300), (8.0, 1500)])
def test_with_noise_it_holds_that_as_often_as_promised(noise, size):
    random, reach = np.random.default_rng(2), Reach(quantile(0.025), quantile(0.025))
    out = 0
    for _ in range(REPEATS):
        seen, exact = drawn(random, size, 0.9)
        ends = auroc(pool(random, seen, noise), (FAMILY,), reach, "none")
        out += not ends.lower <= exact <= ends.upper
    assert out <= 0.05 * REPEATS + 3 * np.sqrt(0.05 * REPEATS)


@pytest.mark.parametrize(("shift", "size"), [(0.9, 40), (3.0, 100), (0.0, 200)])
def test_of_records_like_these_it_holds_the_true_one(shift, size):
    from math import erf

    truth = 0.5 * (1 + erf(2 * shift / (1.5 * 2)))
    random, reach = np.random.default_rng(3), Reach(quantile(0.025), quantile(0.025))
    out = 0
    for _ in range(REPEATS):
        seen, _ = drawn(random, size, shift)
        ends = auroc(pool(random, seen, 1.0), (FAMILY,), reach, "again")
        out += not ends.lower <= truth <= ends.upper
    assert out <= 0.05 * REPEATS + 3 * np.sqrt(0.05 * REPEATS)


def test_few_of_either_kind_say_nothing():
    seen, _ = drawn(np.random.default_rng(0), 4, 0.9)
    ends = auroc(pool(np.random.default_rng(0), seen, 0.0), (FAMILY,), Reach(2.0, 2.0), "again")
    assert ends == (0.5, 0.0, 1.0)


def test_all_pairs_in_order_are_no_certainty():
    seen = {(FAMILY, f"{side}.{at}"): 0.0 for side in ("in", "out") for at in range(24)}
    seen |= {(FAMILY, "in.20"): 30.0, (FAMILY, "out.3"): 30.0}
    ends = auroc(pool(np.random.default_rng(0), seen, 0.0), (FAMILY,), Reach(3.0, 3.0), "again")
    assert ends.value == 1
    assert 0.6 < ends.lower < 0.95


@pytest.mark.parametrize(("size", "far"), [(20, 0.2), (60, 0.1), (150, 0.2)])
@pytest.mark.parametrize("level", [0.025, 0.004])
def test_few_records_that_rank_far_off_are_allowed_for(size, far, level):
    """Some of a class come last, all others first; it is added up over how many were drawn."""
    reach = Reach(quantile(level), quantile(level))
    missed = [0.0, 0.0]
    for last, probability in enumerate(binom.pmf(np.arange(size + 1), size, far)):
        if probability < 1e-6:
            continue
        seen = dict.fromkeys(FAMILY.names, 0.0)
        seen |= {FAMILY.name("in.0"): last, FAMILY.name("in.23"): size - last}
        seen[FAMILY.name("out.12")] = 10.0 * size
        for side, turned in enumerate((False, True)):
            counts = seen
            if turned:
                # The same with the classes' order turned round: few that come first.
                counts = seen | {FAMILY.name("in.0"): size - last, FAMILY.name("in.23"): last}
            ends = auroc(Pool(1, 1, 1, 9, 0, counts, 0.0, 0.0, 9), (FAMILY,), reach, "again")
            truth = far if turned else 1 - far
            out = ends.upper < truth - 1e-9 if turned else ends.lower > truth + 1e-9
            missed[side] += probability * out
    assert max(missed) <= level
