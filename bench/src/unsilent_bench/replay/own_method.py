"""The product's own judge, on its own release and on two releases that are made otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from unsilent.inference.bands import bands, bands_with, decide
from unsilent.inference.judge import VISIBILITY_ERROR
from unsilent.inference.series import Series
from unsilent.release.accountant import noise_multiplier
from unsilent.release.coordinate import ACCURACY, LOSS
from unsilent.release.noise import smallest_cohort, sum_sigma
from unsilent_bench.replay.batch import Batch, noise_generator
from unsilent_bench.replay.contract import MethodVerdicts
from unsilent_bench.verdicts.baselines import tolerances
from unsilent_bench.verdicts.own_method import first, series_of
from unsilent_bench.verdicts.people import Array
from unsilent_bench.verdicts.world import Simulation

_GUARDS = 2


class Unsilent:
    """Statistics clipped jointly, summed, noised once for the whole vector; a boundary over rounds.

    Args:
        draws: Runs of each federation; the batch's own if None.
    """

    name = "unsilent"
    private = True
    sees = "one noised sum of all clients a round"
    note = ""

    def __init__(self, draws: int | None = None) -> None:
        self.draws = draws

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts:
        """As ``Method.judge``."""
        draws = 1 if epsilon is None else self.draws or batch.draws
        return said(batch, batch.simulation(epsilon, draws, seed), draws)


class LocalDP:
    """Every client's vector is as private by itself as the sum is with ours: local DP.

    The noise of one vector is that of our whole sum, so the sum of N has N times its variance.
    """

    name = "local-dp"
    private = True
    sees = "each client's noised vector"
    note = "the same guarantee without trust in a sum; judged by the same boundary"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts:
        """As ``Method.judge``."""
        draws = 1 if epsilon is None else batch.draws // 2
        simulation = batch.simulation(epsilon, draws, seed)
        if epsilon is not None:
            local = simulation.clients * sum_sigma(simulation.plan) ** 2
            grown = np.sqrt(local / simulation.noise_variance)
            exact = np.repeat(batch.sums, draws, axis=0)
            noise = (simulation.totals - exact) * grown[:, None]
            totals = exact + np.rint(noise).astype(np.int64)
            simulation = replace(simulation, totals=totals, noise_variance=local)
        return said(batch, simulation, draws)


class NoiseOnMeans:
    """A trusted server noises each mean by itself: no joint clip, the budget split over numbers.

    K numbers (the modes' and two system metrics) in T rounds are K T Gaussian releases, composed
    as tightly as ours, each with the sensitivity of its own clip. Clients' spreads and the share
    that clipping cut off are given to it for nothing.
    """

    name = "noise-on-means"
    private = True
    sees = "each client's numbers in the clear, at a trusted server"
    note = "the same total budget, each number noised by itself; judged by the same boundary"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts:
        """As ``Method.judge``."""
        draws = 1 if epsilon is None else batch.draws // 2
        simulation = batch.simulation(epsilon, draws, seed)
        exact = replace(
            simulation,
            totals=np.repeat(batch.sums, draws, axis=0),
            noise_variance=np.zeros(len(simulation.clients)),
        )
        generator = noise_generator(batch.federations[0], seed + 1, epsilon or 0.0, 1)
        numbers = len(batch.plan.planned) + 2
        multiplier = 0.0
        if epsilon is not None:
            delta, rounds = batch.plan.privacy.delta, len(batch.plan.monitoring_rounds)
            multiplier = noise_multiplier(epsilon, delta, rounds * numbers)
        shares = np.sqrt(simulation.clients / smallest_cohort(simulation.plan))

        def noised(code: str) -> Series:
            series = series_of(exact, code)
            position = batch.plan.planned.index(code)
            effects = np.repeat(batch.means[..., position], draws, axis=0)[:, simulation.usable]
            sds = (multiplier * batch.layout.unit(code) * shares)[simulation.usable]
            here = sds / series.clients * series.truncation
            return replace(
                series,
                effects=effects + generator.standard_normal(effects.shape) * here,
                noise_variance=sds**2,
                cut=np.zeros_like(effects),
                raised=np.zeros_like(effects),
                sampling=replace(series.sampling, added_step=0.0, taken_step=0.0),
            )

        return replace(said(batch, simulation, draws, noised), visibility=None)


def said(
    batch: Batch,
    simulation: Simulation,
    draws: int,
    source: Callable[[str], Series] | None = None,
    only: str | None = None,
) -> MethodVerdicts:
    """The judge's verdicts at every round, with the truth over each finding's own window.

    Args:
        batch: The federations.
        simulation: Their sums, ``draws`` repetitions each.
        draws: Runs of each federation.
        source: Where a mode's series comes from; by default the sums.
        only: Judge this mode alone; of the others nothing is said.
    """
    plan, source = simulation.plan, source or (lambda code: series_of(simulation, code))
    shape = (len(batch.federations), draws, *batch.truth.shape[1:])
    failure, healthy = (np.zeros(shape, dtype=np.bool_) for _ in range(2))
    about = np.repeat(batch.truth[:, None], draws, axis=1)
    guarded = about.copy()
    score = np.full((*shape[:2], shape[3]), -np.inf)
    visibility = np.zeros((*shape[:2], shape[3]), dtype=np.int64)
    silent = _visibilities(simulation)
    for position, code in enumerate(plan.planned):
        if only not in (None, code):
            continue
        tolerance = float(tolerances(plan)[position])
        whole = source(code)
        for look in range(1, len(whole.rounds) + 1):
            found = bands(plan, first(whole, look))
            sign, shown = (part.reshape(shape[:2]) for part in decide(found, tolerance))
            truth = np.stack(
                [_within(simulation, batch.truth[..., position], b.first, b.last) for b in found]
            )
            at = int(whole.rounds[look - 1]) - 1
            here = (slice(None), slice(None), at, position)
            failure[here], healthy[here] = sign > 0, sign < 0
            about[here] = np.take_along_axis(truth.T, shown, axis=1)
            guarded[here] = truth[:_GUARDS].max(axis=0)[:, None]
            highest = np.max([band.lower for band in found], axis=0).reshape(shape[:2]) - tolerance
            score[..., position] = np.maximum(score[..., position], highest)
            if look == len(whole.rounds):
                seen = silent.reshape(len(found), *shape[:2])
                visibility[..., position] = np.take_along_axis(seen, shown[None], axis=0)[0]
    return MethodVerdicts(failure, about, score, healthy, guarded, visibility)


def _visibilities(simulation: Simulation) -> Array:
    """(windows, repetitions) as ``visibility_of``: 1 silent, -1 loud, 0 undetermined; last round.

    The windows are those of ``bands``, in its order.
    """
    margin = simulation.plan.monitor.margin
    both = [
        bands_with(simulation.plan, series_of(simulation, name), VISIBILITY_ERROR, VISIBILITY_ERROR)
        for name in (LOSS, ACCURACY)
    ]
    upper = np.max([[band.upper for band in found] for found in both], axis=0)
    lower = np.max([[band.lower for band in found] for found in both], axis=0)
    return np.where(upper < margin, 1, np.where(lower > margin, -1, 0))


def _within(simulation: Simulation, truth: Array, start: int, last: int) -> Array:
    """(federations,) mean of a mode's truth over the client-rounds of a window."""
    window = slice(start - 1, last)
    weights = np.where(simulation.usable[window], simulation.clients[window], 0)
    return truth[:, window] @ (weights / weights.sum())
