"""Two runs side by side: the difference, its interval, and when there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.serve.run_maker import EFFECTS, RunMaker, plan_of
from unsilent.plan import parse_plan
from unsilent.serve.compare import differences, plan_differences
from unsilent.serve.reading import RunReader, RunState


def state(folder: Path, effect: float) -> RunState:
    run = RunMaker(folder, plan_of(folder.name), {**EFFECTS, "SF-1": effect})
    return RunReader(run.judged(1, 2).folder).state()


def test_the_interval_of_a_difference_is_the_widest_that_both_allow(tmp_path: Path) -> None:
    low, high = state(tmp_path / "low", 0.0), state(tmp_path / "high", 0.4)
    found = differences(low, high)[0]
    assert low.findings is not None
    assert high.findings is not None
    first, second = low.findings.findings[0], high.findings.findings[0]
    assert first.interval is not None
    assert second.interval is not None
    assert first.effect is not None
    assert found.effect == pytest.approx((second.effect or 0.0) - first.effect)
    assert found.interval == (
        second.interval[0] - first.interval[1],
        second.interval[1] - first.interval[0],
    )
    assert found.words == "Evidence that B is worse than A."
    assert differences(high, low)[0].words == "Evidence that A is worse than B."


def test_no_difference_shown_is_not_called_none(tmp_path: Path) -> None:
    found = differences(state(tmp_path / "a", 0.1), state(tmp_path / "b", 0.1))[0]
    assert found.interval is not None
    assert found.interval[0] < 0 < found.interval[1]
    assert found.words.startswith("No difference is shown; one of up to ")


def test_modes_that_are_measured_otherwise_are_not_compared(tmp_path: Path) -> None:
    data = plan_of("b").to_json()
    data["modes"]["amplified_bias"]["clip"] = 0.6
    other = RunMaker(tmp_path / "b", parse_plan(data)).judged(1, 2)
    found = differences(state(tmp_path / "a", 0.1), RunReader(other.folder).state())
    assert found[0].effect is None
    assert found[0].words.startswith("Not comparable")
    assert found[1].words.startswith("No difference is known: one of the runs has no estimate")


def test_a_mode_that_only_one_plan_names_is_not_planned_in_the_other(tmp_path: Path) -> None:
    one, other = state(tmp_path / "a", 0.1), state(tmp_path / "b", 0.1)
    assert other.findings is not None
    seventh = replace(other.findings.findings[0], code="SF-7", mode="over_refusal")
    more = replace(other.findings, findings=(*other.findings.findings, seventh))
    for found in (
        differences(one, replace(other, findings=more)),
        differences(replace(other, findings=more), one),
    ):
        assert [each.left.code for each in found] == [each.right.code for each in found]
        assert found[-1].left.code == "SF-7"
        assert {found[-1].left.verdict, found[-1].right.verdict} == {None, seventh.verdict}
        assert found[-1].words == "No difference is known: one of the runs has no estimate."


def test_only_what_differs_in_the_plans_is_listed() -> None:
    first, second = plan_of("a", gate="observe"), plan_of("b", rounds=9)
    found = plan_differences(first, second)
    assert ("name", "a", "b") in found
    assert ("federation.rounds", "4", "9") in found
    assert ("gate.action", "not set", "hold") in found
    assert not any(key.startswith("privacy") for key, _, _ in found)
