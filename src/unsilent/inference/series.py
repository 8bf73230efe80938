"""Series: one mode over all judged rounds, and what any window of them says.

The same clients and items come back in each round. Privacy noise is drawn anew each time and
averages out over rounds; what sampling of clients or of records adds stays as it is. So the sums of
the rounds are pooled, client-rounds weighing the same, and only the first part shrinks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import FindingsError
from unsilent.inference.estimate import Estimate, means
from unsilent.inference.pooled import Pooled, Side
from unsilent.inference.sampling import Numbers, Sampling, step
from unsilent.inference.sums import Sums
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import RAISED, SQUARE, SYSTEM_NAMES
from unsilent.release.layout import SYSTEM_CLIPS, Layout
from unsilent.release.release import Release


@dataclass(frozen=True, eq=False)
class Series:
    """One mode over the m rounds judged so far.

    A simulation may put leading axes before the rounds in ``effects``, ``spreads``, ``squares``,
    ``cut`` and ``raised``: (..., m). Everything but ``window`` then broadcasts over them.

    Attributes:
        code: The mode's code.
        rounds: (m,) int64, rising.
        clients: (m,) int64, clients in each sum, at least 1.
        asked: (m,) int64, clients whose numbers were asked for; at least ``clients``.
        noise_variance: (m,) of each sum, in integer units squared.
        effects: (m,) decoded means; positive is worse.
        spreads, squares: (m,) decoded ``.spread`` (``.variance`` of a mode on private records) and
            ``.square``; zeros where not released.
        cut: (m,) decoded ``clipped``.
        raised: (m,) decoded ``raised``; of a system metric ``clipped``, which covers it too.
        sampling: How the sampling variance follows from these.
    """

    code: str
    rounds: NDArray[np.int64]
    clients: NDArray[np.int64]
    asked: NDArray[np.int64]
    noise_variance: Numbers
    effects: Numbers
    spreads: Numbers
    squares: Numbers
    cut: Numbers
    raised: Numbers
    sampling: Sampling

    @property
    def lower(self) -> float:
        """Smallest number that one client can release."""
        return self.sampling.lower

    @property
    def upper(self) -> float:
        """Largest number that one client can release."""
        return self.sampling.upper

    @property
    def truncation(self) -> float:
        """Largest absolute error of a mean from truncation to integers."""
        return self.sampling.step

    @property
    def privacy_sd(self) -> Numbers:
        """(m,) sd of the privacy noise in each round's mean; exact."""
        return self.sampling.privacy_sd(self._noise)

    @property
    def sampling_sd(self) -> Numbers:
        """(m,) upper bound on the sd of the part of each mean that comes back in every round."""
        shared = self.sampling.shared_sd(self.spreads, self._noise, self.clients)
        return np.sqrt(self._own_variance + shared**2)

    @property
    def redrawn_sd(self) -> Numbers:
        """(m,) upper bound on the sd of the part that is drawn anew: other clients, other items."""
        items = self.sampling.redrawn_items_sd(self.spreads, self._noise, self.clients)
        return np.sqrt(self._own_variance * self.sampling.redrawn + items**2)

    @property
    def below(self) -> tuple[Numbers, Numbers]:
        """(m,) least that each round's mean may be but for its noise, and the sd of that noise."""
        return self._end(self.effects - self._added, self.sampling.added_step, self.lower)

    @property
    def above(self) -> tuple[Numbers, Numbers]:
        """(m,) most that each round's mean may be but for its noise, and the sd of that noise."""
        return self._end(self.effects + self._taken, self.sampling.taken_step, self.upper)

    @property
    def degrees_of_freedom(self) -> Numbers:
        """(m,) of the sampling variances; infinite where nothing was estimated."""
        return self.sampling.degrees_of_freedom(self.clients)

    def _end(self, centre: Numbers, step: float, extreme: float) -> tuple[Numbers, Numbers]:
        present = self.clients / self.asked
        sd = np.hypot(self.privacy_sd, step * self._noise)
        return present * centre + (1 - present) * extreme, present * sd

    @property
    def _own_variance(self) -> Numbers:
        """(m,) upper bound on the variance that sampling of clients or records adds."""
        return (
            self.sampling.variance(
                self.effects, self.spreads, self.squares, self._noise, self.clients
            )
            / self.clients
        )

    @property
    def _added(self) -> Numbers:
        """(m,) what the joint clip may have added to each mean, noise included."""
        return self.sampling.clip * self.raised if self.sampling.added_step else 0 * self.raised

    @property
    def _taken(self) -> Numbers:
        """(m,) what clipping may have taken off each mean, noise included."""
        return self.sampling.taken_clips * self.sampling.clip * self.cut

    @property
    def _noise(self) -> Numbers:
        return np.sqrt(self.noise_variance) / self.clients

    def until(self, last: int) -> Series:
        """The series as it was after a judged round. Raises FindingsError if there was none."""
        count = int((self.rounds <= last).sum())
        if not count:
            raise FindingsError(f"no judged round until {last}", where=self.code)
        return replace(
            self,
            rounds=self.rounds[:count],
            clients=self.clients[:count],
            asked=self.asked[:count],
            noise_variance=self.noise_variance[:count],
            effects=self.effects[..., :count],
            spreads=self.spreads[..., :count],
            squares=self.squares[..., :count],
            cut=self.cut[..., :count],
            raised=self.raised[..., :count],
        )

    def pooled(self, first: int, last: int) -> Pooled:
        """The mode over the judged rounds from ``first`` to ``last``, both round numbers.

        Mean: sum of sums over the number of client-rounds n. Noise: the variances of the sums
        add up, so its sd is ``sqrt(sum sigma_r^2) / n``.

        Sampling: client i is in c_i of the L sums, so its lasting error weighs c_i / n and the
        mean's variance is ``V sum c_i^2 / n^2 = V / n_eff`` with
        ``n_eff = (sum c_i)^2 / sum c_i^2`` (Kish 1965). As ``c_i <= L``,
        ``sum c_i^2 <= L n`` and n_eff is at least n / L, the mean cohort of the window. That is
        what is used, since the server does not know who was in which sum: exact where the same
        clients are in all sums, too wide where cohorts change or clients join late.

        Raises:
            FindingsError: The window holds no judged round.
        """
        found = self._pools.get((first, last))
        if found is None:
            found = self._pools[first, last] = self.pooled_over([(first, last)]).at(0)
        return found

    def pooled_over(self, windows: Sequence[tuple[int, int]]) -> Pooled:
        """Several windows, along a first axis of their own; else as ``pooled``."""
        parts = [self._window(first, last) for first, last in windows]
        axes = max(values.ndim for values in self._averaged.values()) - 1

        def each(name: str) -> Numbers:
            found = np.stack([getattr(part, name) for part in parts])
            # Fields may have leading axes or not; those of all windows come before them.
            return found.reshape(len(parts), *(1,) * (axes + 1 - found.ndim), *found.shape[1:])

        window = _Window(**{field.name: each(field.name) for field in fields(_Window)})
        sampling = self.sampling
        variance, shared = sampled = self._sampled(window)
        slack = np.full(window.noise.shape, self.truncation)
        below, above = (
            self._side(window, sampled, moved, report, step, extreme)
            for moved, report, step, extreme in (
                (-window.added, window.raised, sampling.added_step, self.lower),
                (window.taken, window.cut, sampling.taken_step, self.upper),
            )
        )
        return Pooled(
            effect=window.effect,
            sampling_sd=np.sqrt(variance + shared**2),
            shared_sd=shared,
            privacy_sd=sampling.privacy_sd(window.noise),
            clipped=window.cut,
            spread=window.spread,
            clients=window.cohort,
            share=window.share,
            slack=slack,
            below=below,
            above=above,
        )

    def since_each(self) -> Side:
        """(m,) the lower ends of the windows from each judged round to the last.

        As ``pooled(…).below``, of all of them at once. Only for a series without leading axes.
        """
        clients = self.clients.astype(np.float64)

        def sums(values: Numbers) -> Numbers:
            return np.cumsum(values[::-1])[::-1]

        total = sums(clients)

        def mean(values: Numbers) -> Numbers:
            return sums(values * clients) / total

        window = _Window(
            cohort=total / np.arange(len(total), 0, -1),
            share=total / sums(self.asked.astype(np.float64)),
            noise=np.sqrt(sums(self.noise_variance)) / total,
            **{name: mean(values) for name, values in self._averaged.items()},
        )
        step, sampled = self.sampling.added_step, self._sampled(window)
        return self._side(window, sampled, -window.added, window.raised, step, self.lower)

    @cached_property
    def _pools(self) -> dict[tuple[int, int], Pooled]:
        return {}

    def _window(self, first: int, last: int) -> _Window:
        """The means over the judged rounds from ``first`` to ``last``."""
        start = int(np.searchsorted(self.rounds, first))
        end = int(np.searchsorted(self.rounds, last, side="right"))
        if start >= end:
            raise FindingsError(f"no judged round from {first} to {last}", where=self.code)
        clients = self.clients[start:end]
        total = float(clients.sum())
        weights = clients / total
        noise = math.sqrt(float(self.noise_variance[start:end].sum())) / total
        return _Window(
            cohort=total / (end - start),
            share=total / float(self.asked[start:end].sum()),
            noise=np.asarray(noise),
            **{
                name: (values[..., start:end] * weights).sum(axis=-1)
                for name, values in self._averaged.items()
            },
        )

    @cached_property
    def _averaged(self) -> dict[str, Numbers]:
        """By field of ``_Window``, what its means are of."""
        return {
            "effect": self.effects,
            "spread": self.spreads,
            "square": self.squares,
            "cut": self.cut,
            "raised": self.raised,
            "added": self._added,
            "taken": self._taken,
        }

    def _sampled(self, window: _Window) -> tuple[Numbers, Numbers]:
        """Of a window: the variance of sampling, and the sd that the choice of probes adds."""
        sampling, noise, cohort = self.sampling, window.noise, window.cohort
        found = sampling.variance(window.effect, window.spread, window.square, noise, cohort)
        return found / cohort, sampling.shared_sd(window.spread, noise, cohort)

    def _side(
        self,
        window: _Window,
        sampled: tuple[Numbers, Numbers],
        moved: Numbers,
        report: Numbers,
        step: float,
        extreme: float,
    ) -> Side:
        """One end of a window's interval, ``moved`` by what clipping may have done."""
        sampling, cohort, share = self.sampling, window.cohort, window.share
        variance, shared = sampled
        # What one client's report adds to its number varies over a sample of clients too. It
        # is within 0 and the clip, so its variance is at most the clip times its mean.
        own = sampling.clip * np.sqrt(np.clip(report, 0.0, 1.0) * (step > 0) / cohort)
        sd = np.hypot(sampling.privacy_sd(window.noise), step * window.noise)
        varied = share * (np.sqrt(variance) + own * (sampling.source == "clients"))
        absent = sampling.absent_sd(window.effect + moved, sd, extreme, cohort, share)
        return Side(
            centre=share * (window.effect + moved) + (1 - share) * extreme,
            sampling_sd=np.hypot(np.hypot(varied, absent), share * shared),
            privacy_sd=share * sd,
            degrees_of_freedom=satterthwaite(
                varied**2 + absent**2,
                share**2 * (sd**2 + shared**2),
                sampling.degrees_of_freedom(cohort),
            ),
            slack=np.broadcast_to(share * self.truncation, np.shape(sd)),
        )

    def window(self, first: int, last: int) -> Estimate:
        """The estimate over the judged rounds from ``first`` to ``last``; see ``pooled``.

        Only for a series without leading axes. Raises FindingsError as ``pooled``.
        """
        pooled = self.pooled(first, last)
        return Estimate(
            code=self.code,
            effect=float(pooled.effect),
            sampling_sd=float(pooled.sampling_sd),
            privacy_sd=float(pooled.privacy_sd),
            item_sd=0.0 if self.sampling.records else self.sampling.as_spread(float(pooled.spread)),
            truncation=float(pooled.slack),
            clients=math.floor(float(pooled.clients) + 1e-9),
            clipped=float(pooled.clipped),
            shared_sd=float(pooled.shared_sd),
        )


