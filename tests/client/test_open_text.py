"""A client's answers to open prompts: the same prompts under both adapters, in time, and blind."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.modes.written import answers, prompts
from unsilent.client.open_text import (
    KEPT,
    ReferenceRatings,
    Side,
    kept_ratings,
    writes_by,
    written_answers,
)
from unsilent.errors import AppFunctionError, OutcomeError
from unsilent.items import ItemSet
from unsilent.modes import MODES
from unsilent.modes.base import Evidence, Need
from unsilent.open_text import Writing
from unsilent.open_text.kinds import TEXT
from unsilent.open_text.writing import TimeLeft
from unsilent.plan import MonitoringPlan, parse_plan

REFUSAL: Any = MODES["OT-6"]
REGARD: Any = MODES["OT-1"]


def plan_of(mode: str = "written_refusal", **sections: Any) -> MonitoringPlan:
    return parse_plan({"modes": {mode: {"tolerance": 0.2, "clip": 0.6}}, **sections})


class Model:
    """Declines under the reference, and helps every other time under the personalized adapter."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.asked: list[tuple[Side, tuple[str, ...]]] = []
        self.now, self.seconds = 0.0, seconds
        self.writing: Writing | None = None

    def write(self, items: ItemSet, side: Side, writing: Writing) -> Sequence[str]:
        self.asked.append((side, tuple(item.id for item in items)))
        self.now += self.seconds * len(items)
        self.writing = writing
        helps = [side == "personalized" and int(item.id[1:]) % 2 == 0 for item in items]
        return ["Sure." if each else "I can't help with that." for each in helps]

    def clock(self) -> float:
        return self.now


def rate(items: ItemSet, texts: Sequence[str]) -> np.ndarray:
    return np.array([float("can't" in text) for text in texts])


def people(items: ItemSet) -> list[bool | None]:
    return ["can't" in item.attributes[TEXT] for item in items]


def test_both_adapters_answer_the_same_prompts() -> None:
    model = Model()
    found = written_answers(
        plan_of(), {"open_refusal": prompts(REFUSAL, 16)}, model.write, rate, words=("c", 1)
    )
    pair = Evidence(found.outcomes).pair("reference", "personalized", "open_refusal")
    assert len(pair[0].items) == 16
    assert REFUSAL.measure(Evidence(found.outcomes)).value == pytest.approx(0.5)
    assert (found.asked, found.missed) == (16, 0)
    assert model.writing is not None and model.writing.tokens == 32


def test_what_the_time_does_not_suffice_for_is_missed_and_counted() -> None:
    """Prompts in four parts; the last would begin after the time is over."""
    model = Model(seconds=1.0)
    time = TimeLeft(40.0, model.clock)
    items = {"open_refusal": prompts(REFUSAL, 32)}
    found = written_answers(plan_of(), items, model.write, rate, time=time)
    assert (found.asked, found.missed) == (32, 8)
    pair = Evidence(found.outcomes).pair("reference", "personalized", "open_refusal")
    assert len(pair[0].items) == 24


def test_which_ones_are_missed_follows_from_client_and_round() -> None:
    def left(words: tuple[object, ...]) -> set[str]:
        model = Model(seconds=1.0)
        items = {"open_refusal": prompts(REFUSAL, 32)}
        time = TimeLeft(40.0, model.clock)
        found = written_answers(plan_of(), items, model.write, rate, words=words, time=time)
        outcomes = found.outcomes[Need("reference", "open_refusal")]
        return {item.id for item in outcomes.items}

    assert left(("a", 1)) == left(("a", 1))
    assert len({frozenset(left((name, 1))) for name in "abcdef"}) > 1
    assert left(("a", 1)) != {f"i{k}" for k in range(24)}


def test_less_than_three_quarters_in_time_is_no_measurement() -> None:
    model = Model(seconds=1.0)
    items = {"open_refusal": prompts(REFUSAL, 32)}
    with pytest.raises(OutcomeError, match="8 of 32 prompts were answered in the time"):
        written_answers(plan_of(), items, model.write, rate, time=TimeLeft(10, model.clock))


