"""Observer: the client's side. Statistics in, one release out, and a budget that stops.

What a client has spent is in a file of its own, so neither a retry nor a server that is restored
from an old backup makes it spend twice: each monitoring round of a plan is released once, and
asked again the client answers with the same bytes. What was made under one plan goes out under no
other, and to one run of it only: a second run's numbers would be those of the first. All plans
together stay below the client's own limit, which its first plan sets and no later one raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from unsilent.client.budget import BudgetFile, Spent
from unsilent.client.cache import Kept, KeptReleases, other_run, run_of
from unsilent.client.follow import check_version, note_version
from unsilent.client.held import held
from unsilent.client.limit import Limit, LimitFile
from unsilent.client.model_check import NOT_SHOWN, ModelCheck
from unsilent.client.own_statistics import keep_own
from unsilent.client.retired import refuse_retired
from unsilent.client.tries import begin_try
from unsilent.client.year import moment_of, refuse_over_a_year
from unsilent.errors import (
    BudgetError,
    BudgetSpentError,
    OutcomeError,
    PlanError,
    ReleaseError,
    RoundsSpentError,
)
from unsilent.files import sync_folder
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import EXACT, PrivacyEvent, epsilon
from unsilent.release.coordinate import ACCURACY, DIFFERING, LOSS, SPREAD, UNSHOWN, subgroup_name
from unsilent.release.layout import Layout
from unsilent.release.noise import NoiseSource, planned_event, share_variance
from unsilent.release.release import Release
from unsilent.release.training_record import check_training
from unsilent.release.vector import privatize

_LONGEST_RUN = 200


@dataclass(frozen=True)
class SystemChange:
    """Change of what a federated run shows today, on the client's held-out records.

    Personalized adapter minus reference; positive is worse for both.

    Attributes:
        loss: Growth of the mean loss, in nats, a probability below
            ``record_unit.SMALLEST_PROBABILITY`` counted as that: what one record can change
            rests on it where the unit is the record.
        accuracy: Drop of the accuracy, in [-1, 1].
    """

    loss: float
    accuracy: float


class Observer:
    """One client's releases under one plan, to one run of it.

    Args:
        plan: The plan that server and clients share.
        client: The client's name, the same in every round.
        folder: A folder of the client's own, kept between rounds.
        noise: Where noise is drawn: ``ExactNoise()`` on a real client.
        run: Names the run that asks. The first release of a plan binds its rounds to the run that
            it was made for; to have named none is to be a run of its own.
        clock: Tells the time, in seconds since 1970.

    Raises:
        PlanError: The plan's noise cannot be drawn, the client has no name, or the run's is longer
            than 200 letters.
    """

    def __init__(
        self,
        plan: MonitoringPlan,
        client: str,
        folder: Path,
        *,
        noise: NoiseSource,
        run: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not client:
            raise PlanError("a client needs a name", where="observer")
        if len(run) > _LONGEST_RUN:
            raise PlanError(
                f"a run's name of {len(run)} letters",
                where="observer",
                remedy=f"It is kept with each release: use {_LONGEST_RUN} at most.",
            )
        self.plan = plan
        self.layout = Layout.from_plan(plan)
        self._variance = share_variance(plan)
        self._folder = folder
        self._noise = noise
        self._run = run
        self._clock = clock
        self._kept = KeptReleases(folder, plan.digest, run)
        self._budget = BudgetFile(folder, client)
        self._limit = LimitFile(folder)

    def release(
        self,
        round_number: int,
        statistics: Sequence[Statistic],
        system: SystemChange,
        model: ModelCheck = NOT_SHOWN,
        training: object | None = None,
        counts: Mapping[str, float] | None = None,
    ) -> Release:
        """Clip, add this client's share of noise, record the cost, and hand over the release.

        The release and its cost are on disk before it is returned. Asked again for the same
        round, the client returns the same release, whatever the statistics are then.

        Args:
            round_number: A monitoring round of the plan.
            statistics: Exactly one for each planned mode, in any order.
            system: Change of the system metrics.
            model: What the client could show of the model that it measured.
            training: The record of the training that its adapters have seen, which a plan that
                declares one (``privacy.training``) is held against.
            counts: Of its own records, one for each count of the plan's layout.

        Raises:
            PlanError: Not a monitoring round, or a plan of the first schema.
            InputError: The plan declares a private training, and its record says otherwise, or
                there is none; nothing was written.
            OutcomeError: Statistics are missing, not planned, repeated, or not finite.
            BudgetError: The release would pass the plan's budget or the client's own limit
                (a BudgetSpentError; nothing was written), or the rounds that the plan lets one
                client release in (a RoundsSpentError), a year's budget (a YearSpentError), the
                plan's rounds were released to another run (an OtherRunError), it does not follow
                what this client released (an OtherVersionError), the client left for good (a
                RetiredError), or the files are damaged.
        """
        self._check_round(round_number)
        with self._held():
            refuse_retired(self._folder)
            return self._release(round_number, statistics, system, model, training, counts or {})

    def begin(self, round_number: int) -> Release | None:
        """What a client asks before it measures: whether it should.

        Whoever is asked by a server that may lie asks this first, since whether measuring fails
        tells something of what is measured (``release.tries``).

        Returns:
            The round's release if it was made: then there is nothing to measure. None if not; the
            try is noted.

        Raises:
            PlanError: Not a monitoring round, or a plan of the first schema.
            BudgetError: The plan's rounds were released to another run (an OtherRunError), the
                client released in as many as the plan lets one (a RoundsSpentError), the round was
                measured as often as may be, the client left for good (a RetiredError), or its files
                are damaged.
        """
        self._check_round(round_number)
        with self._held():
            refuse_retired(self._folder)
            spent = self._budget.read()
            self._refuse_other_run(spent)
            made = self._made(round_number, spent)
            if made is None:
                self._check_rounds(spent)
                check_version(self.plan, self._run, self._folder, spent)
                self._check_year(spent, planned_event(self.plan, round_number))
                begin_try(self._folder, self.plan.digest, round_number)
            return made

    def check_rounds(self, round_number: int) -> None:
        """What a client asks before it lends its keys to a round: whether it may release in it.

        Raises:
            BudgetError: It has released in as many rounds as the plan lets one client (a
                RoundsSpentError), and not in this one; the plan does not follow what it released
                (an OtherVersionError); or its files are damaged.
        """
        if self.plan.privacy.rounds_per_client is None and self.plan.versions is None:
            return
        with self._held():
            spent = self._budget.read()
            if self._made(round_number, spent) is None:
                self._check_rounds(spent)
                check_version(self.plan, self._run, self._folder, spent)

    def events(self) -> tuple[PrivacyEvent, ...]:
        """What this client has released so far, under this and earlier plans, oldest first."""
        return tuple(spent.event for spent in self._budget.read())

    def spent(self) -> float:
        """Epsilon of all of this client's releases at the plan's delta."""
        return epsilon(self.events(), self.plan.privacy.delta)

    def _held(self) -> AbstractContextManager[None]:
        """Have the client's folder alone; a disk's fault becomes a BudgetError."""
        return held(self._folder, remedy="Nothing was sent. Make it writable and free disk space.")

    def _refuse_other_run(self, spent: Sequence[Spent]) -> None:
        bound = run_of(self._folder, self.plan.digest, spent)
        if bound is not None and bound != self._run:
            raise other_run(self._budget.path)

    def _release(
        self,
        round_number: int,
        statistics: Sequence[Statistic],
        system: SystemChange,
        model: ModelCheck,
        training: object | None,
        counts: Mapping[str, float],
    ) -> Release:
        spent = self._budget.read()
        self._refuse_other_run(spent)
        made = self._made(round_number, spent)
        if made is not None:
            return made
        self._check_rounds(spent)
        check_version(self.plan, self._run, self._folder, spent)
        check_training(self.plan, training)
        event = planned_event(self.plan, round_number)
        limit = self._own_limit()
        self._check_budget(limit, spent, event)
        now = self._check_year(spent, event)
        # The last attempt may have ended between writing the release and its cost.
        kept = self._kept.unbooked(round_number, spent)
        if kept is None:
            values = self._values(statistics, system)
            values |= counts
            values |= {UNSHOWN: model.unshown, DIFFERING: float(model.differing)}
            vector = privatize(self.layout, values, self._variance, self._noise)
            if not self._budget.exists():
                self._limit.write(limit)
                self._budget.write(())
            keep_own(
                self._folder,
                self.plan.digest,
                round_number,
                statistics,
                system.loss,
                system.accuracy,
                model.notes,
            )
            kept = self._kept.write(
                Release(self.layout.digest, round_number, 1, vector, float(self._variance))
            )
        release = self._checked(kept)
        note_version(self.plan, self._folder)
        entry = Spent(self.plan.digest, event, kept.digest, self._run, now)
        self._budget.write((*spent, entry))
        sync_folder(self._folder)
        return release

    def _made(self, round_number: int, spent: Sequence[Spent]) -> Release | None:
        """The release of a round, if the book has one."""
        for entry in spent:
            if (entry.plan, entry.event.round) == (self.plan.digest, round_number):
                return self._checked(self._kept.booked(round_number, entry.release))
        return None

    def _check_round(self, round_number: int) -> None:
        self.plan.refuse_earlier()
        if round_number not in self.plan.monitoring_rounds:
            raise PlanError(
                f"round {round_number} is not a monitoring round",
                where="monitor.rounds",
                remedy=f"The plan releases after {_listed(self.plan.monitoring_rounds)}.",
            )

    def _values(self, statistics: Sequence[Statistic], system: SystemChange) -> dict[str, float]:
        codes = sorted(statistic.code for statistic in statistics)
        if codes != sorted(self.plan.planned):
            raise OutcomeError(
                f"statistics of {_listed(codes)}",
                where="release",
                remedy=f"The plan needs exactly one of each: {_listed(self.plan.planned)}.",
            )
        values = {LOSS: system.loss, ACCURACY: system.accuracy}
        for statistic in statistics:
            values[statistic.code] = statistic.value
            values[statistic.code + SPREAD] = statistic.spread
            for domain, value in statistic.subgroups.items():
                values[subgroup_name(statistic.code, domain)] = value
        return values

    def _own_limit(self) -> Limit:
        """The client's limit; the plan's budget where nothing was ever released."""
        limit = self._limit.read()
        if limit is None:
            if self._budget.exists():
                raise BudgetError(
                    "the client's own limit is gone, although this client has released",
                    where=str(self._limit.path),
                    remedy="Nothing was sent. Restore the client's folder from a backup.",
                )
            return Limit.of(self.plan)
        refusal = limit.refuses(self.plan)
        if refusal is not None:
            raise BudgetError(
                refusal,
                where=str(self._limit.path),
                remedy="Nothing was sent. Give such a plan a client folder of its own; what either "
                "promises says nothing of the other.",
            )
        return limit

    def _check_rounds(self, spent: Sequence[Spent]) -> None:
        """Refuse one release more than the plan lets one client make.

        What the client wrote down itself counts, so that neither a server that forgot nor one that
        asks too often gets another.
        """
        cap = self.plan.privacy.rounds_per_client
        made = {s.event.round for s in spent if s.plan == self.plan.digest}
        if cap is not None and len(made) >= cap:
            raise RoundsSpentError(
                f"this client has released in {len(made)} rounds, and the plan lets one client "
                f"release in {cap} (privacy.rounds_per_client)",
                where=str(self._budget.path),
                remedy="Nothing was sent. Other clients take part in later rounds.",
            )

    def _check_budget(self, limit: Limit, spent: Sequence[Spent], event: PrivacyEvent) -> None:
        events = [*(s.event for s in spent), event]
        self._check_own_budget(spent, event)
        plan = Limit.of(self.plan)
        for bound, what in ((plan, "the budget"), (limit, "this client's own limit")):
            if bound.private and any(made.kind == EXACT for made in events):
                raise BudgetSpentError(
                    'this client has released exact numbers (privacy.unit "none"), which no '
                    f"epsilon covers: {what} of {bound.epsilon:g} cannot be kept",
                    where=str(self._budget.path),
                    remedy="Nothing was sent. Earlier plans of the same client count.",
                )
            if bound.passed_by(events):
                raise BudgetSpentError(
                    f"a release in round {event.round} would bring this client to epsilon "
                    f"{epsilon(events, bound.delta):.3f}, over {what} of {bound.epsilon:g}",
                    where=str(self._budget.path),
                    remedy="Nothing was sent. Earlier plans of the same client count.",
                )

    def _check_own_budget(self, spent: Sequence[Spent], event: PrivacyEvent) -> None:
        """Refuse what is beyond this plan's own part of the budget of all its versions."""
        privacy = self.plan.privacy
        if self.plan.versions is None or not privacy.private:
            return
        events = [*(s.event for s in spent if s.plan == self.plan.digest), event]
        if replace(Limit.of(self.plan), epsilon=privacy.epsilon).passed_by(events):
            raise BudgetSpentError(
                f"a release in round {event.round} would bring this client to epsilon "
                f"{epsilon(events, privacy.delta):.3f} under this plan, over its own "
                f"{privacy.epsilon:g}",
                where=str(self._budget.path),
                remedy="Nothing was sent.",
            )

    def _check_year(self, spent: Sequence[Spent], event: PrivacyEvent) -> int | None:
        """When the release is made, once a year's budget has room for it; None if none is asked.

        Plans of several versions note the time too: the next one may bound a year.
        """
        if self.plan.privacy.year is None and self.plan.versions is None:
            return None
        now = moment_of(spent, self._clock())
        refuse_over_a_year(self.plan, spent, event, now, self._budget.path)
        return now

    def _checked(self, kept: Kept) -> Release:
        """The release in what was kept, if it is one of this plan's layout."""
        path = self._kept.path(kept.round)
        remedy = "It is not made a second time. Restore the client's folder from a backup."
        try:
            release = kept.release()
        except ReleaseError:
            raise BudgetError(
                "the release of this round was made and is gone or damaged",
                where=str(path),
                remedy=remedy,
            ) from None
        found = (release.layout, release.round, release.clients)
        if found != (self.layout.digest, kept.round, 1):
            raise BudgetError(
                "the stored release is not the one that was made", where=str(path), remedy=remedy
            )
        return release


def _listed(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"
