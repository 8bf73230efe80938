"""An earlier run about clients like these, whose sums hold squares, is read whatever their layout.

How far clients differ is read off the squares; of another layout the report says that it cannot.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from tests.earlier.conftest import Ask, Earlier, holds, points
from tests.earlier.test_dashboard import get
from tests.serve.server import served


@pytest.fixture
def other(earlier: Earlier) -> Earlier:
    """The same, with that run in the other's place."""
    folder = earlier.folder / "other"
    (earlier.folder / "like-these").rename(folder)
    earlier.run.rename(earlier.folder / "first")
    folder.rename(earlier.run)
    return replace(earlier)


def test_its_report_tells_verdicts_and_effects(other: Earlier, ask: Ask) -> None:
    ask("report", other.run)
    html = (other.run / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
    planned = [each for each in other.findings["findings"] if each["verdict"] is not None]
    assert len(planned) == 3
    for finding in planned:
        assert finding["verdict"].upper() in text
        assert points(finding["effect"]) in text
    assert "was not released" not in text
    unread = text.count("how far they differ cannot be told")
    assert unread > 0


def test_the_dashboard_shows_its_findings(other: Earlier) -> None:
    with served(other.run) as address:
        assert holds(other.findings, json.loads(get(address, "/findings.json")))


@pytest.mark.usefixtures("published_validation")
def test_it_is_packed_and_the_pack_holds(other: Earlier, ask: Ask) -> None:
    out = other.folder / "again.zip"
    ask("evidence", other.run, "--out", out, "--key", other.folder / "key.pem")
    found = json.loads(ask("verify", out, "--json"))
    assert (found["good"], found["rounds"]) == (True, 0)
