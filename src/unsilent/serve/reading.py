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
    Findings,
    HistoryRound,
    PrivacySummary,
    SystemMetrics,
    read_findings,
)
from unsilent.governance.status import Status, status
from unsilent.inference import influences_of
from unsilent.ledger import START, Ledger, Verified
from unsilent.ledger.events import (
    PlanDeclared,
    ReleaseBooked,
    RoundJudged,
    RoundMissed,
    SystemReported,
)
from unsilent.ledger.location import ledger_of
from unsilent.ledger.run_view import Attendance, RunView
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent
from unsilent.report.source import FINDINGS_FILE, stranger_to
from unsilent.serve.gates import GateState, read_gate
from unsilent.server.run_folder import WATCH
from unsilent.server.summaries import (
    NOTHING_SHOWN,
    alike,
    privacy_summary,
    system_metrics,
    told_versions,
)

RECENT = 60
"""Rounds that the pages of a run show."""
_QUIET_SECONDS = 3600.0
_CHECK_AT_ONCE = 200


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
        missed: How many rounds were missed in all.
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
    cohort: tuple[Attendance, ...]
    missed: int
    metrics: tuple[tuple[int, float, float], ...]
    privacy: PrivacySummary
    stopped: str | None
    gate: GateState
    ended: bool
    note: str | None

    @property
    def round(self) -> int:
        """The last round that the ledger knows of, trained or monitored; 0 before the first."""
        trained = self.metrics[-1][0] if self.metrics else 0
        # A watch trains none.
        return max(trained, self.cohort[-1].round if self.cohort else 0)

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
    def name(self) -> str:
        """The folder's name for people: what is no text in it is shown as such."""
        return self.folder.name.encode(errors="surrogateescape").decode(errors="replace")

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
            # A deadline passes without an entry, and so does the hour after which a run is quiet.
            governed = self._state is not None and self._state.plan.governance is not None
            overdue = self.stands().overdue if governed else 0
            phase = "" if self._state is None else self._state.phase
            return f"{self._identity()}:{size}:{_changed(self.folder)}:{checked}:{overdue}:{phase}"
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

    def stands(self) -> Status:
        """What people have to do and did, as of now. Raises as ``state``."""
        with self._lock:
            plan, size, now = self.state().plan, self.ledger.size, datetime.now(UTC)
            if self._stands is None or self._stands_at != size:
                try:
                    self._stands = status(plan, RunView(self.ledger), now)
                except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
                    raise LedgerError(
                        "its entries are not those of a run", where=str(self.folder)
                    ) from None
                self._stands_at = size
            return replace(self._stands, as_of=now)

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
        self._costs: list[PrivacyEvent] = []
        self._costs_to = 0
        self._verified: Verified = START
        self._fault: str | None = None
        self._stands: Status | None = None
        self._stands_at = 0

    def _identity(self) -> str:
        """The first entry's hash: a folder may be given to another run while we look."""
        first = self.ledger.entries(limit=1)
        if not first or first[0].kind != PlanDeclared.kind:
            raise LedgerError("its first entry is not a plan", where=str(self.folder))
        return first[0].hash

    def _read(self) -> RunState:
        ledger = self.ledger
        run = RunView(ledger)
        plan = run.plan
        newest = ledger.page(limit=1)[0]
        changed = datetime.fromisoformat(newest.time)
        judged = [each.event for each in run.newest(RoundJudged, RECENT)]
        reported = [each.event for each in run.newest(SystemReported, RECENT)[::-1]]
        privacy = self._privacy(run, judged)
        findings = self._findings(run, judged, privacy, reported)
        ended, final, note = self._final(plan, findings, run)
        ended = ended and not self._watched_on(run)
        return RunState(
            plan=plan,
            size=newest.index,
            changed=changed if changed.tzinfo else changed.replace(tzinfo=UTC),
            findings=final or findings,
            judged=run.count(RoundJudged),
            cohort=_cohort(judged, [each.event for each in run.newest(RoundMissed, RECENT)]),
            # One that was judged later was not missed.
            missed=len(set(ledger.rounds(RoundMissed.kind)) - set(ledger.rounds(RoundJudged.kind))),
            metrics=tuple((each.round, each.loss, each.accuracy) for each in reported),
            privacy=privacy,
            stopped=None if run.stopped is None else run.stopped.reason,
            gate=read_gate(plan, run),
            ended=ended,
            note=note,
        )

    def _privacy(self, run: RunView, judged: Sequence[RoundJudged]) -> PrivacySummary:
        for booked in run.events(ReleaseBooked, self._costs_to):
            self._costs.append(booked.event.cost)
            self._costs_to = booked.entry.index
        last = judged[0].round if judged else 0
        return privacy_summary(
            run.plan, self._costs, stopped_after=None if run.stopped is None else last
        )

    def _findings(
        self,
        run: RunView,
        judged: Sequence[RoundJudged],
        privacy: PrivacySummary,
        reported: Sequence[SystemReported],
    ) -> Findings | None:
        # Those of a plan that was followed are not this one's.
        if not judged or judged[0].round < run.plan.first_round:
            return None
        found = judged[0].parsed()
        return Findings(
            name=run.plan.name,
            scenario=None,
            plan=run.plan.digest,
            round=judged[0].round,
            clients=judged[0].clients,
            privacy=privacy,
            system_metrics=_system(run, reported),
            findings=found,
            rounds=alike([_history(each) for each in judged[::-1]], found),
            influence=influences_of(found),
            model=run.plan.model.expect.told(),
            performance=judged[0].performed(),
            drift=judged[0].drifted(),
            versions=told_versions(run),
        )

    def _watched_on(self, run: RunView) -> bool:
        """Whether it is a watch with rounds to come, whose findings are written after each."""
        if not (self.folder / WATCH).is_file() or run.stopped is not None:
            return False
        told = [*run.newest(RoundJudged), *run.newest(RoundMissed)]
        return max((each.event.round for each in told), default=0) < run.plan.federation.rounds

    def _final(
        self, plan: MonitoringPlan, found: Findings | None, run: RunView
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
        if stranger_to(run, final) is not None:
            note = f"{FINDINGS_FILE} says something else than the ledger, and is not shown."
            return True, None, note
        return True, replace(final, rounds=final.rounds[-RECENT:]), None


def _system(run: RunView, reported: Sequence[SystemReported]) -> SystemMetrics:
    if not reported:
        return NOTHING_SHOWN
    first, last = run.events(SystemReported, limit=1)[0].event, reported[-1]
    return system_metrics(run.plan, (first.loss, first.accuracy), (last.loss, last.accuracy))


def _history(judged: RoundJudged) -> HistoryRound:
    """A round's findings in short, checked as far as the pages rely on them."""
    found = judged.history()
    for each in found.findings:
        numbers = [each.effect, *(each.interval or ())]
        if any(n is not None and not isinstance(n, int | float) for n in numbers):
            raise LedgerError(f"findings of round {judged.round}: an effect is not a number")
        if each.verdict not in ("failure", "healthy", "undetermined", None):
            raise LedgerError(f"findings of round {judged.round}: an unknown verdict")
    return found


def _cohort(judged: Sequence[RoundJudged], missed: Sequence[RoundMissed]) -> tuple[Attendance, ...]:
    # A round that was missed first and judged later was judged.
    rounds = {each.round: Attendance(each.round, None, each.reason) for each in missed}
    rounds |= {each.round: Attendance(each.round, each.clients, None) for each in judged}
    return tuple(rounds[number] for number in sorted(rounds))[-RECENT:]


def _changed(folder: Path) -> int:
    try:
        return (folder / FINDINGS_FILE).stat().st_mtime_ns
    except OSError:
        return 0