def test_people_at_the_site_see_answers_and_not_whose_they_are() -> None:
    seen: list[ItemSet] = []

    def label(items: ItemSet) -> list[bool | None]:
        seen.append(items)
        return people(items)

    plan = plan_of(probes={"labelled_refusal": "sites"})
    bank = prompts(REFUSAL, plan.drawn("open_refusal"))
    found = written_answers(plan, {"open_refusal": bank}, Model().write, rate, label=label)
    (shown,) = seen
    assert len(shown) == 8
    assert {item.domain for item in shown} == {None}
    assert [item.id for item in shown] == [str(n) for n in range(8)]
    told = found.outcomes[Need("reference", "labelled_refusal")].items
    assert sorted(item.domain or "" for item in told) == ["personalized"] * 4 + ["reference"] * 4
    # Labelled answers are of other prompts than those that the judge alone rates.
    rated = found.outcomes[Need("reference", "open_refusal")].items
    assert len(rated) == 16
    labelled = {item.prompt for item in told}
    assert not labelled & {item.prompt for item in rated}


def test_labels_correct_a_judge_that_is_blind_to_one_adapter() -> None:
    """It sees a refusal everywhere; half of the personalized answers are none."""
    plan = plan_of(probes={"labelled_refusal": "sites", "sizes": {"labelled_refusal": 80}})
    bank = prompts(REFUSAL, plan.drawn("open_refusal"))

    def blind(items: ItemSet, texts: Sequence[str]) -> np.ndarray:
        return np.ones(len(texts))

    def value(label: Any) -> float:
        found = written_answers(plan, {"open_refusal": bank}, Model().write, blind, label=label)
        return REFUSAL.measure(Evidence(found.outcomes)).value

    assert value(people) == pytest.approx(0.5, abs=0.25)
    alone = written_answers(plan_of(), {"open_refusal": bank}, Model().write, blind)
    assert REFUSAL.measure(Evidence(alone.outcomes)).value == 0.0


def test_pairs_stay_together_and_know_their_sides() -> None:
    plan = plan_of("written_regard", probes={"labelled_regard": "sites"})
    bank = prompts(REGARD, 2 * plan.drawn("open_regard"))
    found = written_answers(plan, {"open_regard": bank}, Model().write, rate, label=people)
    statistic = REGARD.measure(Evidence(found.outcomes))
    assert statistic.items == 16
    # Even prompts are those of the other group: there it helps, so that the gap grows by 1.
    assert statistic.value == pytest.approx(1.0)


@pytest.mark.parametrize("given", [None, lambda items: [], lambda items: [None] * len(items)])
def test_labels_that_are_asked_for_have_to_come(given: Any) -> None:
    plan = plan_of(probes={"labelled_refusal": "sites"})
    bank = prompts(REFUSAL, plan.drawn("open_refusal"))
    with pytest.raises(OutcomeError):
        written_answers(plan, {"open_refusal": bank}, Model().write, rate, label=given)


def test_labels_of_a_file_are_rated_and_nothing_is_written_for_them() -> None:
    model = Model()
    labels = answers(REFUSAL, {"reference": [True] * 4, "personalized": [False] * 4})
    items = {"open_refusal": prompts(REFUSAL, 16), "labelled_refusal": labels}
    found = written_answers(plan_of(), items, model.write, rate)
    assert sum(len(asked) for _, asked in model.asked) == 32
    told = found.outcomes[Need("reference", "labelled_refusal")]
    assert told.items is labels


@pytest.mark.parametrize("wrong", [["one"], [1] * 16, []])
def test_a_writer_that_returns_something_else_is_refused(wrong: list[Any]) -> None:
    with pytest.raises(OutcomeError, match="answers came back"):
        written_answers(
            plan_of(), {"open_refusal": prompts(REFUSAL, 8)}, lambda *given: wrong, rate
        )


