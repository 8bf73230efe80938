"""Observer: the client's side. Statistics in, one release out, and a budget that stops.

What a client has spent is in a file of its own, so neither a retry nor a server that is restored
from an old backup makes it spend twice: each monitoring round of a plan is released once, and
asked again the client answers with the same bytes. All plans together stay below the client's own
limit, which its first plan sets and no later one raises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unsilent.errors import BudgetError, BudgetSpentError, OutcomeError, PlanError, ReleaseError
from unsilent.files import write_whole
from unsilent.modes.base import Statistic
from unsilent.own_statistics import keep_own
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent, epsilon
from unsilent.release.budget import BudgetFile, Spent, locked, sync_folder
from unsilent.release.layout import ACCURACY, LOSS, SPREAD, Layout, subgroup_name
from unsilent.release.limit import Limit, LimitFile
from unsilent.release.noise import NoiseSource, planned_event, share_variance
from unsilent.release.release import Release
from unsilent.release.vector import noised


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
    """One client's releases under one plan.

    Args:
        plan: The plan that server and clients share.
        client: The client's name, the same in every round.
        folder: A folder of the client's own, kept between rounds.
        noise: Where noise is drawn: ``ExactNoise()`` on a real client.

    Raises:
        PlanError: The plan's noise cannot be drawn.
    """

    def __init__(
        self, plan: MonitoringPlan, client: str, folder: Path, *, noise: NoiseSource
    ) -> None:
        if not client:
            raise PlanError("a client needs a name", where="observer")
        self.plan = plan
        self.layout = Layout.from_plan(plan)
        self._variance = share_variance(plan)
        self._folder = folder
        self._noise = noise
        self._budget = BudgetFile(folder, client)
        self._limit = LimitFile(folder)

    def release(
        self, round_number: int, statistics: Sequence[Statistic], system: SystemChange
    ) -> Release:
        """Clip, add this client's share of noise, record the cost, and hand over the release.

        The release and its cost are on disk before it is returned. Asked again for the same
        round, the client returns the same release, whatever the statistics are then.

        Args:
            round_number: A monitoring round of the plan.
            statistics: Exactly one for each planned mode, in any order.
            system: Change of the system metrics.

        Raises:
            PlanError: Not a monitoring round.
            OutcomeError: Statistics are missing, not planned, repeated, or not finite.
            BudgetError: The release would pass the plan's budget or the client's own limit
                (a BudgetSpentError; nothing was written), or the client's files are damaged.
        """
        if round_number not in self.plan.monitoring_rounds:
            raise PlanError(
                f"round {round_number} is not a monitoring round",
                where="monitor.rounds",
                remedy=f"The plan releases after {_listed(self.plan.monitoring_rounds)}.",
            )
        try:
            with locked(self._folder):
                return self._release(round_number, statistics, system)
        except OSError as error:
            raise BudgetError(
                f"the client's folder cannot be used ({error.strerror})",
                where=str(self._folder),
                remedy="Nothing was sent. Make it writable and free disk space.",
            ) from None

    def events(self) -> tuple[PrivacyEvent, ...]:
        """What this client has released so far, under this and earlier plans, oldest first."""
        return tuple(spent.event for spent in self._budget.read())

    def spent(self) -> float:
        """Epsilon of all of this client's releases at the plan's delta."""
        return epsilon(self.events(), self.plan.privacy.delta)

    def _release(
        self, round_number: int, statistics: Sequence[Statistic], system: SystemChange
    ) -> Release:
        spent = self._budget.read()
        path = self._path(round_number)
        for made in spent:
            if (made.plan, made.event.round) == (self.plan.digest, round_number):
                return self._stored(path, round_number, made.release)
        event = planned_event(self.plan, round_number)
        limit = self._own_limit()
        self._check_budget(limit, spent, event)
        if path.exists():
            # The last attempt ended between writing the release and its cost.
            release = self._stored(path, round_number, None)
        else:
            values = self._values(statistics, system)
            vector = noised(self.layout, values, self._variance, self._noise)
            if not self._budget.exists():
                self._limit.write(limit)
                self._budget.write(())
            release = Release(self.layout.digest, round_number, 1, vector, float(self._variance))
            keep_own(
                self._folder,
                self.plan.digest,
                round_number,
                statistics,
                system.loss,
                system.accuracy,
            )
            write_whole(path, release.to_bytes())
        made = Spent(self.plan.digest, event, _digest(release.to_bytes()))
        self._budget.write((*spent, made))
        sync_folder(self._folder)
        return release

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
                remedy="Nothing was sent. Give such a plan a client folder of its own.",
            )
        return limit

    def _check_budget(self, limit: Limit, spent: Sequence[Spent], event: PrivacyEvent) -> None:
        events = [*(s.event for s in spent), event]
        plan = Limit.of(self.plan)
        for bound, what in ((plan, "the budget"), (limit, "this client's own limit")):
            if bound.passed_by(events):
                raise BudgetSpentError(
                    f"a release in round {event.round} would bring this client to epsilon "
                    f"{epsilon(events, bound.delta):.3f}, over {what} of {bound.epsilon:g}",
                    where=str(self._budget.path),
                    remedy="Nothing was sent. Earlier plans of the same client count.",
                )

    def _path(self, round_number: int) -> Path:
        plan = self.plan.digest.removeprefix("sha256:")[:12]
        return self._folder / f"release-{round_number}-{plan}.bin"

    def _stored(self, path: Path, round_number: int, digest: str | None) -> Release:
        remedy = "It is not made a second time. Restore the client's folder from a backup."
        try:
            data = path.read_bytes()
            release = Release.from_bytes(data)
        except (FileNotFoundError, ReleaseError):
            raise BudgetError(
                "the release of this round was made and is gone or damaged",
                where=str(path),
                remedy=remedy,
            ) from None
        fits = (release.layout, release.round, release.clients) == (
            self.layout.digest,
            round_number,
            1,
        )
        if not fits or (digest is not None and digest != _digest(data)):
            raise BudgetError(
                "the stored release is not the one that was made", where=str(path), remedy=remedy
            )
        return release


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"
