"""Ours: the bands and the decision that ``judge_rounds`` uses, over many repetitions at once."""

from __future__ import annotations

import numpy as np

from unsilent.inference.bands import Band, bands, bands_with, decide
from unsilent.inference.judge import VISIBILITY_ERROR
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series, system_series
from unsilent.plan import MonitoringPlan
from unsilent.release import Release
from unsilent.release.coordinate import ACCURACY, LOSS, RAISED, SQUARE
from unsilent_bench.verdicts.baselines import Flags, Judged, tolerances
from unsilent_bench.verdicts.people import Array
from unsilent_bench.verdicts.rows import EDGE
from unsilent_bench.verdicts.world import Simulation

CONTROLS = {"boundary": "horizon", "e-process": "open-ended"}


def own_method(simulation: Simulation, method: str, only: str | None = None) -> Judged:
    """What unsilent says in every round.

    Args:
        simulation: The sums.
        method: ``boundary`` or ``e-process``.
        only: Judge this mode alone; of the others nothing is said.

    Returns:
        A round misses if the interval of any of its windows does not hold the mean of the truth
        over the window's client-rounds.
    """
    plan = controlled(simulation.plan, method)
    failure, healthy, missed, ill, well = (
        np.zeros(simulation.truth.shape, dtype=np.bool_) for _ in range(5)
    )
    for position, code in enumerate(plan.planned):
        if only not in (None, code):
            continue
        tolerance = float(tolerances(plan)[position])
        whole = series_of(simulation, code)
        for look in range(1, len(whole.rounds) + 1):
            found = bands(plan, first(whole, look))
            sign, _ = decide(found, tolerance)
            here = (slice(None), int(whole.rounds[look - 1]) - 1, position)
            failure[here], healthy[here] = sign > 0, sign < 0
            for band in found:
                truth = _within(band, simulation, position)
                missed[here] |= (truth < band.lower - EDGE) | (truth > band.upper + EDGE)
                ill[here] |= (band.lower > tolerance) & (truth <= tolerance + EDGE)
                # A verdict of health is one about every window whose upper end is below.
                below = (sign < 0) & (band.upper < tolerance)
                well[here] |= below & (truth >= tolerance - EDGE)
    return Judged(failure, healthy, missed, ill, well)


def silences(simulation: Simulation, method: str) -> Flags:
    """(repetitions,) whether a failure in any window at any round would be called silent."""
    plan, silent = controlled(simulation.plan, method), np.zeros(len(simulation.totals), np.bool_)
    both = [series_of(simulation, name) for name in (LOSS, ACCURACY)]
    for look in range(1, len(both[0].rounds) + 1):
        pairs = zip(
            *(
                bands_with(plan, first(each, look), VISIBILITY_ERROR, VISIBILITY_ERROR)
                for each in both
            ),
            strict=True,
        )
        for pair in pairs:
            # As ``visibility_of``: both upper ends below the margin.
            silent |= np.maximum(*(band.upper for band in pair)) < plan.monitor.margin
    return silent


def releases(simulation: Simulation, repetition: int) -> list[Release]:
    """The usable sums of one repetition, as the monitor would hold them."""
    return [
        Release(
            simulation.layout.digest,
            int(at) + 1,
            int(simulation.clients[at]),
            simulation.totals[repetition, at],
            float(simulation.noise_variance[at]),
        )
        for at in np.flatnonzero(simulation.usable)
    ]


def controlled(plan: MonitoringPlan, method: str) -> MonitoringPlan:
    """The plan with the error control of a method; layout and noise do not depend on it."""
    monitor = plan.monitor.model_copy(update={"control": CONTROLS[method]})
    return plan.model_copy(update={"monitor": monitor})


def series_of(simulation: Simulation, code: str) -> Series:
    """A mode or system metric over all usable rounds, repetitions as a leading axis."""
    layout, use = simulation.layout, simulation.usable
    clients, clipped = simulation.clients[use], layout.report_of(code)

    def column(name: str) -> Array:
        if name not in layout.names:
            return np.zeros((len(simulation.totals), int(use.sum())))
        position = layout.index(name)
        sums = simulation.totals[:, use, position].astype(np.float64)
        return sums / (clients * layout.unit(name)) * layout.coordinates[position].clip

    asked = simulation.plan.taking_part if code in simulation.plan.planned else 0
    return Series(
        code=code,
        rounds=np.flatnonzero(use) + 1,
        clients=clients,
        asked=np.maximum(clients, asked),
        noise_variance=np.array(
            [layout.variance_of(code, float(each)) for each in simulation.noise_variance[use]]
        ),
        effects=column(code),
        spreads=column(layout.spread_of(code)),
        squares=column(code + SQUARE),
        cut=column(clipped),
        raised=column(RAISED if code in simulation.plan.planned else clipped),
        sampling=_sampling(simulation, code),
    )


def _sampling(simulation: Simulation, code: str) -> Sampling:
    if code in simulation.plan.planned:
        return Sampling.of(simulation.plan, simulation.layout, code)
    return system_series(simulation.layout, releases(simulation, 0), code).sampling


def first(series: Series, looks: int) -> Series:
    """The series as it was after some looks."""
    return Series(
        code=series.code,
        rounds=series.rounds[:looks],
        clients=series.clients[:looks],
        asked=series.asked[:looks],
        noise_variance=series.noise_variance[:looks],
        effects=series.effects[:, :looks],
        spreads=series.spreads[:, :looks],
        squares=series.squares[:, :looks],
        cut=series.cut[:, :looks],
        raised=series.raised[:, :looks],
        sampling=series.sampling,
    )


def _within(band: Band, simulation: Simulation, position: int) -> Array:
    """(repetitions,) mean of a mode's truth over the client-rounds of a band's window."""
    window = slice(band.first - 1, band.last)
    weights = np.where(simulation.usable[window], simulation.clients[window], 0)
    return simulation.truth[:, window, position] @ (weights / weights.sum())
