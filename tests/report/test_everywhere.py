"""One run says the same wherever it is shown: no page, command or file is silent on a failure."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.report.conftest import finding, judged
from unsilent.alerts.state import TOLD, alert_of
from unsilent.cli import main
from unsilent.evidence.derived import derived
from unsilent.findings import Drift, Finding, PerformanceFinding, write_findings
from unsilent.findings.finding import Verdict
from unsilent.ledger import Ledger
from unsilent.ledger.events import PlanDeclared, RoundJudged
from unsilent.ledger.run_view import RunView
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.export import every_eval_ever, model_card
from unsilent.report.page import page
from unsilent.report.source import read_run
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places
from unsilent.serve.reading import RunReader

CODES = ("SF-1", "SF-2", "SF-3", "SF-4", "SF-5")
MODES = (
    "amplified_bias",
    "confidence_miscalibration",
    "fairness_collapse",
    "adaptation_misalignment",
    "out_of_domain_degradation",
)
EFFECTS: dict[Verdict, float] = {"failure": 0.3, "healthy": 0.0, "undetermined": 0.1}
DRIFT = Drift("classes", "held-out", (1, 1), (2, 2), 0.4, (0.3, 0.5), True, {"positive": 0.1})


def plan_of(gate: dict[str, object] | None = None) -> MonitoringPlan:
    asked = {"statistic": "sensitivity", "of": "positive", "by": "group", "tolerance": 0.1}
    return parse_plan(
        {
            "name": "ward",
            "federation": {"clients": 96, "rounds": 4},
            "modes": {key: {"tolerance": 0.1} for key in MODES},
            "performance": {
                "count": 40,
                "classes": ["positive", "negative"],
                "groups": ["A", "B"],
                "drift": ["classes"],
                "statistics": {"sens": asked},
            },
            "gate": gate or {},
        }
    )


def mode(code: str, verdict: Verdict) -> Finding:
    more: dict[str, object] = {}
    if verdict == "undetermined":
        more = {"reason": "The interval holds the tolerance."}
    if verdict == "failure":
        more = {"visibility": "silent", "first_alarm_round": 1}
    return judged(code, EFFECTS[verdict], 0.05, verdict, **more)


def statistic(group: str, verdict: Verdict) -> PerformanceFinding:
    effect = EFFECTS[verdict]
    return PerformanceFinding(
        "sens", "sensitivity", "positive", "group", group, "reference", "held-out", 0.1, 96,
        verdict, effect, (effect - 0.05, effect + 0.05), (1, 1), 0.8,
        support=300.0, reason="Too few records." if verdict == "undetermined" else None,
        first_alarm_round=1 if verdict == "failure" else None,
    )  # fmt: skip


def written(
    folder: Path, modes: Sequence[Verdict], groups: Sequence[Verdict], plan: MonitoringPlan
) -> Path:
    """A run's folder with ledger and findings, which has these verdicts."""
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps(plan.to_json()), encoding="utf-8")
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.record(PlanDeclared.of(plan))
    found = [mode(code, verdict) for code, verdict in zip(CODES, modes, strict=True)]
    found.append(finding("SF-6", reason="The plan leaves this mode out."))
    performed = [statistic(group, verdict) for group, verdict in zip("AB", groups, strict=True)]
    ledger.record(
        RoundJudged(
            1,
            96,
            [each.to_json() for each in found],
            [each.to_json() for each in performed],
            [DRIFT.to_json()],
        )
    )
    shown = RunReader(folder).state().findings
    assert shown is not None
    write_findings(folder / "findings.json", shown)
    return folder


def browser(folder: Path) -> TestClient:
    return TestClient(make_app(Places([folder]), Access(frozenset({"testserver"}))))


def everywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, str]]:
    """Each place that shows a run, by name, as the text that a person reads."""
    run = read_run(folder)
    view = RunView(Ledger(folder / "ledger.sqlite", read_only=True))
    yield "report", page(run)
    yield "notebook", run.findings._repr_html_()
    yield "model card", model_card(run)
    yield "pack", derived(run.plan, run.findings, view, datetime.now(UTC))["summary.md"].decode()
    with browser(folder) as client:
        yield "dashboard", client.get(f"/runs/{folder.name}").text
    capsys.readouterr()
    assert main(["findings", str(folder)]) == 0
    yield "terminal", capsys.readouterr().out


HEALTHY: tuple[Verdict, ...] = ("healthy",) * 5
CASES: list[tuple[tuple[Verdict, ...], tuple[Verdict, Verdict]]] = [
    (HEALTHY, ("healthy", "failure")),
    (HEALTHY, ("undetermined", "healthy")),
    (("failure", "undetermined", "healthy", "healthy", "failure"), ("failure", "undetermined")),
]


@pytest.mark.parametrize(("modes", "groups"), CASES)
def test_every_place_tells_every_verdict(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    modes: tuple[Verdict, ...],
    groups: tuple[Verdict, Verdict],
) -> None:
    folder = written(tmp_path / "ward", modes, groups, plan_of())
    counts = ", ".join(
        f"{groups.count(verdict)} {verdict.upper()}"
        for verdict in ("failure", "undetermined", "healthy")
        if verdict in groups
    )
    for name, text in everywhere(folder, capsys):
        told = " ".join(html.unescape(text).split())
        assert f"Performance on records: {counts}." in told, name
        # A terminal's column breaks the rest of the line.
        assert told.count("sensitivity of") >= 2, name
        assert "have changed" in told, name
        assert told.count("FAILURE") >= modes.count("failure") + groups.count("failure"), name


