"""Monitor: the server's side. Sums in, findings out, ledger written.

It sees noised vectors and their sum, never a client's statistic. What it will spend is in the
ledger before a client is asked; a release over budget is refused before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from unsilent.errors import BudgetSpentError, RunError
from unsilent.findings import Drift, Finding, Findings, HistoryRound, PerformanceFinding
from unsilent.inference import influences_of, judge_rounds
from unsilent.inference.advice import refuse_underpowered
from unsilent.inference.looks import hold, noting
from unsilent.inference.performance import drift_of, judge_performance
from unsilent.inference.power import refuse_unusable
from unsilent.ledger import Ledger
from unsilent.ledger.events import (
    MonitoringStopped,
    PlanDeclared,
    ReleaseBooked,
    RoundJudged,
    RoundMissed,
    RoundSummed,
    SystemReported,
)
from unsilent.ledger.run_view import RunView
from unsilent.ledger.succession import judged_as, since
from unsilent.plan import MonitoringPlan
from unsilent.release import Layout, Release, epsilon
from unsilent.release.noise import needed_releases, planned_event
from unsilent.server.handover import hand_over, refuse_follower
from unsilent.server.kept import keep, kept
from unsilent.server.summaries import (
    NOTHING_SHOWN,
    alike,
    privacy_summary,
    system_metrics,
    told_versions,
)


class Monitor:
    """Judges the rounds of one plan and keeps its ledger.

    Opening a ledger that another run of the same plan began continues it. A plan that follows the
    one in force there takes its place (``handover``).

    Args:
        plan: The declared plan.
        ledger: Append-only; its first entry is the plan.
        scenario: Name of the simulated scenario, for the findings.
        accept_underpowered: Begin a plan all the same that can reach no verdict in any mode.

    Raises:
        LedgerError: The ledger is damaged.
        RunError: The ledger belongs to another plan, or the plan does not follow the one there.
        PlanError: ``plan check`` refuses the plan, or it would have more of error or budget than
            its versions before left; nothing was written. A run that has begun goes on, but for one
            of a plan of the first schema: it is read, and spends nothing more.
    """

    def __init__(
        self,
        plan: MonitoringPlan,
        ledger: Ledger,
        *,
        scenario: str | None = None,
        accept_underpowered: bool = False,
    ) -> None:
        self.plan = plan
        self.layout = Layout.from_plan(plan)
        self._ledger = ledger
        self._scenario = scenario
        ledger.verify()
        run = RunView(ledger)
        begun = run.declared is not None
        if not begun or run.plan.digest != plan.digest:
            if begun:
                refuse_follower(run, plan)
            elif plan.follows is not None:
                raise RunError(
                    "a plan that follows another begins in that plan's ledger",
                    where="versions.follows",
                    remedy="Name the folder of the plan that it follows.",
                )
            plan.refuse_earlier()
            refuse_unusable(plan)
            if not accept_underpowered:
                refuse_underpowered(plan)
            if begun:
                hand_over(ledger, run, plan)
            else:
                ledger.record(PlanDeclared.of(plan))
            run = RunView(ledger)
        self._judged_as = judged_as(run.versions) if plan.versions is not None else plan
        self._since = since(run.versions) if plan.versions is not None else 1
        self._versions = told_versions(run)
        self._events = list(run.costs)
        self._findings: tuple[Finding, ...] = ()
        self._performance: tuple[PerformanceFinding, ...] = ()
        self._drift: tuple[Drift, ...] = ()
        self._history: list[HistoryRound] = []
        self._unread = 0
        self._trends: list[tuple[float, float]] = []
        self._clients = 0
        self._totals = {n: total for n, total in run.totals.items() if n >= self._since}
        for reported in run.told(SystemReported):
            self._note(reported)
        self._judged = set(ledger.rounds(RoundJudged.kind))
        for each in run.newest(RoundJudged):
            last = each.event
            if last.round < self._since:
                # Of another question: none of its alarms is one of this, and it is read as history.
                self._unread = each.entry.index + 1
                continue
            self._unread = each.entry.index
            self._keep(last.round, last.clients, last.parsed())
            hold(kept(ledger, plan.digest))
            self._performance, self._drift = last.performed(), last.drifted()

    def system(self, round_number: int, loss: float, accuracy: float) -> None:
        """Record what the federated run itself shows after a round: its weighted means."""
        reported = SystemReported(round_number, loss, accuracy)
        if self._note(reported):
            self._ledger.record(reported)

    @property
    def run(self) -> str:
        """Names this run: the hash of its ledger's first entry, which holds plan and time."""
        return self._ledger.entries("plan")[0].hash

    @property
    def ledger(self) -> Ledger:
        """The run's ledger."""
        return self._ledger

    def judged(self, round_number: int) -> bool:
        """Whether this round's findings are in the ledger already."""
        return round_number in self._judged

    @property
    def stopped(self) -> int | None:
        """The round from which on nothing is monitored, since the budget is spent; else None."""
        stopped = RunView(self._ledger).stopped
        return None if stopped is None else stopped.round

    def stop(self, round_number: int, reason: str) -> None:
        """End monitoring, for good: the budget, here or at the clients, is spent.

        Training can go on. The ledger and the findings say so.

        Args:
            round_number: The first round that is not monitored.
            reason: Why, as a sentence.
        """
        if self.stopped is None:
            self._ledger.record(MonitoringStopped(round_number, reason))

    def spend(self, round_number: int) -> bool:
        """Book the cost of a round's releases, before any client is asked; once a round.

        Returns:
            Whether it was booked now; False for a round of which clients may have been asked.

        Raises:
            BudgetSpentError: The budget would be passed, and monitoring stops for good; or it was
                stopped before. Nothing is booked.
            PlanError: The plan is of the first schema. Nothing is booked.
            RunError: The run was begun by a version whose vectors had another layout. Nothing is
                booked.
        """
        stopped = self.stopped
        if stopped is not None and round_number >= stopped:
            raise BudgetSpentError(
                f"the budget is spent and monitoring stopped from round {stopped} on",
                where="privacy.epsilon",
                remedy="Training can go on.",
            )
        self.plan.refuse_earlier()
        # No round can be judged together with such sums: no client is to spend anything on it.
        if any(total.layout != self.layout.digest for total in self._totals.values()):
            raise RunError(
                "the sums so far are of an earlier version, whose vectors had another layout",
                where="monitoring",
                remedy="Go on with the unsilent that began the run, or begin another run.",
            )
        if any(event.round == round_number for event in self._events):
            return False
        event = planned_event(self.plan, round_number)
        privacy = self.plan.privacy
        most, whole = privacy.rounds_per_client, self.plan.whole_epsilon
        cost = epsilon([*self._events, event], privacy.delta, most)
        if cost > whole * (1 + 1e-9):
            error = BudgetSpentError(
                f"round {round_number} would bring epsilon to {cost:.3f}, over the budget of "
                f"{whole:g}",
                where="privacy.epsilon",
                remedy="Monitoring stops here; training can go on.",
            )
            self.stop(round_number, error.line())
            raise error
        self._ledger.record(ReleaseBooked(event))
        self._events.append(event)
        return True

    def sum(self, round_number: int, releases: Iterable[Release]) -> Release:
        """The sum of single clients' releases, for ``plain`` aggregation; they are not kept.

        A release of another layout or round, or of more than one client, is not counted.
        """
        total = Release.zero(self.layout, round_number)
        for release in releases:
            if (release.layout, release.round, release.clients) == (total.layout, total.round, 1):
                total = total + release
        return total

    def miss(self, round_number: int, reason: str) -> None:
        """Record that a planned monitoring round gave no sum, and why."""
        self._ledger.record(RoundMissed(round_number, reason))

    def judge(self, round_number: int, total: Release) -> tuple[Finding, ...]:
        """Judge a round by its sum, and write both to the ledger.

        Raises:
            RunError: The sum is of another layout or round, or holds fewer releases than the
                noise was sized for: it is not used, and nothing is written.
        """
        needed = needed_releases(self.plan)
        fits = (total.layout, total.round) == (self.layout.digest, round_number)
        if not fits or total.clients < needed:
            counted = total.clients if fits else 0
            raise RunError(
                f"{counted} of {needed} needed releases arrived in round {round_number}",
                where="monitoring",
                remedy="Allow for drop-outs in privacy.dropout.",
            )
        alarms = {f.code: f.first_alarm_round for f in self._findings if f.first_alarm_round}
        totals = [
            *(self._totals[past] for past in sorted(self._totals) if past < round_number),
            total,
        ]
        known = {f.key: f.first_alarm_round for f in self._performance if f.first_alarm_round}
        with noting() as boundaries:
            found = judge_rounds(self._judged_as, self.layout, totals, first_alarms=alarms)
            performance = judge_performance(self.plan, self.layout, totals, first_alarms=known)
        drift = drift_of(self.plan, self.layout, totals)
        self._ledger.record(RoundSummed.of(total))
        entry = self._ledger.record(
            RoundJudged(
                round_number,
                total.clients,
                [finding.to_json() for finding in found],
                [each.to_json() for each in performance],
                [each.to_json() for each in drift],
            )
        )
        keep(self._ledger, self.plan.digest, entry, boundaries)
        self._performance, self._drift = performance, drift
        self._totals[round_number] = total
        self._keep(round_number, total.clients, found)
        return found

    def findings(self) -> Findings:
        """The findings of the last judged round. Raises RunError, with why, if there is none."""
        newest = self.newest()
        self._read_earlier()
        return replace(newest, rounds=alike(self._history, newest.findings))

    def newest(self) -> Findings:
        """The same without the rounds before it: what takes no longer the more of them there are.

        Raises:
            RunError: No round has been judged; with why.
        """
        if not self._findings:
            missed = RunView(self._ledger).newest(RoundMissed)
            why = f"; the last was missed: {missed[0].event.reason}" if missed else ""
            raise RunError(f"no monitoring round has been judged{why}", where="monitoring")
        return Findings(
            name=self.plan.name,
            scenario=self._scenario,
            plan=self.plan.digest,
            round=self._history[-1].round,
            clients=self._clients,
            privacy=privacy_summary(
                self.plan,
                self._events,
                stopped_after=None if self.stopped is None else self._history[-1].round,
            ),
            system_metrics=(
                system_metrics(self.plan, self._trends[0], self._trends[-1])
                if self._trends
                else NOTHING_SHOWN
            ),
            findings=self._findings,
            rounds=tuple(self._history[-1:]),
            influence=influences_of(self._findings),
            model=self.plan.model.expect.told(),
            performance=self._performance,
            drift=self._drift,
            versions=self._versions,
        )

    def _read_earlier(self) -> None:
        """Read the rounds judged before this process began, once they are asked for.

        They are nine tenths of a ledger. It is checked again, since hours may lie between.
        """
        if not self._unread:
            return
        self._ledger.verify()
        found = RunView(self._ledger, self._unread - 1).events(RoundJudged)
        # Checking a year of findings against their schema takes half a minute. The chain vouches
        # for what was written.
        self._history[:0] = [past.event.history() for past in found]
        self._unread = 0

    def _note(self, reported: SystemReported) -> bool:
        if reported.round <= len(self._trends):
            return False
        self._trends.append((reported.loss, reported.accuracy))
        return True

    def _keep(self, round_number: int, clients: int, found: Sequence[Finding]) -> None:
        self._findings = tuple(found)
        self._clients = clients
        self._judged.add(round_number)
        self._history.append(HistoryRound.of(round_number, found))
