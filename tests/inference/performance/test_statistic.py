"""What one statistic is above another one: of the same records, and whatever missing ones are."""

import numpy as np
import pytest
from scipy.stats import binom

from unsilent.inference.boundary import quantile
from unsilent.inference.performance.pool import Pool, Reach
from unsilent.inference.performance.statistic import at_worst, effect_of
from unsilent.performance.cells import Question
from unsilent.performance.family import SQUARE, SUPPORT, Family
from unsilent.plan.performance import PerformancePlan, StatisticPlan


def question(**asked):
    of = StatisticPlan(of="c", tolerance=0.1, **asked)
    return Question("mine", of, "c", None, 1.0)


def pooled(counts, missing=0):
    return Pool(1, 1, 1, 9, missing, counts, 0.0, 0.0, 10)


def missed(asked, counts_of, size, truth, level):
    """Probability that either end misses, over how many of a kind were drawn of a half."""
    reach, found = Reach(quantile(level), quantile(level)), [0.0, 0.0]
    for drawn, probability in enumerate(binom.pmf(np.arange(size + 1), size, 0.5)):
        if probability < 1e-6:
            continue
        ends = effect_of(None, asked, pooled(counts_of(drawn)), reach, "again")
        found[0] += probability * (ends.lower > truth + 1e-9)
        found[1] += probability * (ends.upper < truth - 1e-9)
    return max(found)


@pytest.mark.parametrize("level", [0.025, 0.004])
def test_calibration_errors_on_either_side_are_moved_by_the_same_records(level):
    """The reference is unsure of itself and the other one too sure: outcomes move both one way."""
    asked, size = question(statistic="calibration", bins=1), 200
    before, now = asked.families(None)

    def counts_of(right):
        found = {}
        for family, score in ((before, 0.4), (now, 0.6)):
            found[family.name(SUPPORT)] = size
            found[family.name("gap.0")] = size * score - right
            found[family.name(SQUARE)] = right * (1 - score) ** 2 + (size - right) * score**2
        return found

    assert missed(asked, counts_of, size, 0.0, level) <= level


@pytest.mark.parametrize("level", [0.025, 0.004])
def test_records_that_one_adapter_ranks_first_the_other_may_rank_last(level):
    asked, size = question(statistic="auroc"), 100
    before, now = asked.families(None)

    def counts_of(first):
        found = dict.fromkeys((*before.names, *now.names), 0.0)
        for family, ahead in ((before, first), (now, size - first)):
            found[family.name("in.23")], found[family.name("in.0")] = ahead, size - ahead
            found[family.name("out.12")] = 1000.0
        return found

    # Between two and three times as often, before what records move was added up.
    assert missed(asked, counts_of, size, 0.0, level) <= level


GROUPS = PerformancePlan(
    count=10,
    groups=("a", "b", "c"),
    statistics={"m": StatisticPlan(statistic="accuracy", tolerance=0.1)},
)


def gaps(family, support, summed):
    return {
        family.name(SUPPORT): support,
        family.name("gap.0"): summed,
        family.name(SQUARE): support / 4,
    }


def worst(counts, asked, group, missing, added):
    """The upper end at worst, and the effect with records of missing clients as given."""
    named = Question("m", asked, "c", group, 1.0)
    nothing = Reach(0.0, 0.0)
    upper = effect_of(GROUPS, named, pooled(counts, missing), nothing, "none").upper
    more = {name: counts[name] + added.get(name, 0.0) for name in counts}
    effect = effect_of(GROUPS, named, pooled(more), nothing, "none").value
    return at_worst(GROUPS, named, pooled(counts, missing), upper), effect


@pytest.mark.parametrize("missing", [1, 3])
@pytest.mark.parametrize("own", [-60.0, 0.0, 30.0])
def test_gaps_of_missing_records_may_hide_those_of_what_is_compared_with(missing, own):
    """The reference is ever too sure; on the missing records it may be as much the other way."""
    asked = StatisticPlan(statistic="calibration", of="c", bins=1, tolerance=0.1)
    before, now = Question("m", asked, "c", None, 1.0).families(None)
    counts = gaps(before, 300, 60.0) | gaps(now, 300, own)
    records = 10.0 * missing
    worse = {
        **dict.fromkeys((before.name(SUPPORT), now.name(SUPPORT)), records),
        before.name("gap.0"): -records,
        now.name("gap.0"): records if own >= 0 else -records,
    }
    bound, effect = worst(counts, asked, None, missing, worse)
    assert effect <= bound + 1e-9


@pytest.mark.parametrize(("own", "others"), [(100, 300), (300, 100)])
def test_so_may_they_those_of_other_groups(own, others):
    asked = StatisticPlan(
        statistic="calibration", of="c", bins=1, by="group", compared="others", tolerance=0.1
    )
    families = {
        value: Family("gaps", "held-out", of="c", by="group", value=value, bins=1)
        for value in ("a", "b", "c")
    }
    counts = gaps(families["a"], own, 0.1 * own)
    counts |= gaps(families["b"], others, 0.2 * others) | gaps(families["c"], 10, 2.0)
    worse = {families["a"].name("gap.0"): 20.0, families["a"].name(SUPPORT): 20.0}
    worse |= {families["b"].name("gap.0"): -20.0, families["b"].name(SUPPORT): 20.0}
    bound, effect = worst(counts, asked, "a", 2, worse)
    assert effect <= bound + 1e-9


def test_a_group_beside_others_of_few_records_is_not_called_well_too_often():
    """One of ten others that is wrong by chance is no sign that so many of them are."""
    asked = StatisticPlan(statistic="accuracy", by="group", compared="others", tolerance=0.1)
    of = Question("m", asked, None, "a", 1.0)
    families = {value: of.families(value)[0] for value in ("a", "b", "c")}
    reach, size, level = Reach(3.1, 3.1), 200, 0.001
    never = 0.0
    own, rest = binom.pmf(np.arange(size + 1), size, 0.1), binom.pmf(np.arange(11), 10, 0.01)
    for wrong in range(2, 40):
        for others in range(3):
            counts = {family.name("support"): 0.0 for family in families.values()}
            counts |= {family.name("right"): 0.0 for family in families.values()}
            counts |= {families["a"].name("support"): size, families["b"].name("support"): 10.0}
            counts |= {families["a"].name("right"): size - wrong}
            counts |= {families["b"].name("right"): 10.0 - others}
            upper = effect_of(GROUPS, of, pooled(counts), reach, "anew").upper
            never += own[wrong] * rest[others] * (upper < 0.09 - 1e-9)
    assert never <= level
