"""``unsilent export`` makes both records of an earlier run."""

from __future__ import annotations

import json

from tests.earlier.conftest import Ask, Earlier, points


def test_a_model_card_has_each_verdict_and_effect(earlier: Earlier, ask: Ask) -> None:
    rows = [line for line in ask("export", earlier.run).splitlines() if line.startswith("| ")]
    for finding in earlier.findings["findings"]:
        row = next(line for line in rows if line.startswith(f"| {finding['code']}"))
        if finding["verdict"] is not None:
            assert finding["verdict"].upper() in row
            assert points(finding["effect"]) in row


def test_every_eval_ever_has_each_planned_effect(earlier: Earlier, ask: Ask) -> None:
    record = json.loads(ask("export", earlier.run, "--format", "every-eval-ever"))
    scores = [each["score_details"]["score"] for each in record["evaluation_results"]]
    planned = [f["effect"] for f in earlier.findings["findings"] if f["verdict"] is not None]
    assert scores == planned
