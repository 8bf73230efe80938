"""Under a plan that its owner did not agree to, a client opens nothing and says one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.engines.flower.wire import MASKS, NAME, OBSERVE, START
from unsilent.client.sentences import Sentence

ANSWERS = "probes.answers"


@pytest.fixture(scope="module", params=["pairs", pytest.param("all", marks=pytest.mark.long)])
def seen(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """All message types, all fields of a plan that hold text, the named files in every state."""
    folder = tmp_path_factory.mktemp("watched")
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.flower.watched", str(folder), request.param],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_watch_sees_a_file_that_is_opened_and_a_module_that_is_imported(
    seen: dict[str, Any],
) -> None:
    controls = seen["controls"]
    for what in ("file", "start"):
        assert any("open" in event and "table.jsonl" in event for event in controls[what])
    assert "imported private_module" in controls["hook"]


def test_every_field_that_names_something_is_tried_in_every_message(seen: dict[str, Any]) -> None:
    named = {"model.id", "model.device", "adapter.start", "privacy.secure_sum.keys"}
    named |= {f"probes.{role}" for role in ("bias", "task", "general", "harmful", "benign")}
    assert named <= set(seen["fields"])
    assert any(field.endswith(".subgroups") for field in seen["fields"])
    assert min(seen["counted"].values()) > 3000


def test_nothing_outside_the_clients_own_folder_is_opened_and_nothing_imported(
    seen: dict[str, Any],
) -> None:
    assert seen["faults"] == []


def test_the_reply_is_the_same_bytes_whatever_lies_on_the_disk(seen: dict[str, Any]) -> None:
    assert seen["depend"] == []


def test_there_is_one_reply_to_all_messages_under_another_plan(seen: dict[str, Any]) -> None:
    (reply,) = seen["replies"]
    assert reply.startswith(Sentence.NOT_AGREED.text)


def test_without_an_agreed_plan_a_pinned_file_passes_where_none_is_needed(
    seen: dict[str, Any],
) -> None:
    """It may arrive with the message that needs it; whatever else names something is refused."""
    passed = [(kind, payload) for kind, field, payload in seen["passed"] if field != ANSWERS]
    assert {kind for kind, _ in passed} == {NAME, *MASKS}
    assert all("#sha256=" in payload for _, payload in passed)
    assert not any(payload.startswith(("known:", "lm-eval:")) for _, payload in passed)


def test_without_an_agreed_plan_kept_answers_pass_pinned_and_are_not_looked_for(
    seen: dict[str, Any],
) -> None:
    """A client scores by itself what it does not look up, so that no message needs the file."""
    passed = [(kind, payload) for kind, field, payload in seen["passed"] if field == ANSWERS]
    assert {NAME, START, OBSERVE} < {kind for kind, _ in passed}
    assert all("#sha256=" in payload for _, payload in passed)
    # What those messages opened is among the faults, and none depends on what is on the disk.
    assert seen["faults"] == []
    assert seen["depend"] == []
