"""An earlier ledger opens in either home, its chain verifies, and its rounds are listed."""

from __future__ import annotations

import sqlite3
import zipfile

import pytest

from tests.earlier.conftest import ENTRIES, Earlier
from unsilent.errors import LedgerError
from unsilent.ledger import Ledger

EACH_ROUND = ["system", "privacy_event", "sum", "findings", "gate"]


@pytest.mark.parametrize("read_only", [True, False])
def test_its_chain_verifies_to_the_head_that_was_noted(
    earlier: Earlier, ledger_at: str, read_only: bool
) -> None:
    ledger = Ledger(ledger_at, read_only=read_only)
    assert (ledger.verify(earlier.head), ledger.head) == (ENTRIES, earlier.head)


def test_its_rounds_are_listed(ledger_at: str) -> None:
    ledger = Ledger(ledger_at, read_only=True)
    for number in (1, 2, 3, 4):
        kinds = [entry.kind for entry in ledger.page(round=number)[::-1] if entry.index < 27]
        assert kinds == EACH_ROUND
    last = [entry.kind for entry in ledger.page(round=5)[::-1]]
    assert last == ["system", "privacy_event", "stopped", "missed", "gate"]


def test_its_entries_are_those_of_the_pack_that_was_made_of_it(
    earlier: Earlier, ledger_at: str
) -> None:
    with zipfile.ZipFile(earlier.pack) as pack:
        lines = pack.read("ledger.jsonl").decode("utf-8").splitlines()
    entries = Ledger(ledger_at, read_only=True).entries()
    assert len(entries) == len(lines)
    for entry, line in zip(entries, lines, strict=True):
        assert f'"hash":"{entry.hash}"' in line.replace('": "', '":"')


def test_it_goes_on(earlier: Earlier, ledger_at: str) -> None:
    Ledger(ledger_at).append("note", {"round": 6})
    ledger = Ledger(ledger_at, read_only=True)
    assert ledger.verify(earlier.head) == ENTRIES + 1
    assert ledger.entries("note")[0].previous == earlier.head


def test_a_changed_entry_is_named(earlier: Earlier) -> None:
    path = earlier.run / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER unsilent_ledger_update")
    changed = connection.execute(
        "UPDATE unsilent_ledger SET payload = replace(payload, 'failure', 'healthy') "
        "WHERE kind = 'findings' AND round = 4"
    )
    assert changed.rowcount == 1
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="entry 20 was changed"):
        Ledger(path, read_only=True).verify()
