"""``unsilent verify`` of an earlier pack: nothing altered, and it tells what it did not judge."""

from __future__ import annotations

import json
from typing import Any

from tests.earlier.conftest import ENTRIES, Ask, Earlier

NOT_AGAIN = "no round was judged again: the plan is of the first schema"
"""Modes and intervals have changed since: chain, signature, plan and costs are checked."""


def verified(ask: Ask, earlier: Earlier, *words: str, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(ask("verify", earlier.pack, "--json", *words, code=code)))


def test_nothing_is_called_altered(earlier: Earlier, ask: Ask) -> None:
    found = verified(ask, earlier)
    assert (found["good"], found["faults"]) == (True, [])
    assert (found["name"], found["plan"]) == ("ward", earlier.findings["plan"])
    assert (found["entries"], found["head"]) == (ENTRIES, earlier.head)
    assert found["rounds"] == 0
    assert any(note.startswith(NOT_AGAIN) for note in found["notes"])


def test_for_people_it_says_so_too(earlier: Earlier, ask: Ask) -> None:
    text = " ".join(ask("verify", earlier.pack).split())
    assert f"NOTHING ALTERED ward: {ENTRIES} ledger entries in an unbroken chain" in text
    assert NOT_AGAIN in text


def test_its_signer_and_head_are_known_by_what_was_noted(earlier: Earlier, ask: Ask) -> None:
    assert verified(ask, earlier, "--key", earlier.key, "--head", earlier.head)["known"]


def test_another_key_and_another_head_are_not(earlier: Earlier, ask: Ask) -> None:
    other = ("0" if earlier.key[0] != "0" else "1") + earlier.key[1:]
    assert not verified(ask, earlier, "--key", other, code=1)["good"]
    assert not verified(ask, earlier, "--head", "sha256:" + "1" * 64, code=1)["good"]
