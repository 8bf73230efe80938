"""A run as its ledger tells it, while it is written: read only, and only what is new.

However many entries there are, a run is shown by its newest ``RECENT`` rounds; older ones are in
the ledger, which the dashboard pages through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from unsilent.errors import FindingsError, LedgerError, UnsilentError
from unsilent.findings import (
    Finding,
    Findings,
    HistoryRound,
    PrivacySummary,
    SystemMetrics,
    read_findings,
)
from unsilent.inference import influences_of
from unsilent.ledger import START, Entry, Ledger, Verified
from unsilent.ledger.location import ledger_of
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.accountant import PRIVACY_EVENT, PrivacyEvent
from unsilent.report.source import FINDINGS_FILE
from unsilent.serve.gates import GateState, read_gate
from unsilent.server.monitor import STOPPED
from unsilent.server.summaries import NOTHING_SHOWN, privacy_summary, system_metrics

RECENT = 60
"""Rounds that the pages of a run show."""
_QUIET_SECONDS = 3600.0
_CHECK_AT_ONCE = 200


@dataclass(frozen=True)
class Cohort:
    """One monitoring round: how many clients are in its sum, or why it was ``missed``."""

    round: int
    clients: int | None
    missed: str | None


@dataclass(frozen=True)
class Chain:
    """How far the ledger's hash chain was checked by this server; ``fault`` if it is broken."""

    checked: int
    size: int
    fault: str | None

    @property
    def whole(self) -> bool:
        """Whether all entries were checked and none is wrong."""
        return self.fault is None and self.checked >= self.size


@dataclass(frozen=True)
class RunState:
    """What the pages show of a run.

    Attributes:
        plan: As the ledger's first entry declares it.
        size: Index of the newest entry.
        changed: When it was written, by the writer's clock.
        findings: Those of the last judged round with the recent ones in short; None before one.
        judged: How many rounds were judged in all.
        cohort: Recent monitoring rounds, oldest first.
        metrics: (round, loss, accuracy) of recent training rounds, oldest first.
        privacy: What was spent.
        stopped: Why monitoring stopped before its time; else None.
        gate: Its decisions.
        ended: Whether the run wrote its findings and ended.
        note: What is amiss beside the ledger, if anything.
    """

    plan: MonitoringPlan
    size: int
    changed: datetime
    findings: Findings | None
    judged: int
    cohort: tuple[Cohort, ...]
    metrics: tuple[tuple[int, float, float], ...]
    privacy: PrivacySummary
    stopped: str | None
    gate: GateState
    ended: bool
    note: str | None

    @property
    def round(self) -> int:
        """The last training round that the ledger knows of, 0 before the first."""
        return self.metrics[-1][0] if self.metrics else 0

    @property
    def phase(self) -> str:
        """``ended``, ``under way``, or ``quiet``: not ended, and no entry for an hour."""
        if self.ended:
            return "ended"
        silence = (datetime.now(UTC) - self.changed).total_seconds()
        return "quiet" if silence > _QUIET_SECONDS else "under way"


