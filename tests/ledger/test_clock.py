"""Clocks that differ or are set right do not make a ledger look as if it was dated back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unsilent.evidence.entries import chain_faults
from unsilent.ledger import Ledger, chain

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


class Clock(datetime):
    """A clock that shows what it is set to."""

    shows = BEGUN

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return cls.shows


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *seconds: float) -> Ledger:
    """A ledger with an entry at each of these seconds by the clock of whoever wrote it."""
    monkeypatch.setattr(chain, "datetime", Clock)
    for each in seconds:
        monkeypatch.setattr(Clock, "shows", BEGUN + timedelta(seconds=each))
        # Another process, on another machine.
        Ledger(tmp_path / "ledger.sqlite").append("note", {"at": each})
    return Ledger(tmp_path / "ledger.sqlite")


def test_a_clock_that_is_a_little_behind_writes_after_the_entry_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = written(tmp_path, monkeypatch, 100, 99.5, 101, 0, 102)
    seconds = [
        (datetime.fromisoformat(each.time) - BEGUN).total_seconds() for each in ledger.entries()
    ]
    assert seconds == [100, 100, 101, 101, 102]
    assert list(chain_faults(ledger.entries())) == []
    assert ledger.verify() == 5


def test_a_clock_that_is_far_behind_is_written_as_it_is_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = written(tmp_path, monkeypatch, 86_400, 0)
    assert ledger.entries()[1].time == BEGUN.isoformat(timespec="microseconds")
    assert [where for where, _ in chain_faults(ledger.entries())] == ["ledger entry 2"]
