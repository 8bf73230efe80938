"""The plan's table of performance: what it refuses, and that it is part of the digest."""

import pytest

from tests.performance.records import plan
from unsilent.errors import PlanError
from unsilent.performance import questions_of
from unsilent.plan import parse_plan

SENS = {"statistic": "sensitivity", "of": "positive", "tolerance": 0.1}


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        ({"statistic": "sensitivity"}, "is of a class"),
        ({"statistic": "accuracy", "of": "positive"}, "of no class"),
        ({**SENS, "by": "class"}, "leave one of the two out"),
        ({**SENS, "compared": "others"}, "compares groups"),
        ({**SENS, "bins": 4}, "bins"),
        ({"statistic": "auroc", "of": "positive", "bins": 1}, "needs two"),
        ({**SENS, "tolerance": 0.0}, "tolerance"),
    ],
)
def test_a_statistic_that_says_too_little_or_too_much_is_refused_by_its_key(statistic, said):
    with pytest.raises(PlanError, match=said) as caught:
        plan(statistics={"mine": {"tolerance": 0.1, **statistic}})
    assert "performance.statistics.mine" in str(caught.value)


def test_groups_have_to_be_listed():
    with pytest.raises(PlanError, match="list performance"):
        plan(statistics={"mine": {**SENS, "by": "group"}}, groups=[], drift=[])
    with pytest.raises(PlanError, match="no others"):
        plan(statistics={"m": {**SENS, "by": "group", "compared": "others"}}, groups=["A"])
    with pytest.raises(PlanError, match="list performance"):
        plan(sites=[], statistics={"m": {**SENS, "by": "site"}})
    with pytest.raises(PlanError, match="listed twice"):
        plan(groups=["A", "a"])
    with pytest.raises(PlanError, match="listed twice"):
        plan(groups=["A", "A "])


@pytest.mark.parametrize("other", ["Positive", "positive "])
def test_a_class_has_one_spelling(other):
    """Else a record of it would be counted under each, and move the counts by more than one may."""
    again = {**SENS, "of": other}
    with pytest.raises(PlanError, match=r"performance.*spell it as there") as caught:
        plan(statistics={"first": SENS, "second": again})
    assert "statistics.second.of" in str(caught.value)
    with pytest.raises(PlanError, match="spell it as there"):
        plan(statistics={"of": again})
    assert plan(statistics={"first": SENS, "second": SENS})


def test_clients_like_these_are_refused():
    with pytest.raises(PlanError, match="enrolled"):
        plan(monitor={"population": "like-these"})


def test_it_is_part_of_the_digest_and_reads_back():
    of = plan()
    assert parse_plan(of.to_json()) == of
    assert of.digest != plan(count=17).digest
    # What is worked out once for a plan is found again.
    assert {of: 1}[parse_plan(of.to_json())] == 1
    assert [q.key for q in questions_of(of.performance)][:3] == ["sens/A", "sens/B", "spec"]


def gated(**gate):
    return parse_plan({**plan().to_json(), "gate": {"action": "hold", **gate}})


def test_a_gate_counts_statistics_that_are_declared():
    assert gated(statistics=["sens"]).gate.statistics == ("sens",)
    with pytest.raises(PlanError, match=r"sense.*declared are sens, spec"):
        gated(statistics=["sense"])
    with pytest.raises(PlanError, match="twice"):
        gated(statistics=["sens", "sens"])
    data = gated(statistics=["sens"]).to_json()
    with pytest.raises(PlanError, match="none is declared"):
        parse_plan({key: each for key, each in data.items() if key != "performance"})


def test_a_gate_that_counts_none_is_written_as_before():
    assert "statistics" not in gated().to_json()["gate"]
    counting = gated(statistics=["sens"])
    assert parse_plan(counting.to_json()) == counting
    assert len({gated().digest, counting.digest, plan().digest}) == 3
