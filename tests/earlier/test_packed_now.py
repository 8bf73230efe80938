"""An earlier run is packed by the present version, and that pack holds."""

from __future__ import annotations

import json

from tests.earlier.conftest import ENTRIES, Ask, Earlier


def test_it_verifies_and_has_the_same_ledger(earlier: Earlier, ledger_at: str, ask: Ask) -> None:
    out, key = earlier.folder / "again.zip", earlier.folder / "key.pem"
    ask("evidence", earlier.run, "--out", out, "--key", key)
    found = json.loads(ask("verify", out, "--head", earlier.head, "--json"))
    assert (found["good"], found["entries"]) == (True, ENTRIES)
    assert found["rounds"] == 0


def test_a_person_who_knows_is_still_recorded(earlier: Earlier, ledger_at: str, ask: Ask) -> None:
    ask("aware", earlier.run, "--by", "B. Person", "--note", "read it later")
    out, key = earlier.folder / "again.zip", earlier.folder / "key.pem"
    ask("evidence", earlier.run, "--out", out, "--key", key)
    found = json.loads(ask("verify", out, "--head", earlier.head, "--json"))
    assert (found["good"], found["entries"]) == (True, ENTRIES + 1)