class RunReader:
    """One run folder, read for as long as the server runs. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = RLock()
        self._ledger: Ledger | None = None
        self._forget()

    @property
    def ledger(self) -> Ledger:
        """The run's ledger, to read. Raises InputError or LedgerError."""
        with self._lock:
            if self._ledger is None:
                try:
                    self._ledger = ledger_of(self.folder)
                except (OSError, UnicodeDecodeError):
                    raise LedgerError("cannot be read", where=str(self.folder)) from None
            return self._ledger

    def mark(self) -> str:
        """Another text whenever there is something new to show; never raises for a bad run."""
        try:
            size = self.ledger.size
            checked = self._fault or self._verified.count >= size
            return f"{self._identity()}:{size}:{_changed(self.folder)}:{checked}"
        except UnsilentError as error:
            return f"! {error.what}"

    def state(self) -> RunState:
        """What there is to show.

        Raises:
            UnsilentError: The ledger cannot be read, or is not that of a run.
        """
        with self._lock:
            run = self._identity()
            if run != self._run:
                self._forget()
                self._run = run
            seen = (self.ledger.size, _changed(self.folder))
            if self._state is None or seen != self._seen:
                try:
                    self._state = self._read()
                except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
                    raise LedgerError(
                        "its entries are not those of a run", where=str(self.folder)
                    ) from None
                self._seen = seen
            return self._state

    def check(self, most: int = _CHECK_AT_ONCE) -> Chain:
        """Check the hash chain further, by at most so many entries. Raises as ``state``."""
        with self._lock:
            size = self.ledger.size
            if self._fault is None and self._verified.count < size:
                try:
                    self._verified = self.ledger.verify_next(self._verified, most)
                except LedgerError as error:
                    self._fault = error.what
            return Chain(self._verified.count, size, self._fault)

    def _forget(self) -> None:
        self._run = ""
        self._seen: tuple[int, int] = (0, 0)
        self._state: RunState | None = None
        self._events: list[PrivacyEvent] = []
        self._events_to = 0
        self._verified: Verified = START
        self._fault: str | None = None

    def _identity(self) -> str:
        """The first entry's hash: a folder may be given to another run while we look."""
        first = self.ledger.entries(limit=1)
        if not first or first[0].kind != "plan":
            raise LedgerError("its first entry is not a plan", where=str(self.folder))
        return first[0].hash

    def _read(self) -> RunState:
        ledger = self.ledger
        declared = ledger.entries(limit=1)[0].payload
        plan = parse_plan(dict(declared["plan"]), where="plan", recorded=True)
        newest = ledger.page(limit=1)[0]
        changed = datetime.fromisoformat(newest.time)
        judged = ledger.page(limit=RECENT, kind="findings")
        metrics = [_metrics(entry) for entry in ledger.page(limit=RECENT, kind="system")[::-1]]
        stops = ledger.entries(STOPPED, limit=1)
        stopped = str(stops[0].payload["reason"]) if stops else None
        privacy = self._privacy(plan, judged, stopped)
        findings = self._findings(plan, judged, privacy, metrics)
        ended, final, note = self._final(plan, findings)
        return RunState(
            plan=plan,
            size=newest.index,
            changed=changed if changed.tzinfo else changed.replace(tzinfo=UTC),
            findings=final or findings,
            judged=ledger.kinds().get("findings", 0),
            cohort=_cohort(judged, ledger.page(limit=RECENT, kind="missed")),
            metrics=tuple(metrics),
            privacy=privacy,
            stopped=stopped,
            gate=read_gate(plan, ledger),
            ended=ended,
            note=note,
        )

    def _privacy(
        self, plan: MonitoringPlan, judged: Sequence[Entry], stopped: str | None
    ) -> PrivacySummary:
        for entry in self.ledger.entries(PRIVACY_EVENT, since=self._events_to):
            self._events.append(PrivacyEvent.from_json(entry.payload))
            self._events_to = entry.index
        last = _round(judged[0]) if judged else 0
        return privacy_summary(plan, self._events, stopped_after=last if stopped else None)

    def _findings(
        self,
        plan: MonitoringPlan,
        judged: Sequence[Entry],
        privacy: PrivacySummary,
        metrics: Sequence[tuple[int, float, float]],
    ) -> Findings | None:
        if not judged:
            return None
        last = judged[0].payload
        found = tuple(Finding.from_json(each) for each in last["findings"])
        return Findings(
            name=plan.name,
            scenario=None,
            plan=plan.digest,
            round=_round(judged[0]),
            clients=int(last["clients"]),
            privacy=privacy,
            system_metrics=self._system(plan, metrics),
            findings=found,
            rounds=tuple(_history(entry) for entry in judged[::-1]),
            influence=influences_of(found),
        )

    def _system(
        self, plan: MonitoringPlan, metrics: Sequence[tuple[int, float, float]]
    ) -> SystemMetrics:
        if not metrics:
            return NOTHING_SHOWN
        _, *first = _metrics(self.ledger.entries("system", limit=1)[0])
        _, *last = metrics[-1]
        return system_metrics(plan, (first[0], first[1]), (last[0], last[1]))

    def _final(
        self, plan: MonitoringPlan, found: Findings | None
    ) -> tuple[bool, Findings | None, str | None]:
        """Whether the run ended, and its own findings, which in simulation know the truth."""
        path = self.folder / FINDINGS_FILE
        if not path.is_file():
            return False, None, None
        try:
            final = read_findings(path)
        except FindingsError as error:
            return True, None, f"{FINDINGS_FILE}: {error.what}. What is shown is from the ledger."
        if found is None or (final.plan, final.round) != (plan.digest, found.round):
            note = f"{FINDINGS_FILE} is not of this ledger's last round, and is not shown."
            return False, None, note
        return True, replace(final, rounds=final.rounds[-RECENT:]), None


def _round(entry: Entry) -> int:
    if entry.round is None:
        raise LedgerError(f"entry {entry.index} names no round")
    return entry.round


def _metrics(entry: Entry) -> tuple[int, float, float]:
    return _round(entry), float(entry.payload["loss"]), float(entry.payload["accuracy"])


def _history(entry: Entry) -> HistoryRound:
    """A round's findings in short, checked as far as the pages rely on them."""
    found = HistoryRound.from_json(_round(entry), entry.payload["findings"])
    for each in found.findings:
        numbers = [each.effect, *(each.interval or ())]
        if any(n is not None and not isinstance(n, int | float) for n in numbers):
            raise LedgerError(f"entry {entry.index}: an effect is not a number")
        if each.verdict not in ("failure", "healthy", "undetermined", None):
            raise LedgerError(f"entry {entry.index}: an unknown verdict")
    return found


def _cohort(judged: Sequence[Entry], missed: Sequence[Entry]) -> tuple[Cohort, ...]:
    rounds: dict[int, Cohort] = {}
    for entry in missed:
        rounds[_round(entry)] = Cohort(_round(entry), None, str(entry.payload["reason"]))
    # A round that was missed first and judged later was judged.
    for entry in judged:
        rounds[_round(entry)] = Cohort(_round(entry), int(entry.payload["clients"]), None)
    return tuple(rounds[number] for number in sorted(rounds))[-RECENT:]


def _changed(folder: Path) -> int:
    try:
        return (folder / FINDINGS_FILE).stat().st_mtime_ns
    except OSError:
        return 0
