"""A mode of another distribution, in a federation whose clients are other processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.modes.installing import install, python

pytestmark = pytest.mark.model

PLAN = """
name = "further"
model.kind = "encoder"
federation = { clients = 3, rounds = 1, records = 16, held_out = 8 }
monitor.min_cohort = 2
privacy.epsilon = 30.0
probes.items = 16
modes.over_refusal = { tolerance = 0.1, clip = 0.3 }
"""


def test_workers_find_it_too(tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.toml", tmp_path / "run"
    plan.write_text(PLAN, encoding="utf-8")
    site = install(tmp_path / "site")
    python(site, "-m", "unsilent.cli", "run", str(plan), "--out", str(out))
    found = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    assert found["clients"] == 3
    assert [each["code"] for each in found["findings"] if each["verdict"]] == ["SF-7"]
