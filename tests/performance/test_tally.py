"""A tally is what counting the records by hand gives."""

from dataclasses import replace

import numpy as np
import pytest

from tests.performance.records import answered, items, plan
from unsilent.errors import ItemError, OutcomeError
from unsilent.performance import families_of, questions_of
from unsilent.performance.family import GAINED, LOST, RIGHT, SUPPORT
from unsilent.performance.tally import Answered, score_edges, tally

OF = plan(count=60).performance


def seen(both):
    """By record: class, group, domain, and whether each adapter is right."""
    for row, item in enumerate(both.reference.items):
        picks = [table.probabilities[row].argmax() for table in (both.reference, both.personalized)]
        yield item, [pick == item.answer for pick in picks], both.personalized.probabilities[row, 1]


@pytest.fixture(scope="module")
def both():
    random = np.random.default_rng(3)
    return answered(random, items(random, 60))


@pytest.fixture(scope="module")
def counts(both):
    return tally(OF, {"held-out": both})


def question(name, group=None):
    return next(q for q in questions_of(OF) if (q.name, q.group) == (name, group))


@pytest.mark.parametrize("group", ["A", "B"])
def test_what_was_lost_and_gained_of_a_class_in_a_group(both, counts, group):
    (family,) = question("sens", group).families(group)
    there = [s for s in seen(both) if s[0].answer == 1 and s[0].group == group]
    assert counts[family.name(SUPPORT)] == len(there) > 3
    assert counts[family.name(RIGHT)] == sum(now for _, (_, now), _ in there)
    assert counts[family.name(LOST)] == sum(was and not now for _, (was, now), _ in there)
    assert counts[family.name(GAINED)] == sum(now and not was for _, (was, now), _ in there)


def test_specificity_is_of_all_that_are_not_of_the_class(both, counts):
    (family,) = question("spec").families(None)
    there = [s for s in seen(both) if s[0].answer == 0]
    assert counts[family.name(SUPPORT)] == len(there)
    assert counts[family.name(RIGHT)] == sum(now for _, (_, now), _ in there)


def test_each_score_lies_in_one_bin(both, counts):
    (family,) = question("auc").families(None)
    edges = score_edges(family.bins)
    for side, answer in (("in", 1), ("out", 0)):
        scores = [score for item, _, score in seen(both) if item.answer == answer]
        places = np.searchsorted(edges, scores, side="right")
        expected = np.bincount(places, minlength=family.bins)
        assert [counts[family.name(f"{side}.{at}")] for at in range(family.bins)] == list(expected)


def test_gaps_are_confidence_minus_correctness(both, counts):
    (family,) = question("cal").families(None)
    table = both.personalized.probabilities
    gaps = table.max(axis=1) - [now for _, (_, now), _ in seen(both)]
    bins = np.minimum((table.max(axis=1) * 10).astype(int), 9)
    for at in range(10):
        assert counts[family.name(f"gap.{at}")] == pytest.approx(gaps[bins == at].sum())
    assert counts[family.name("square")] == pytest.approx((gaps**2).sum())


def test_a_mix_adds_up_to_all_records_and_words_to_one_a_record(counts):
    mixes = [f for f in families_of(OF) if f.what in ("mix", "words")]
    assert len(mixes) == 4
    for family in mixes:
        parts = [p for p in family.parts if p != "length"]
        assert sum(counts[family.name(part)] for part in parts) == pytest.approx(60)


def test_who_has_no_records_counts_none():
    assert set(tally(OF, {}).values()) == {0.0}
    assert tally(None, {}) == {}


def test_a_site_counts_in_its_class_alone(both):
    of = plan(
        count=60,
        statistics={"s": {"statistic": "accuracy", "by": "site", "tolerance": 0.1}},
    ).performance
    for site, there in (("BIG ", 60.0), ("other", 0.0), (None, 0.0)):
        counted = tally(of, {"held-out": both}, site=site)
        assert counted["records:held-out:accuracy::site:big:support"] == there
        assert counted["records:held-out:accuracy::site:small:support"] == 0


def test_of_too_many_records_so_many_are_drawn_by_their_places(both):
    few = plan(count=16).performance
    name = "records:held-out:accuracy::all::support"
    first, again = (tally(few, {"held-out": both}, words="a round") for _ in range(2))
    other = tally(few, {"held-out": both}, words="another round")
    assert first[name] == 16
    assert first == again != other
    # What one record says decides nothing of which are drawn.
    turned = replace(both.reference.items.items[0], prompt="other words")
    changed = replace(both.reference.items, items=(turned, *both.reference.items.items[1:]))
    swapped = Answered(
        replace(both.reference, items=changed), replace(both.personalized, items=changed)
    )
    after = tally(few, {"held-out": swapped}, words="a round")
    assert {k: v for k, v in after.items() if ":words:" not in k} == {
        k: v for k, v in first.items() if ":words:" not in k
    }


def test_a_record_without_an_answer_is_named_by_its_place(both):
    bare = replace(both.reference.items.items[1], answer=None, id="secret")
    of = replace(both.reference.items, items=(both.reference.items.items[0], bare))
    table = np.full((2, 2), 0.5)
    outcomes = replace(both.reference, items=of, probabilities=table)
    with pytest.raises(ItemError, match="record 2") as caught:
        tally(OF, {"held-out": Answered(outcomes, outcomes)})
    assert "secret" not in str(caught.value)


def test_two_adapters_on_different_records_are_refused(both):
    fewer = both.personalized.where(lambda item: item.answer == 1)
    with pytest.raises(OutcomeError, match="different records"):
        Answered(both.reference, fewer)
