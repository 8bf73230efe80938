"""The page stands alone, is well formed, escapes everything, and hides no uncertainty."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from unsilent.findings import ActiveInfluence, Finding, Findings, Onset, Slope
from unsilent.plan import MonitoringPlan
from unsilent.report.page import page
from unsilent.report.source import Run

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
HOSTILE = "<script>alert('x')</script><img src=x onerror=y>"


class Checker(HTMLParser):
    """Collects tags, attributes and text, and fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def test_tags_nest_and_the_page_has_what_a_phone_needs(run: Run) -> None:
    checker = parsed(page(run))
    assert ("name", "viewport") in checker.attributes
    assert ("lang", "en") in checker.attributes
    assert checker.tags.count("h1") == 1


def test_nothing_is_fetched_and_nothing_runs(run: Run) -> None:
    html = page(run)
    checker = parsed(html)
    assert not {"script", "iframe", "object", "embed"} & set(checker.tags)
    for name, value in checker.attributes:
        assert not name.startswith("on")
        assert not re.match(r"(https?:)?//", value), (name, value)
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert "default-src 'none'" in html


def test_hostile_texts_are_escaped(
    findings_with: Callable[..., Findings], judge: Callable[..., Finding], plan: MonitoringPlan
) -> None:
    open_one = judge("SF-3", 0.08, 0.12, "undetermined", reason=HOSTILE)
    html = page(Run(plan, findings_with({"SF-3": open_one}, name=HOSTILE, scenario=HOSTILE)))
    checker = parsed(html)
    assert "script" not in checker.tags
    assert "img" not in checker.tags
    assert checker.text.count(HOSTILE) >= 3


def test_every_estimate_stands_with_its_interval(run: Run) -> None:
    text = " ".join(parsed(page(run)).text.split())
    for effect, interval in (
        ("+21.4", "[14.4, 28.4]"),
        ("+8.0", "[−4.0, 20.0]"),
        ("−1.2", "[−6.2, 3.8]"),
    ):
        assert f"{effect} {interval} points" in text
        assert f"{effect} points {interval}" in text


def test_the_six_modes_have_a_tile_each_with_word_and_symbol(run: Run) -> None:
    html = page(run)
    assert html.count('<a class="tile') == 6
    assert html.count('<section class="mode"') == 6
    for shown in ("✖ FAILURE", "? UNDETERMINED", "✔ HEALTHY", "∅ NOT PLANNED"):
        assert f">{shown}<" in html


def test_a_chart_is_named_in_words(run: Run) -> None:
    html = page(run)
    assert "effect +21.4 points, interval 14.4 to 28.4, tolerance 10.0" in html
    assert "made of privacy noise (sd 2.1 points) and sampling (sd 1.2 points)" in html
    assert html.count('role="img"') == html.count("aria-label=") - 2


def test_the_influence_graph_has_all_arrows(run: Run) -> None:
    html = page(run)
    assert html.count('class="arrow primary"') == 6
    assert html.count('class="arrow feedback"') == 3


def test_window_onset_worst_case_and_liars_are_said_in_words(
    judge: Callable[..., Finding], findings_with: Callable[..., Findings], plan: MonitoringPlan
) -> None:
    failed = judge(
        "SF-1",
        0.3,
        0.05,
        "failure",
        visibility="silent",
        first_alarm_round=2,
        onset=Onset(2, 2),
        worst_case=(0.2, 0.4),
        liars=1,
        slope=Slope(0.01, (-0.02, 0.04)),
    )
    reading = ActiveInfluence("SF-1", "SF-2", "primary", "consistent with an influence")
    shown = findings_with({"SF-1": failed}, influence=(reading,))
    text = " ".join(parsed(page(Run(plan, shown))).text.split())
    assert "overrounds 1 to 2beganin round 2first alarmround 2" in text
    assert "[20.0, 40.0] for all enrolled clients, whatever the missing would have said" in text
    assert "a client that reports falsely within its range could have made another verdict" in text
    assert "+1.0 a round [−2.0, 4.0]" in text
    assert "SF-1 → SF-2 consistent with an influence" in text
    assert "worst case" not in " ".join(parsed(page(Run(plan, findings_with()))).text.split())


def test_truth_is_marked_as_simulation_and_absent_without_one(
    run: Run, findings_with: Callable[..., Findings], judge: Callable[..., Finding]
) -> None:
    assert "truth (simulation)" in page(run)
    codes = [f"SF-{number}" for number in range(1, 6)]
    real = findings_with({code: judge(code, 0.0, 0.05, "healthy") for code in codes}, scenario=None)
    html = page(Run(run.plan, real))
    assert "truth" not in html.split("</style>")[1]
    assert "unsilent run PLAN" in html


@pytest.mark.parametrize("rounds", [0, 1])
def test_history_is_drawn_only_from_two_rounds_on(
    run: Run, findings_with: Callable[..., Findings], rounds: int
) -> None:
    drawn = "always-valid band after each monitoring round"
    assert page(run).count(drawn) == 5
    short = findings_with(rounds=run.findings.rounds[-1:][:rounds])
    assert drawn not in page(Run(run.plan, short))


def test_plan_privacy_and_limits_are_there(run: Run) -> None:
    text = " ".join(parsed(page(run)).text.split())
    assert run.plan.digest in text
    assert "privacy.epsilon" in text
    assert "the server receives each client's noised vector by itself" in text
    assert "What is not protected" in text
    assert "UNDETERMINED is no evidence of failure; it is no evidence of health either" in text
    assert "unsilent demo --scenario skewed --seed 0" in text


def test_the_same_run_gives_the_same_page(run: Run) -> None:
    assert page(run) == page(run)


def test_it_says_whether_the_choice_of_probes_is_in_the_intervals(run: Run) -> None:
    monitor = run.plan.monitor.model_copy(update={"items": "these"})
    probes = run.plan.probes.model_copy(update={"sampling": "same"})
    fixed = run.plan.model_copy(update={"monitor": monitor, "probes": probes})
    text = parsed(page(replace(run, plan=fixed))).text
    assert "not in the interval" in text and "Every verdict is about these probes" in text
    text = parsed(page(run)).text
    assert "part of the interval" in text and "about probes and records like these" in text
    assert "not in the interval" not in text and "about these probes" not in text