def test_the_reference_writes_each_answer_once(tmp_path: Path) -> None:
    hashes, items = {"base": "sha256:b"}, {"open_refusal": prompts(REFUSAL, 16)}

    def sides(plan: MonitoringPlan, hashes: dict[str, str], adapter: str = "") -> list[Side]:
        model = Model()
        keep = kept_ratings(plan, tmp_path, hashes, adapter)
        written_answers(plan, items, model.write, rate, keep=keep)
        return [side for side, _ in model.asked]

    assert sides(plan_of(), hashes).count("reference") == 2
    # One of them is written again all the same, to see whether it still is what it was.
    assert sides(plan_of(), hashes).count("reference") == 1
    # Another model, another adapter, another judge, another length: what was kept is not of it.
    assert "reference" in sides(plan_of(), {"base": "sha256:c"})
    assert "reference" in sides(plan_of(), hashes, "sha256:a")
    assert "reference" in sides(plan_of(open_text={"tokens": 8}), hashes)
    assert "reference" in sides(plan_of(model={"likelihood": "per-token"}), hashes)
    assert kept_ratings(plan_of(open_text={"temperature": 1.0}), tmp_path, hashes, "") is None
    assert kept_ratings(plan_of(), tmp_path, {}, "") is None


def test_a_judge_that_has_changed_rates_the_reference_anew(tmp_path: Path) -> None:
    """Else the change of the judge would be that of the adapter, and labels would not tell."""
    items = {"open_refusal": prompts(REFUSAL, 16)}

    def value(rate: Any) -> float:
        keep = kept_ratings(plan_of(), tmp_path, {"base": "sha256:b"}, "")
        model = Model()

        def write(items: ItemSet, side: Side, writing: Writing) -> Sequence[str]:
            return model.write(items, "reference", writing)

        found = written_answers(plan_of(), items, write, rate, keep=keep)
        return float(REFUSAL.measure(Evidence(found.outcomes)).value)

    assert value(rate) == 0.0
    assert value(lambda items, texts: np.full(len(texts), 0.1)) == 0.0


