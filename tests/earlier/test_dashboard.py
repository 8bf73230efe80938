"""``unsilent serve`` shows an earlier run: its rounds, verdicts, gate and the whole chain."""

from __future__ import annotations

import json
import re
from urllib.request import urlopen

from tests.earlier.conftest import ENTRIES, Earlier, holds, points
from tests.serve.server import served


def get(address: str, path: str) -> str:
    with urlopen(f"{address}/runs/run{path}", timeout=60) as answer:
        return str(answer.read().decode("utf-8"))


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_runs_page_has_its_verdicts_effects_and_missed_round(
    earlier: Earlier, ledger_at: str
) -> None:
    with served(earlier.run) as address:
        text = words(get(address, ""))
        found = json.loads(get(address, "/findings.json"))
    for finding in earlier.findings["findings"]:
        if finding["verdict"] is not None:
            assert points(finding["effect"]) in text
    assert "3 of 16 clients have spent their own limit" in text
    assert "checked by hand" in text
    assert "Next: whoever runs the federation" in text
    assert text.index("Next:") < text.index("What the run shows today")
    assert holds(earlier.findings, found)


def test_an_unfinished_run_is_told_from_its_ledger_alone(earlier: Earlier, ledger_at: str) -> None:
    written = earlier.findings
    (earlier.run / "findings.json").unlink()
    with served(earlier.run) as address:
        found = json.loads(get(address, "/findings.json"))
    told = [(each["code"], each["verdict"], each["effect"]) for each in found["findings"]]
    assert told == [(each["code"], each["verdict"], each["effect"]) for each in written["findings"]]
    assert holds(written["rounds"], found["rounds"])


def test_its_ledger_is_paged_and_each_entry_is_there(earlier: Earlier, ledger_at: str) -> None:
    with served(earlier.run) as address:
        for number, kind in ((1, "plan"), (20, "findings"), (25, "missed"), (ENTRIES, "aware")):
            assert kind in words(get(address, f"/ledger/{number}"))
        listed = set(re.findall(r"/runs/run/ledger/(\d+)", get(address, "/ledger?round=3")))
    assert listed == {"12", "13", "14", "15", "16"}
