"""``unsilent privacy spent`` counts an earlier run's releases as that version did."""

from __future__ import annotations

import json

import pytest

from tests.earlier.conftest import Ask, Earlier


def test_the_cost_is_the_same(earlier: Earlier, ledger_at: str, ask: Ask) -> None:
    found, before = (
        json.loads(ask("privacy", "spent", earlier.run, "--json")),
        earlier.said["spent"],
    )
    assert found["epsilon_spent"] == pytest.approx(before["epsilon_spent"], rel=1e-9)
    assert [each["epsilon_so_far"] for each in found["events"]] == pytest.approx(
        [each["epsilon_so_far"] for each in before["events"]], rel=1e-9
    )
    for key in ("unit", "adjacency", "epsilon", "delta", "stopped"):
        assert found[key] == before[key]
    assert len(found["events"]) == 5