@pytest.mark.parametrize(("modes", "groups"), CASES)
def test_decision_exit_code_and_alert_agree(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    modes: tuple[Verdict, ...],
    groups: tuple[Verdict, Verdict],
) -> None:
    folder = written(tmp_path / "ward", modes, groups, plan_of())
    every = {*modes, *groups}
    gates = {
        gate: main(["findings", str(folder), "--json", "--fail-on", gate])
        for gate in ("failure", "undetermined")
    }
    assert gates == {
        "failure": 3 if "failure" in every else 0,
        "undetermined": 3 if every - {"healthy"} else 0,
    }
    capsys.readouterr()
    ledger = Ledger(folder / "ledger.sqlite")
    (told,) = [alert_of(ledger, each) for each in ledger.entries() if each.kind in TOLD]
    assert every <= told.words
    with browser(folder) as client:
        shown = client.get(f"/runs/{folder.name}/findings.json").json()
        chips = client.get("/").text
    assert [each["verdict"] for each in shown["performance"]] == list(groups)
    for group, verdict in zip("AB", groups, strict=True):
        assert f'<span class="chip {verdict}"><b>sens/{group}</b>' in chips


def test_a_run_under_way_tells_performance_too(tmp_path: Path) -> None:
    folder = written(tmp_path / "ward", HEALTHY, ("healthy", "failure"), plan_of())
    (folder / "findings.json").unlink()
    with browser(folder) as client:
        text = html.unescape(client.get("/runs/ward").text)
    assert "Performance on records fails: sens/B" in text
    assert "may let clients use" not in text


def test_a_compared_verdict_has_its_limits_beside_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, HEALTHY, ("healthy", "healthy"), plan_of())
    with browser(tmp_path) as client:
        text = client.get("/compare?run=a&run=b").text
    assert text.count("each client counted with") == 10


def test_a_model_card_and_a_record_have_the_limits_of_a_verdict(tmp_path: Path) -> None:
    run = read_run(written(tmp_path / "ward", HEALTHY, ("healthy", "failure"), plan_of()))
    rows = [line for line in model_card(run).splitlines() if line.startswith("| SF-")]
    assert all("each client counted with" in row for row in rows[:5])
    record = every_eval_ever(run, retrieved=1, organization="ward")
    details = record["evaluation_results"][0]["score_details"]["details"]
    assert "each client counted with" in details["limits"]
    told = record["source_metadata"]["additional_details"]["performance_on_records"]
    assert told == "sens/A: healthy, sens/B: failure"


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({}, "The gate does not look at them."),
        ({"action": "hold", "statistics": ["sens"]}, "The gate looks at sens."),
    ],
)
def test_the_report_says_whether_the_gate_looks_at_performance(
    tmp_path: Path, gate: dict[str, object], words: str
) -> None:
    folder = written(tmp_path / "ward", HEALTHY, ("healthy", "failure"), plan_of(gate))
    assert words in page(read_run(folder))
    with browser(folder) as client:
        assert words in client.get("/runs/ward").text


def test_the_action_tells_performance(tmp_path: Path) -> None:
    from tests.examples.test_action import gated

    folder = written(tmp_path / "ward", HEALTHY, ("healthy", "failure"), plan_of())
    done = gated(folder, tmp_path, summary="false")
    assert done.returncode == 3, done.stderr
    verdicts = json.loads((tmp_path / "output").read_text().removeprefix("verdicts="))
    assert verdicts["SF-1"] == "healthy"
    assert verdicts["sens/B"] == "failure"


def test_findings_that_a_ledger_has_outrun_are_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "ward", HEALTHY, ("healthy", "healthy"), plan_of())
    kept = (folder / "findings.json").read_bytes()
    ledger = Ledger(folder / "ledger.sqlite")
    last = ledger.entries("findings")[-1].payload
    failed = [mode("SF-1", "failure").to_json(), *last["findings"][1:]]
    ledger.append("findings", {**last, "round": 2, "findings": failed})
    assert main(["findings", str(folder), "--fail-on", "failure"]) == 2
    said = capsys.readouterr().err
    assert "they are of round 1, and the last that the ledger beside them has judged is" in said
    with browser(folder) as client:
        text = html.unescape(client.get("/runs/ward").text)
    assert "is not shown" in text
    assert "SF-1 Amplified bias fails silently" in text
    assert (folder / "findings.json").read_bytes() == kept


@pytest.mark.parametrize("group", ["mode", "statistic"])
def test_findings_of_another_run_of_the_same_plan_are_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str
) -> None:
    plan = plan_of()
    good = written(tmp_path / "good", HEALTHY, ("healthy", "healthy"), plan)
    modes: tuple[Verdict, ...] = ("failure", *HEALTHY[1:]) if group == "mode" else HEALTHY
    groups: tuple[Verdict, Verdict] = ("healthy", "failure" if group == "statistic" else "healthy")
    bad = written(tmp_path / "bad", modes, groups, plan)
    (bad / "findings.json").write_bytes((good / "findings.json").read_bytes())
    for command in (["findings"], ["report"], ["evidence"]):
        assert main([*command, str(bad)]) == 2
        assert "verdicts of round 1 are not those of the ledger" in capsys.readouterr().err
    with browser(bad) as client:
        text = html.unescape(client.get("/runs/bad").text)
    assert "says something else than the ledger, and is not shown" in text
    assert "fails" in text[: text.index("What the run shows today")]
