"""What a run's ledger adds to its findings: who came, what was decided, how clients differed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsilent.errors import InputError
from unsilent.findings import Findings
from unsilent.inference.shares import dispersion_of
from unsilent.ledger import Entry
from unsilent.ledger.location import ledger_of
from unsilent.plan import MonitoringPlan
from unsilent.release import Layout, PrivacyEvent, epsilon
from unsilent.release.accountant import PRIVACY_EVENT
from unsilent.release.layout import SQUARE
from unsilent.report.incidents import Incident, incidents
from unsilent.server.monitor import total_of


@dataclass(frozen=True)
class Attended:
    """A planned monitoring round: how many clients its sum holds, or why there is none."""

    round: int
    clients: int | None
    missed: str | None


@dataclass(frozen=True)
class Spread:
    """How far clients differ in one mode at the last judged round, where that was released.

    Attributes:
        sd: Standard deviation between clients, noise taken out; None where the noise leaves
            nothing to see.
        noise_sd: Standard deviation that the privacy noise gives the variance.
    """

    sd: float | None
    noise_sd: float


@dataclass(frozen=True)
class Record:
    """What the ledger of a run says.

    Attributes:
        attendance: Each monitoring round so far.
        epsilons: Epsilon spent after each release.
        decisions: Payloads of the gate's decisions and of what people said, oldest first.
        incidents: One for each mode that was ever a failure.
        spreads: By code, of the modes whose squares are released; none of sums whose vectors had
            the layout of an earlier version.
        head: Hash of the newest entry.
        entries: How many there are.
    """

    attendance: tuple[Attended, ...]
    epsilons: tuple[float, ...]
    decisions: tuple[dict[str, Any], ...]
    incidents: tuple[Incident, ...]
    spreads: dict[str, Spread]
    head: str
    entries: int


def read_record(folder: Path, plan: MonitoringPlan, findings: Findings) -> Record | None:
    """The record in the ledger of a run's folder, None if it has none. Raises LedgerError."""
    try:
        ledger = ledger_of(folder)
    except InputError:
        return None
    return record_of(plan, findings, ledger.entries())


def record_of(plan: MonitoringPlan, findings: Findings, entries: Sequence[Entry]) -> Record:
    """The same from entries that have been read already."""
    events = [PrivacyEvent.from_json(e.payload) for e in entries if e.kind == PRIVACY_EVENT]
    return Record(
        attendance=attendance(entries),
        epsilons=tuple(epsilon(events[: n + 1], plan.privacy.delta) for n in range(len(events))),
        decisions=tuple(
            {"entry": e.index, "time": e.time, "kind": e.kind, **e.payload}
            for e in entries
            if e.kind in ("gate", "gate_overrule", "aware", "stopped")
        ),
        incidents=incidents(findings, entries),
        spreads=_spreads(plan, entries),
        head=entries[-1].hash if entries else "",
        entries=len(entries),
    )


def attendance(entries: Sequence[Entry]) -> tuple[Attended, ...]:
    """Who came to each round: numbers and reasons, no client is named anywhere."""
    return tuple(
        Attended(e.payload["round"], e.payload["clients"], None)
        if e.kind == "sum"
        else Attended(e.payload["round"], None, e.payload["reason"])
        for e in entries
        if e.kind in ("sum", "missed")
    )


def _spreads(plan: MonitoringPlan, entries: Sequence[Entry]) -> dict[str, Spread]:
    sums = [entry for entry in entries if entry.kind == "sum"]
    if not sums or plan.absent:
        return {}
    layout, total = Layout.from_plan(plan), total_of(sums[-1].payload)
    if total.layout != layout.digest:
        return {}
    found: dict[str, Spread] = {}
    for code in plan.planned:
        if code + SQUARE in layout.names and total.clients >= 2:
            of = dispersion_of(layout, total, code)
            seen = of.variance > 2 * of.noise_sd
            found[code] = Spread(math.sqrt(of.variance) if seen else None, of.noise_sd)
    return found