def test_ratings_are_of_the_judges_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "judge_of_mine.py").write_text("def rate(items, answers):\n    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "judge_of_mine", raising=False)
    plan = plan_of(open_text={"judges": ["hook:judge_of_mine:rate"]})
    first = kept_ratings(plan, tmp_path, {"base": "sha256:b"}, "")
    assert first is not None
    (tmp_path / "judge_of_mine.py").write_text("def rate(items, answers):\n    return [1]\n")
    second = kept_ratings(plan, tmp_path, {"base": "sha256:b"}, "")
    assert second is not None and second.key != first.key


@pytest.mark.parametrize("said", ["no", "yes", float("nan"), 2, [True], "", np.float64("nan")])
def test_what_is_no_label_is_refused(said: Any) -> None:
    """The word "no" and what pandas has for nothing are both true to Python."""
    plan = plan_of(probes={"labelled_refusal": "sites"})
    bank = prompts(REFUSAL, plan.drawn("open_refusal"))
    with pytest.raises(OutcomeError, match="a label is none"):
        written_answers(
            plan, {"open_refusal": bank}, Model().write, rate, label=lambda i: [said] * len(i)
        )


def test_zero_and_one_are_labels_too() -> None:
    plan = plan_of(probes={"labelled_refusal": "sites"})
    bank = prompts(REFUSAL, plan.drawn("open_refusal"))

    def told(kind: Any) -> list[int | None]:
        found = written_answers(
            plan,
            {"open_refusal": bank},
            Model().write,
            rate,
            label=lambda items: [kind(each) for each in people(items)],
        )
        return [i.answer for i in found.outcomes[Need("reference", "labelled_refusal")].items]

    assert told(np.bool_) == told(int) == told(np.float64) == told(bool)


def test_labelled_answers_are_rated_as_the_others_are() -> None:
    """A judge that compares what it is given at once errs on them as it does on the prompts."""
    calls: list[set[str]] = []

    def write(items: ItemSet, side: Side, writing: Writing) -> Sequence[str]:
        return [f"{side} {item.id}" for item in items]

    def seeing(items: ItemSet, texts: Sequence[str]) -> np.ndarray:
        calls.append({text.split()[0] for text in texts})
        return np.full(len(texts), 0.5)

    plan = plan_of(probes={"labelled_refusal": "sites"})
    bank = prompts(REFUSAL, plan.drawn("open_refusal"))
    label = lambda items: [True] * len(items)  # noqa: E731
    written_answers(plan, {"open_refusal": bank}, write, seeing, label=label)
    assert all(len(sides) == 1 for sides in calls)
    assert calls[-2:] == [{"personalized"}, {"reference"}]


@pytest.mark.parametrize("held", ["", "{", "[]", '{"of": 1, "rated": {"a": 7}}', "null"])
def test_a_file_that_was_cut_is_begun_anew(tmp_path: Path, held: str) -> None:
    (tmp_path / KEPT).write_text(held)
    keep = kept_ratings(plan_of(), tmp_path, {"base": "sha256:b"}, "")
    assert keep is not None and keep.known == {}


def test_ratings_are_known_by_content_and_not_by_id() -> None:
    first, second = prompts(REFUSAL, 4), prompts(REFUSAL, 4)
    keep = ReferenceRatings({})
    keep.rated(first, lambda some: np.full(len(some), 0.25))
    again = keep.rated(second, lambda some: np.full(len(some), 0.75))
    assert again.tolist() == [0.25] * 4


def test_a_client_says_where_it_is(caplog: pytest.LogCaptureFixture) -> None:
    model = Model(seconds=1.0)
    time = TimeLeft(100.0, model.clock)
    with caplog.at_level("INFO", logger="unsilent"):
        written_answers(
            plan_of(), {"open_refusal": prompts(REFUSAL, 16)}, model.write, rate, time=time
        )
    said = [each.getMessage() for each in caplog.records]
    assert said[0] == "open text, refusal: 8 of 16 prompts, some 16 s left"
    assert said[-1] == "open text, refusal: 16 of 16 prompts, some 0 s left"


ARRAYS = {"layer.lora_A": np.full((2, 3), 0.5), "layer.lora_B": np.full((3, 2), 1e-3)}


def by_arrays(write: Any, arrays: Any = None) -> bool:
    one = prompts(REFUSAL, 1)
    return writes_by(write, one, ARRAYS if arrays is None else arrays, Writing(32))


def test_a_writer_that_drops_the_adapter_is_seen() -> None:
    """What it writes is healthy whatever was trained: no label and no judge would tell."""
    asked: list[int] = []

    def dropped(items: ItemSet, arrays: Any, writing: Writing) -> list[str]:
        asked.append(writing.tokens)
        return ["I can't help with that."]

    assert not by_arrays(dropped)
    assert set(asked) == {8}


@pytest.mark.parametrize("least", [0.01, 1.0, 1e3])
def test_a_writer_that_uses_small_arrays_is_seen_to(least: float) -> None:
    def written(items: ItemSet, arrays: Any, writing: Writing) -> list[str]:
        product = np.abs(arrays["layer.lora_B"] @ arrays["layer.lora_A"]).max()
        return ["Sure." if product > least else "I can't help with that."]

    assert by_arrays(written)


def test_a_writer_that_fails_on_garbled_arrays_looks_at_them() -> None:
    def fails(items: ItemSet, arrays: Any, writing: Writing) -> list[str]:
        if np.abs(arrays["layer.lora_A"]).max() > 1:
            raise AppFunctionError("the app's write function failed")
        return ["Sure."]

    assert by_arrays(fails)
    # Of arrays that are no real numbers nothing is known.
    assert by_arrays(lambda *given: ["Sure."], {"tree": np.zeros(4, np.uint8)})