@dataclass(frozen=True, eq=False)
class _Window:
    """Means over windows of rounds, client-rounds weighing the same.

    Attributes:
        cohort: Mean number of clients.
        share: Client-rounds in the sums as a share of those that were asked for.
        noise: Sd of the noise in a mean, in integer steps of one client.
        effect, spread, square, cut, raised: As in ``Series``.
        added, taken: What the joint clip may have added, and what clipping may have taken off.
    """

    cohort: float | Numbers
    share: float | Numbers
    noise: Numbers
    effect: Numbers
    spread: Numbers
    square: Numbers
    cut: Numbers
    raised: Numbers
    added: Numbers
    taken: Numbers


def satterthwaite(sampling: Numbers, privacy: Numbers, degrees: Numbers) -> Numbers:
    """Degrees of freedom of a sum of two variances, the second of which is known.

    Welch 1947: ``(a + b)^2 / (a^2 / nu_a + b^2 / nu_b)`` with nu_b infinite.
    """
    with np.errstate(over="ignore"):
        ratio = np.where(sampling > 0, privacy / np.maximum(sampling, 1e-300), np.inf)
        return degrees * (1 + ratio) ** 2


def series_of(
    plan: MonitoringPlan, layout: Layout, totals: Sequence[Release] | Sums, code: str
) -> Series:
    """The series of one planned mode.

    Args:
        plan: The plan that the clients released under.
        layout: ``Layout.from_plan(plan)``.
        totals: The sums of the judged rounds, rounds rising.
        code: The mode's code.

    Raises:
        FindingsError: There is no sum, rounds do not rise, or a sum is of another layout, holds no
            client or no finite number.
        PlanError: A clip cuts a share short.
    """
    return _series(code, layout, totals, Sampling.of(plan, layout, code), plan.taking_part)


