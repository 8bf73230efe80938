"""What the demo shows first is a run of its own, and true; it needs no torch and harms no demo."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from unsilent.assets import SENTIMENT, fetch
from unsilent.commands import first_look as command
from unsilent.findings import Findings
from unsilent.first_look.federation import FirstLook
from unsilent.first_look.show import render
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plans import first_look_plan
from unsilent.progress import SilentProgress
from unsilent.report.source import read_run

pytestmark = pytest.mark.model


def small(skew: float) -> Callable[[Mapping[str, str]], MonitoringPlan]:
    def declare(pins: Mapping[str, str]) -> MonitoringPlan:
        data = first_look_plan(pins).to_json()
        data["federation"] |= {"clients": 10, "group_skew": skew}
        data["monitor"] |= {"min_cohort": 8}
        data["privacy"] |= {"epsilon": 400.0, "aggregation": "plain"}
        return parse_plan(data)

    return declare


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> tuple[FirstLook, Findings]:
    look = FirstLook(tmp_path_factory.mktemp("looked") / "run", small(0.95))
    return look, look.run(SilentProgress())


def test_the_injected_failure_is_found_and_true(looked: tuple[FirstLook, Findings]) -> None:
    bias = looked[1].findings[0]
    assert (bias.code, bias.verdict) == ("SF-1", "failure")
    assert bias.oracle is not None
    assert bias.interval is not None
    assert bias.interval[0] <= bias.oracle.effect <= bias.interval[1]
    assert bias.oracle.effect > bias.tolerance


def test_the_same_records_by_authors_of_either_group_alike_have_no_bias(tmp_path: Path) -> None:
    look = FirstLook(tmp_path / "run", small(0.5))
    bias = look.run(SilentProgress()).findings[0]
    assert bias.verdict != "failure"
    assert bias.oracle is not None
    assert abs(bias.oracle.effect) < 0.03


def test_it_leaves_a_run_that_is_read_again_and_not_run_again(
    looked: tuple[FirstLook, Findings],
) -> None:
    look, found = looked
    kept = look.kept()
    assert kept is not None
    assert kept.text() == read_run(look.out).findings.text() == found.text()


def test_it_says_what_it_is_and_that_the_demo_is_another(
    looked: tuple[FirstLook, Findings],
) -> None:
    look, found = looked
    console = Console(width=100, force_terminal=False)
    with console.capture() as said:
        console.print(render(look.plan, found, look.out, 7.2))
    text = " ".join(said.get().split())
    assert "10 clients" in text
    assert "in 7 s" in text
    assert "SF-1 Amplified bias fails" in text
    assert "truth" in text
    assert "nothing of this is in its findings, its cost or its times" in text


def test_what_goes_wrong_in_it_is_one_line_and_the_demo_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo-first-look").write_text("in the way")
    command.show_first_look(tmp_path / "demo")
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("unsilent: no first look (")
    assert "not a folder" in said


def test_it_loads_no_torch_and_no_engine() -> None:
    fetch(SENTIMENT)
    code = (
        "import sys, unsilent.first_look.federation, unsilent.first_look.show, unsilent.progress;"
        "print(sorted({'torch', 'transformers', 'flwr', 'ray', 'peft'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
