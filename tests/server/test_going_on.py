"""A server that goes on with a run checks all that was written, and reads of it what it needs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.server.test_monitor import plan, releases, run_round
from unsilent.errors import LedgerError
from unsilent.findings import Findings
from unsilent.ledger import Ledger
from unsilent.ledger.chain import Ledger as Chain
from unsilent.server.monitor import Monitor


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of two judged rounds."""
    path = tmp_path / "ledger.sqlite"
    monitor = Monitor(plan(), Ledger(path))
    for number in (1, 3):
        run_round(monitor, number, releases(tmp_path / "c", plan(), number))
    return path


def tamper(path: Path, statement: str) -> None:
    """Change a ledger as whoever can write its file would."""
    connection = sqlite3.connect(path)
    for action in ("update", "delete"):
        connection.execute(f"DROP TRIGGER unsilent_ledger_{action}")
    changed = connection.execute(statement).rowcount
    assert changed == 1
    connection.commit()
    connection.close()


def in_one_process(folder: Path) -> Findings:
    monitor = Monitor(plan(), Ledger(folder / "one.sqlite"))
    for number in (1, 3):
        run_round(monitor, number, releases(folder / "one", plan(), number))
    return monitor.findings()


def test_it_says_what_one_that_never_stopped_says(path: Path, tmp_path: Path) -> None:
    gone_on = Monitor(plan(), Ledger(path))
    whole = in_one_process(tmp_path)
    assert gone_on.findings().to_json() == whole.to_json()
    assert gone_on.findings().to_json() == whole.to_json()
    assert [each.round for each in gone_on.findings().rounds] == [1, 3]


def test_the_newest_findings_are_the_same_without_the_rounds_before(path: Path) -> None:
    monitor = Monitor(plan(), Ledger(path))
    newest, whole = monitor.newest(), monitor.findings()
    assert [each.round for each in newest.rounds] == [3]
    assert newest.findings == whole.findings
    assert newest.privacy == whole.privacy


def test_a_round_judged_after_a_restart_has_all_rounds_before_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    run_round(Monitor(plan(), Ledger(path)), 1, releases(tmp_path / "c", plan(), 1))
    monitor = Monitor(plan(), Ledger(path))
    run_round(monitor, 3, releases(tmp_path / "c", plan(), 3))
    assert monitor.findings().to_json() == in_one_process(tmp_path).to_json()


@pytest.mark.parametrize("kind", ["plan", "system", "privacy_event", "sum", "findings"])
@pytest.mark.parametrize(
    "change",
    [
        "payload = replace(payload, '1', '2')",
        "time = '2020-01-01T00:00:00+00:00'",
        "round = 2",
        "kind = 'other'",
    ],
)
def test_an_old_row_that_was_altered_is_found_on_going_on(
    path: Path, kind: str, change: str
) -> None:
    first = f"(SELECT min(position) FROM unsilent_ledger WHERE kind = '{kind}')"
    tamper(path, f"UPDATE unsilent_ledger SET {change} WHERE position = {first}")
    with pytest.raises(LedgerError, match=r"entry \d+ was changed"):
        Monitor(plan(), Ledger(path))


def test_a_row_altered_since_is_found_before_its_findings_are_told(path: Path) -> None:
    monitor = Monitor(plan(), Ledger(path))
    tamper(
        path,
        "UPDATE unsilent_ledger SET payload = replace(payload, 'undetermined', 'healthy') "
        "WHERE kind = 'findings' AND round = 1",
    )
    with pytest.raises(LedgerError, match="entry 5 was changed"):
        monitor.findings()


def test_going_on_reads_no_findings_but_the_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are nine tenths of a ledger, and parsing them was nine tenths of going on."""
    read: list[tuple[str, int | None]] = []
    entry_of = Chain._entry

    def noted(self: Chain, row: tuple[object, ...]) -> object:
        read.append((str(row[2]), row[6]))  # type: ignore[arg-type]
        return entry_of(self, row)  # type: ignore[arg-type]

    monkeypatch.setattr(Chain, "_entry", noted)
    monitor = Monitor(plan(), Ledger(path))
    assert ("findings", 1) not in read
    assert ("findings", 3) in read
    monitor.findings()
    assert ("findings", 1) in read
