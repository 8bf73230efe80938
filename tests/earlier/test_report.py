"""``unsilent report`` makes the page of an earlier run, with all that its ledger adds."""

from __future__ import annotations

import re

from tests.earlier.conftest import Ask, Earlier, points


def page(earlier: Earlier, ask: Ask) -> str:
    path = ask("report", earlier.run).strip()
    assert path == str(earlier.run / "report.html")
    html = (earlier.run / "report.html").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_it_tells_each_planned_modes_verdict_and_effect(earlier: Earlier, ask: Ask) -> None:
    text = page(earlier, ask)
    for finding in earlier.findings["findings"]:
        if finding["verdict"] is not None:
            assert finding["verdict"].upper() in text
            assert points(finding["effect"]) in text


def test_it_tells_of_the_missed_round(earlier: Earlier, ask: Ask) -> None:
    reason = "monitoring: 3 of 16 clients have spent their own limit"
    assert f"Round 5 was missed: {reason}" in page(earlier, ask)


def test_it_does_not_say_that_what_leaves_today_left_then(earlier: Earlier, ask: Ask) -> None:
    text = page(earlier, ask)
    assert "was listed by the version that ran this plan" in text
    assert ".variance" not in text


def test_without_the_ledger_it_lacks_what_only_that_says(earlier: Earlier, ask: Ask) -> None:
    whole = page(earlier, ask)
    (earlier.run / "ledger.sqlite").unlink()
    assert len(page(earlier, ask)) < len(whole)
