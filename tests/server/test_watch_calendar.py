"""When the next round of a watch is due, by what its ledger says of the last."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.server.watching import SITES, Sites, leaning, open_watch, watch_plan
from unsilent.errors import InputError
from unsilent.server import watch as module
from unsilent.server.watch import seconds_of, wait_until, watch

NODES = list(range(SITES))
WEEK = 7 * 86400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", WEEK), ("1w", WEEK), ("12h", 43200.0), ("30m", 1800.0), (" 1.5 h ", 5400.0)],
)
def test_spans(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0d", "7 days", "1e9w", "7d\n8d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no span of time"):
        seconds_of(text)


def test_a_round_is_due_a_span_after_the_last_began(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    watched = open_watch(plan, tmp_path / "run")
    assert watched.due(WEEK) == 0
    before = time.time()
    watched.round(Sites(tmp_path, leaning(0.02), plan), NODES)
    assert before + WEEK <= watched.due(WEEK) <= time.time() + WEEK
    (booked,) = watched.ledger.entries("privacy_event")
    assert watched.due(WEEK) == datetime.fromisoformat(booked.time).timestamp() + WEEK
    # Also for a server that starts anew.
    assert open_watch(plan, tmp_path / "run").due(WEEK) == watched.due(WEEK)


def test_one_that_was_missed_counts_from_then(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    watched = open_watch(plan, tmp_path / "run")
    sites = Sites(tmp_path, leaning(0.02), plan)
    sites.lost = {0, 1}
    watched.round(sites, NODES, on_time=True)
    (missed,) = watched.ledger.entries("missed")
    assert watched.due(WEEK) == datetime.fromisoformat(missed.time).timestamp() + WEEK


def test_rounds_wait_for_their_day_and_none_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = watch_plan(tmp_path)
    waited: list[float] = []
    monkeypatch.setattr(module, "wait_until", lambda moment: waited.append(moment - time.time()))
    watched = open_watch(plan, tmp_path / "run")
    watch(watched, Sites(tmp_path, leaning(0.02), plan), lambda: NODES, rounds=None, every=WEEK)
    assert waited[0] < 0
    assert all(wait == pytest.approx(WEEK, abs=60) for wait in waited[1:]) and len(waited) == 2


def test_waiting_is_in_naps_and_ends_at_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, naps = [1000.0], list[float]()

    def nap(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(module.time, "sleep", nap)
    monkeypatch.setattr(module.time, "time", lambda: clock[0])
    wait_until(1150.0)
    assert naps == [60.0, 60.0, 30.0]
    wait_until(0.0)
    assert len(naps) == 3
