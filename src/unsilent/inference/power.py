"""Power: what a plan can find, said before the first round.

The judge itself is asked: it gets the sums to be expected if all clients take part, through the
same series, windows and boundaries as in a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from unsilent.errors import PlanError
from unsilent.inference.bands import Band, bands, decide
from unsilent.inference.judge import POWER_QUANTILE
from unsilent.inference.sampling import Numbers, Sampling
from unsilent.inference.series import Series
from unsilent.inference.unlabelled import is_unlabelled
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole, View
from unsilent.plan import MonitoringPlan
from unsilent.plan.modes import ModePlan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.taxonomy import by_code

_STEPS = 30


@dataclass(frozen=True)
class Reach:
    """What one planned mode can show after one of the monitoring rounds.

    Attributes:
        round: After which training round.
        minimal_detectable_effect: Distance beyond the tolerance found with a power of 0.8, by the
            best window; the whole range of the statistic where not even its end is.
        lower_half_width: How far the lower end of the best window lies below an effect at the
            tolerance; FAILURE needs an effect that far beyond it.
        half_width: How far the higher upper end of the two guards lies above an effect of 0,
            HEALTHY needs it below the tolerance.
        failure_reachable: Whether the largest effect within the clip would be judged FAILURE.
        healthy_reachable: Whether an effect of 0 would be judged HEALTHY.
    """

    round: int
    minimal_detectable_effect: float
    lower_half_width: float
    half_width: float
    failure_reachable: bool
    healthy_reachable: bool


@dataclass(frozen=True)
class PowerRow:
    """What one planned mode can show with this plan, all clients taking part.

    Attributes:
        code, mode, view: Which mode, and from which point of view.
        tolerance, clip: The plan's.
        clients: Clients in one monitoring round.
        sampling_sd, privacy_sd: Expected parts of the sd of what a lower end is reckoned from, for
            an effect at the tolerance, over all monitoring rounds; the first stays over rounds,
            and rests on ``assumption``.
        item_sd: Expected sd over the choice of public probes of the mean over the clients; part of
            ``sampling_sd`` for items like these and where each client draws its own, else not of
            the interval. 0 for private records, and None where the number of probes is not known
            beforehand.
        half_width, lower_half_width, minimal_detectable_effect, failure_reachable,
        healthy_reachable: As in ``Reach``, after the last monitoring round.
        first: The same after the first.
        assumption: Where the sampling part comes from, in words.
    """

    code: str
    mode: str
    view: View
    tolerance: float
    clip: float
    clients: int
    sampling_sd: float
    privacy_sd: float
    item_sd: float | None
    half_width: float
    lower_half_width: float
    minimal_detectable_effect: float
    failure_reachable: bool
    healthy_reachable: bool
    first: Reach
    assumption: str

    @property
    def only_undetermined(self) -> bool:
        """Whether no verdict but UNDETERMINED is within reach at the end of the plan."""
        return not (self.failure_reachable or self.healthy_reachable)


def power_table(plan: MonitoringPlan, *, clients: int | None = None) -> tuple[PowerRow, ...]:
    """One row for each planned mode, in the taxonomy's order.

    Args:
        plan: The plan.
        clients: Enrolled clients, instead of the plan's.

    Raises:
        PlanError: The plan's noise cannot be drawn, fewer clients than ``min_cohort`` would take
            part, or a clip cuts a share short.
    """
    if clients is not None:
        federation = plan.federation.model_copy(update={"clients": clients})
        plan = plan.model_copy(update={"federation": federation})
    return tuple(Outlook(plan, code).row() for code in plan.planned)


def refuse_unusable(plan: MonitoringPlan) -> None:
    """Refuse a plan whose releases could not be summed or judged, whatever they were.

    Raises:
        PlanError: As ``power_table``; or no secure sum withstands what the plan expects.
    """
    for code in plan.planned:
        Outlook(plan, code)
    if plan.privacy.aggregation == "secure-sum":
        # Not before a plan asks for it: nothing else here needs a graph of clients.
        from unsilent.release.secure_sum.parameters import parameters_of

        parameters_of(plan)


def mde(critical: float, sd: float) -> float:
    """Distance beyond the tolerance found with a power of 0.8: ``(critical value + 0.84) * sd``.

    Args:
        critical: How many sd the interval reaches below the effect.
        sd: Of the effect: ``sqrt(V / N + (R C / (mu N))^2)`` with V the variance over clients, R
            the clip of a number that takes the whole joint clip C, and mu the Gaussian-DP
            parameter of all rounds together.
    """
    return (critical + POWER_QUANTILE) * sd


class Outlook:
    """One planned mode as the judge would see it if sums came as expected.

    Args:
        plan: The plan.
        code: Of a planned mode.

    Raises:
        PlanError: As ``power_table``.
    """

    def __init__(self, plan: MonitoringPlan, code: str) -> None:
        self.plan, self.code = plan, code
        self.planned = _planned(plan, code)
        self.clients = plan.taking_part
        if self.clients < plan.monitor.min_cohort:
            raise PlanError(
                f"{self.clients} clients take part in a round, fewer than min_cohort "
                f"{plan.monitor.min_cohort}",
                where="monitor.min_cohort",
                remedy="Lower it, or enrol more clients.",
            )
        self._layout = Layout.from_plan(plan)
        self._sampling = Sampling.of(plan, self._layout, code)
        noise = float(share_variance(plan)) * self.clients
        self._variance = self._layout.variance_of(code, noise)
        self._rounds = np.array(plan.monitoring_rounds, dtype=np.int64)

    @property
    def largest(self) -> float:
        """The largest effect that can be released."""
        return self._sampling.upper

    def series(self, effects: ArrayLike) -> Series:
        """The series of the first m monitoring rounds.

        Args:
            effects: (..., m) true effects.
        """
        true = np.asarray(effects, dtype=np.float64)
        looks = int(true.shape[-1])
        clients = np.array([self.clients] * looks, dtype=np.int64)
        nothing: Numbers = np.zeros(looks, dtype=np.float64)
        return Series(
            code=self.code,
            rounds=self._rounds[:looks],
            clients=clients,
            asked=clients,
            noise_variance=np.array([self._variance] * looks),
            effects=true,
            spreads=np.array([min(self._released_spread(), self._sampling.spread_limit)] * looks),
            squares=self._squares(true),
            # No healthy client is clipped.
            cut=nothing,
            raised=nothing,
            sampling=self._sampling,
        )

    def bands(self, effect: float, looks: int) -> tuple[Band, ...]:
        """The judge's bands after so many monitoring rounds, for an effect that stays."""
        return self.bands_of(self.series(np.full(looks, effect)))

    def bands_of(self, series: Series) -> tuple[Band, ...]:
        """The judge's bands for expected sums; see ``bands.bands``."""
        return bands(self.plan, series)

    def judged(self, effect: float, looks: int) -> int:
        """The verdict: 1 for failure, -1 for healthy, 0 for undetermined."""
        if is_unlabelled(self.plan, self.code):
            return 0
        sign, _ = decide(self.bands(effect, looks), self.planned.tolerance)
        return int(sign)

    def detectable(self, looks: int) -> float:
        """Minimal detectable effect after so many monitoring rounds; see ``Reach``.

        ``mde`` of the best window and its slack, which the interval pays for too. The sd is
        that at the effect that is found, so the smallest solution is approached from below.
        """
        room = self.largest - self.planned.tolerance
        distance = 0.0
        for _ in range(_STEPS):
            found = self.bands(self.planned.tolerance + distance, looks)
            needed = min(
                mde(float(b.reach[0]), float(b.pooled.below.sd)) + float(b.pooled.below.slack)
                for b in found
            )
            if needed >= room:
                # Not found within the range; at its end as good as anywhere.
                return needed
            if needed - distance < 1e-6:
                break
            distance = needed
        return distance

    def reach(self, looks: int) -> Reach:
        """What can be shown after so many monitoring rounds."""
        tolerance = self.planned.tolerance
        guards = self.bands(0.0, looks)[:2]
        at_tolerance = self.bands(tolerance, looks)
        return Reach(
            round=int(self._rounds[looks - 1]),
            minimal_detectable_effect=self.detectable(looks),
            lower_half_width=tolerance - max(float(band.lower) for band in at_tolerance),
            half_width=max(float(band.upper) for band in guards),
            failure_reachable=self.judged(self.largest, looks) == 1,
            healthy_reachable=self.judged(0.0, looks) == -1,
        )

    def any_verdict(self) -> bool:
        """Whether a verdict but UNDETERMINED is within reach at the end of the plan."""
        looks = len(self._rounds)
        return self.judged(self.largest, looks) == 1 or self.judged(0.0, looks) == -1

    def row(self) -> PowerRow:
        """The mode's row of the power table."""
        looks = len(self._rounds)
        last = self.reach(looks)
        pooled = self.bands(self.planned.tolerance, looks)[0].pooled
        return PowerRow(
            code=self.code,
            mode=by_code(self.code).mode,
            view=MODES[self.code].view,
            tolerance=self.planned.tolerance,
            clip=self.planned.clip,
            clients=self.clients,
            sampling_sd=float(pooled.below.sampling_sd),
            privacy_sd=float(pooled.below.privacy_sd),
            item_sd=self._item_sd(),
            half_width=last.half_width,
            lower_half_width=last.lower_half_width,
            minimal_detectable_effect=last.minimal_detectable_effect,
            failure_reachable=last.failure_reachable,
            healthy_reachable=last.healthy_reachable,
            first=last if looks == 1 else self.reach(1),
            assumption=self._assumption(),
        )

    def _squares(self, true: Numbers) -> Numbers:
        """(..., m) expected means of the squares, in units of the clip."""
        if self._sampling.lower == 0:
            return true
        sd = MODES[self.code].client_sd
        return np.minimum((true**2 + sd**2) / self._sampling.clip**2, 1.0)

    def _spread(self) -> float:
        mode, plan = MODES[self.code], self.plan
        if mode.view == "client_private":
            return mode.expected_spread(plan.federation.held_out)
        expected = mode.expected_spread_of({role: plan.probes.size(role) for role in self._roles})
        limit = self._sampling.spread_limit
        # Whoever sets a smaller clip says that no more is expected.
        return min(expected, math.sqrt(limit) if self._sampling.squared else limit)

    def _released_spread(self) -> float:
        return self._spread() ** 2 if self._sampling.squared else self._spread()

    def _item_sd(self) -> float | None:
        if MODES[self.code].view == "client_private":
            return 0.0
        if any(getattr(self.plan.probes, role) != "embedded" for role in self._roles):
            return None
        if self._sampling.items != "probes":
            return self._spread()
        return float(self._sampling.shared_sd(self._released_spread(), 0.0, self.clients))

    @property
    def _drawn(self) -> bool:
        return any(asked < held for _, asked, held in self._sampling.probes)

    @property
    def _roles(self) -> set[ItemRole]:
        return set(self.plan.roles(self.code))

    def _assumption(self) -> str:
        if self._sampling.items == "probes":
            clients = "enrolled" if self._sampling.source == "none" else "sampled"
            how = "probes of one bank drawn by each" if self._drawn else "probes sampled"
            return f"{clients} clients, {how}, spread {self._spread():.2g} of each assumed"
        if self._sampling.source == "none":
            return "enrolled clients on a fixed probe bank"
        if self._sampling.source == "records":
            return (
                f"records sampled, spread {self._spread():.2g} of an unaffected client with "
                f"{self.plan.federation.held_out} of them"
            )
        if self._sampling.lower == 0:
            return "clients sampled, a share's own variance"
        return f"clients sampled, sd {MODES[self.code].client_sd:g} assumed"


def _planned(plan: MonitoringPlan, code: str) -> ModePlan:
    mode = by_code(code).mode
    planned = plan.mode(mode)
    if planned is None:
        raise PlanError("this mode is not planned", where=f"modes.{mode}")
    return planned
