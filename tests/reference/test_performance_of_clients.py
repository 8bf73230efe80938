"""The reference federation under a plan with performance, from records to findings on disk."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from tests.engines.flower.in_process import enter_run
from tests.reference.small_encoder import small_encoder
from tests.reference.small_federation import CLIENTS, Federation, plan
from unsilent.evidence.replayed import replayed_faults
from unsilent.findings import Findings, read_findings, write_findings
from unsilent.performance import is_count
from unsilent.plan import parse_plan
from unsilent.probes.sentiment import DOMAINS
from unsilent.reference import client as worker
from unsilent.release.noise import share_variance
from unsilent.report.terminal import show

PERFORMANCE = {
    "count": 8,
    "classes": ["positive", "negative"],
    "sites": list(DOMAINS[:3]),
    "drift": ["classes"],
    "statistics": {
        "sensitivity": {"statistic": "sensitivity", "by": "class", "tolerance": 0.4},
        "accuracy": {
            "statistic": "accuracy",
            "by": "site",
            "compared": "perfect",
            "tolerance": 0.9,
        },
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    folder = tmp_path_factory.mktemp("federation")
    declared = parse_plan({**plan("fine-tune").to_json(), "performance": PERFORMANCE})
    with pytest.MonkeyPatch.context() as patch:
        enter_run(patch)
        model = small_encoder(folder)
        patch.setattr(worker, "load_model", lambda *given: model)
        worker._resident.cache_clear()  # pyright: ignore[reportPrivateUsage]
        return Federation(declared, folder / "run", model)


def test_each_class_and_site_is_counted_and_judged(run: Federation) -> None:
    found = {f.key: f for f in run.monitor.findings().performance}
    assert list(found) == [
        "sensitivity/positive",
        "sensitivity/negative",
        *(f"accuracy/{site}" for site in DOMAINS[:3]),
    ]
    layout = run.monitor.layout
    step = layout.step(next(filter(is_count, layout.names)))
    noise = math.sqrt(share_variance(run.plan) * CLIENTS) * step
    # 3 clients with 8 records each, a third of them at each kind of site, half of each class.
    for each in found.values():
        records = 12 if each.name == "sensitivity" else 8
        assert each.support == pytest.approx(records, abs=5 * noise)
        assert each.clients == 3
    assert run.monitor.findings().drift[0].what == "classes"


def test_findings_are_written_read_and_follow_from_the_ledger(
    run: Federation, tmp_path: Path
) -> None:
    found = run.monitor.findings()
    write_findings(tmp_path / "findings.json", found)
    assert read_findings(tmp_path / "findings.json") == Findings.from_json(found.to_json())
    entries = run.monitor.ledger.entries()
    assert list(replayed_faults(run.plan, found, entries)) == []


def test_a_terminal_shows_each_with_its_records(run: Federation) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    show(run.monitor.findings(), console)
    text = console.export_text()
    assert "sensitivity of positive" in text.replace(", class positive", " of positive")
    assert f"accuracy, site {DOMAINS[0]}" in text
    assert "Drift of classes" in text


def test_a_changed_verdict_is_found(run: Federation) -> None:
    data = json.loads(run.monitor.findings().text())
    data["performance"][0]["support"] += 5
    changed = Findings.from_json(data)
    faults = list(replayed_faults(run.plan, changed, run.monitor.ledger.entries()))
    assert [where for where, _ in faults] == ["findings.json"]
    assert "performance" in faults[0][1]