def system_series(layout: Layout, totals: Sequence[Release] | Sums, name: str) -> Series:
    """The series of a system metric, ``system.loss`` or ``system.accuracy``. Raises FindingsError.

    It stands for the clients in the sums as they are, on their own records, so nothing is sampled
    and none is missing. The joint clip may have moved it either way.
    """
    clip = layout.coordinates[layout.index(name)].clip
    sampling = Sampling(
        "none",
        -clip,
        clip,
        clip,
        step(layout, name),
        1.0,
        0.0,
        0.0,
        added_step=clip / layout.unit(layout.report_of(name)),
        taken_step=SYSTEM_CLIPS * clip / layout.unit(layout.report_of(name)),
        taken_clips=SYSTEM_CLIPS,
    )
    return _series(name, layout, totals, sampling, 0)


def _series(
    name: str,
    layout: Layout,
    totals: Sequence[Release] | Sums,
    sampling: Sampling,
    asked: int,
) -> Series:
    sums = Sums.of(layout, totals)
    if bool((np.diff(sums.rounds) <= 0).any()):
        raise FindingsError("the rounds of the sums do not rise", where=name)
    clipped, spread = layout.report_of(name), layout.spread_of(name)
    asked_for = (name, spread, name + SQUARE, RAISED, clipped)
    parts = [part for part in asked_for if part in layout.names]
    decoded = means(layout, sums, parts)
    absent = np.zeros(len(sums.rounds))
    return Series(
        code=name,
        rounds=sums.rounds,
        clients=sums.clients,
        # A simulation or a damaged plan may count more than were asked.
        asked=np.maximum(sums.clients, asked),
        noise_variance=np.zeros_like(absent) if name in layout.exact else sums.noise_variance,
        effects=decoded[name],
        spreads=decoded.get(spread, absent),
        squares=decoded.get(name + SQUARE, absent),
        cut=decoded[clipped],
        raised=decoded[clipped] if name in SYSTEM_NAMES else decoded.get(RAISED, absent),
        sampling=sampling,
    )


def estimate_mode(plan: MonitoringPlan, layout: Layout, total: Release, code: str) -> Estimate:
    """The estimate of one planned mode in one round. Raises as ``series_of``.

    Effect: the decoded mean S / N. Privacy: sigma / N with the variance that travels with the sum.

    Population ``enrolled``: the mean over these clients as they are, no client sampling. On public
    probes the sampling part is 0; on private records the items differ between clients and
    their errors average out.

    Population ``like-these``: the sampling part is sqrt(V / N) with V the variance over
    clients, the smaller of two upper bounds, each at ``BOUND_LEVEL``: from the released second
    moment, and from the mean alone, which is exact for a share. See ``Sampling``.
    """
    return series_of(plan, layout, [total], code).window(total.round, total.round)
