"""The terminal shows all six modes whole, at the width of any terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from unsilent.findings import ActiveInfluence, Finding, Findings, Onset, SystemMetrics, Trend
from unsilent.report.source import Run
from unsilent.report.terminal import show
from unsilent.report.view import VERDICTS


def rendered(findings: Findings, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show(findings, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_is_cut_off(run: Run, width: int) -> None:
    text = rendered(run.findings, width)
    assert "…" not in text
    for piece in ("[14.4, 28.4]", "+21.4", "? UNDETERMINED", "SILENT", "LOUD", "[−6.2, 3.8]"):
        assert piece in text
    for number in range(1, 7):
        assert f"SF-{number}" in text


def test_metrics_stand_above_the_table(run: Run) -> None:
    text = rendered(run.findings)
    assert text.index("mean loss 0.610 → 0.440") < text.index("mean accuracy 0.710 → 0.800")
    assert text.index("0.710 → 0.800; no alarm") < text.index("SF-1")


def test_privacy_is_said_in_words(run: Run) -> None:
    assert "server receives each client's noised vector by itself" in " ".join(
        rendered(run.findings).split()
    )


def test_what_would_settle_an_open_verdict_is_said(run: Run) -> None:
    text = rendered(run.findings)
    assert "SF-3 ? The interval holds the tolerance." in text


def test_a_failure_says_when_it_began_and_what_it_withstands(
    judge: Callable[..., Finding], findings_with: Callable[..., Findings]
) -> None:
    failed = judge(
        "SF-1",
        0.3,
        0.05,
        "failure",
        visibility="silent",
        first_alarm_round=2,
        onset=Onset(1, 2),
        worst_case=(0.2, 0.4),
        liars=7,
    )
    reading = ActiveInfluence("SF-1", "SF-2", "primary", "consistent with an influence")
    shown = findings_with({"SF-1": failed}, influence=(reading,))
    text = " ".join(rendered(shown, 140).split())
    assert "SF-1 ✖ began in rounds 1 to 2; [20.0, 40.0] for all enrolled clients" in text
    assert "7 clients that report falsely within their range could have made another" in text
    assert "SF-1 → SF-2: consistent with an influence" in text
    assert "rounds 1–2" in rendered(shown)


def test_rounds_are_left_out_where_there_is_only_one(
    findings_with: Callable[..., Findings],
) -> None:
    assert "rounds 1–2" not in rendered(findings_with(rounds=()))


def test_truth_is_shown_only_in_simulation(
    run: Run, judge: Callable[..., Finding], findings_with: Callable[..., Findings]
) -> None:
    assert "truth" in rendered(run.findings)
    codes = [f"SF-{number}" for number in range(1, 6)]
    real = findings_with({code: judge(code, 0.0, 0.05, "healthy") for code in codes})
    assert "truth" not in rendered(real)


def test_a_verdict_against_the_truth_is_called_so(
    judge: Callable[..., Finding], findings_with: Callable[..., Findings]
) -> None:
    wrong = judge("SF-4", 0.0, 0.05, "healthy").with_oracle(0.4, 96)
    assert "+40.0 CONTRADICTS" in rendered(findings_with({"SF-4": wrong}), 100)


def test_unknown_metrics_are_not_shown_as_zero(findings_with: Callable[..., Findings]) -> None:
    unknown = SystemMetrics(Trend(None, None), Trend(None, None), alarm=False)
    text = rendered(findings_with(system_metrics=unknown))
    assert "no system metrics" in text
    assert "0.000" not in text


def test_markup_in_a_name_is_shown_as_it_is(findings_with: Callable[..., Findings]) -> None:
    assert "[bold]x[/bold]" in rendered(findings_with(name="[bold]x[/bold]"))


def test_no_two_verdicts_share_a_word_or_a_symbol() -> None:
    shown = list(VERDICTS.values())
    for attribute in ("key", "word", "symbol", "meaning"):
        assert len({getattr(each, attribute) for each in shown}) == len(shown)
    assert "Evidence of no failure" in VERDICTS["healthy"].meaning
    assert "vidence of no failure" not in VERDICTS["undetermined"].meaning
