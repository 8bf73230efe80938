"""What a run's ledger adds to its findings: who came, what was decided, how clients differed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsilent.errors import InputError
from unsilent.findings import Findings
from unsilent.inference.dispersion import dispersion_of
from unsilent.ledger.events import Decision, RoundSummed
from unsilent.ledger.location import ledger_of
from unsilent.ledger.run_view import Attendance, Entries, RunView
from unsilent.plan import MonitoringPlan
from unsilent.release import Layout
from unsilent.release.coordinate import SQUARE
from unsilent.report.incidents import Incident, incidents


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
class Known:
    """What a run's ledger says of how it stands.

    Attributes:
        gate: The decision that holds; None where nothing was decided.
        attendance: The planned monitoring rounds so far.
        stopped: Why monitoring ended before its plan did, if it did.
    """

    gate: Decision | None = None
    attendance: Sequence[Attendance] = ()
    stopped: str | None = None

    @property
    def missed(self) -> Attendance | None:
        """The newest monitoring round, if it was missed."""
        last = self.attendance[-1] if self.attendance else None
        return last if last is not None and last.missed else None


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
        run: The ledger itself, for what depends on the time at which it is asked.
        head: Hash of the newest entry.
        entries: How many there are.
        known: How the run stands.
    """

    attendance: tuple[Attendance, ...]
    epsilons: tuple[float, ...]
    decisions: tuple[dict[str, Any], ...]
    incidents: tuple[Incident, ...]
    spreads: dict[str, Spread]
    run: RunView
    head: str
    entries: int
    known: Known = Known()


def read_record(folder: Path, plan: MonitoringPlan, findings: Findings) -> Record | None:
    """The record in the ledger of a run's folder, None if it has none. Raises LedgerError."""
    try:
        ledger = ledger_of(folder)
    except InputError:
        return None
    return record_of(plan, findings, ledger)


def record_of(plan: MonitoringPlan, findings: Findings, ledger: Entries) -> Record:
    """The same from a ledger, or the entries of a pack."""
    run = RunView(ledger)
    newest = ledger.page(limit=1)
    attendance, made = run.attendance(), run.newest(Decision)
    stopped = None if run.stopped is None else run.stopped.reason
    return Record(
        attendance=attendance,
        epsilons=run.running_epsilon(plan.privacy.delta, plan.privacy.rounds_per_client),
        decisions=run.actions(),
        incidents=incidents(findings, run),
        spreads=_spreads(plan, run),
        run=run,
        head=newest[0].hash if newest else "",
        entries=newest[0].index if newest else 0,
        known=Known(made[0].event if made else None, attendance, stopped),
    )


def _spreads(plan: MonitoringPlan, run: RunView) -> dict[str, Spread]:
    sums = run.newest(RoundSummed)
    if not sums or plan.absent:
        return {}
    total = sums[0].event.total
    layout = Layout.of_release(plan, total.layout)
    if total.layout != layout.digest:
        return {}
    found: dict[str, Spread] = {}
    for code in plan.planned:
        if code + SQUARE in layout.names and total.clients >= 2:
            of = dispersion_of(layout, total, code)
            seen = of.variance > 2 * of.noise_sd
            found[code] = Spread(math.sqrt(of.variance) if seen else None, of.noise_sd)
    return found
