"""The clients of a simulated world: their numbers, and what is true of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from unsilent.inference.sampling import released_range
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import ACCURACY, DIFFERING, LOSS, SPREAD, UNSHOWN
from unsilent.taxonomy import by_code
from unsilent_bench.verdicts.scenarios import World

Array = NDArray[np.float64]

CLIENT_SD = {
    "SF-1": 0.10,
    "SF-2": 0.03,
    "SF-3": 0.05,
    "SF-4": 0.05,
    "SF-5": 0.05,
    "SF-6": 0.05,
}
"""Sd over clients of what is measured: bias 10 points, squared gaps 3, all else 5. Of items as they
are the lasting error of finite items is in it."""
ITEM_ERROR = 0.03
"""Standard error of a client's number over its probes, as it reports it."""
RECORD_ERROR = 0.06
"""Standard error of a client's loss over its own records (SF-3)."""
SYSTEM_SD = 0.05
"""Sd over clients of the change of the system metrics."""
FEW, FEW_SIZE = 0.2, 0.25
"""In a skewed world this share of the clients carries an effect of this size, the rest none."""


class People:
    """The clients of all repetitions; they keep effects and errors from round to round.

    On the enrolled population the effects are set so that their mean over the clients is exactly
    at the level. For clients like these they are drawn from a population whose mean is at it.
    Records are each client's own; probes that stand for items like these are each client's own
    draw of a bank, and their error comes back in every round, which is harder than a new draw.

    Args:
        world: The cell.
        plan: ``world.plan()``.
        repetitions: How many sets of clients.
        generator: Source of randomness.
    """

    def __init__(
        self, world: World, plan: MonitoringPlan, repetitions: int, generator: np.random.Generator
    ) -> None:
        self._world, self._plan = world, plan
        shape = (repetitions, world.clients)
        self._fixed = world.population == "enrolled"
        self._place = generator.random(shape)
        self._around = {code: self._draw(code, shape, generator) for code in plan.planned}
        self._errors = {code: self._error(code, shape, generator) for code in plan.planned}
        self._shared = world.scenario.shared_sd * generator.standard_normal((repetitions, 1))
        self._system = {name: self._metric(name, shape, generator) for name in (LOSS, ACCURACY)}

    def at(self, moment: int) -> tuple[dict[str, Array], Array]:
        """All numbers of all clients in one round, counted from 0.

        Returns:
            For each name of the layout's inputs (repetitions, clients) measured numbers, and
            (repetitions, clients, modes) what each client's limited number is in expectation
            over its private records, and over probes where these stand for items like them.
        """
        # Everybody measures the model that serves.
        absent = np.zeros(self._place.shape)
        values = {**self._system, UNSHOWN: absent, DIFFERING: absent}
        expected: list[Array] = []
        for code in self._plan.planned:
            number = self._mean_at(code, self._level(code, moment))
            expected.append(limited(self._plan, code, number))
            error, spread = self._errors[code]
            values[code] = number + error
            if not _private(code):
                values[code] = values[code] + self._shared
            values[code + SPREAD] = np.full(number.shape, spread)
        return values, np.stack(expected, axis=-1)

    def means(self, moment: int) -> Array:
        """(modes,) mean of the limited numbers over the population that clients are drawn from."""
        found: list[float] = []
        for code in self._plan.planned:
            level = self._level(code, moment)
            clip = released_range(self._plan, code)[1]
            baseline = self._world.scenario.baseline_sd
            if self._world.scenario.skewed:
                sd = float(np.hypot(ITEM_ERROR, baseline))
                few = clipped_mean(level + (1 - FEW) * FEW_SIZE, sd, clip)
                most = clipped_mean(level - FEW * FEW_SIZE, sd, clip)
                found.append(FEW * few + (1 - FEW) * most)
            elif self._world.scenario.alike:
                found.append(clipped_mean(level, 0.0, clip))
            else:
                found.append(clipped_mean(level, float(np.hypot(CLIENT_SD[code], baseline)), clip))
        return np.array(found)

    def _level(self, code: str, moment: int) -> float:
        planned = self._plan.mode(by_code(code).mode)
        at_tolerance = self._world.scenario.level == "tolerance" and planned is not None
        level = planned.tolerance if at_tolerance and planned is not None else 0.0
        effect = self._world.effect.get(code, 0.0)
        return level + (effect[moment] if isinstance(effect, tuple) else effect)

    def _draw(self, code: str, shape: tuple[int, int], generator: np.random.Generator) -> Array:
        """Departures of the clients' numbers from the level, mean 0 over the population."""
        scenario = self._world.scenario
        if scenario.alike:
            return np.zeros(shape)
        if scenario.skewed:
            error = float(np.hypot(ITEM_ERROR, scenario.baseline_sd))
            few = generator.random(shape) < FEW
            return error * generator.standard_normal(shape) + FEW_SIZE * (few - FEW)
        around = float(np.hypot(CLIENT_SD[code], scenario.baseline_sd)) * (
            generator.standard_normal(shape)
        )
        if scenario.opposed:
            # The clients with the highest numbers of SF-2 have the lowest elsewhere.
            rank = np.argsort(np.argsort(self._place, axis=1), axis=1)
            rising = np.take_along_axis(np.sort(around, axis=1), rank, axis=1)
            around = -rising if code == "SF-2" else rising
        return around

    def _mean_at(self, code: str, level: float) -> Array:
        values = level + self._around[code]
        if self._fixed:
            # The clip cuts a little off; a few passes put the limited mean at the level.
            for _ in range(24):
                mean = limited(self._plan, code, values).mean(axis=1, keepdims=True)
                values = values - (mean - level)
        return values

    def _error(
        self, code: str, shape: tuple[int, int], generator: np.random.Generator
    ) -> tuple[Array, float]:
        """What finite records or probes put into each client's number, and what it reports."""
        if _private(code):
            return RECORD_ERROR * generator.standard_normal(shape), RECORD_ERROR
        if self._plan.monitor.items == "these":
            # Asked the same in each run, they are part of what is measured.
            return np.zeros(shape), ITEM_ERROR
        common = max(self._common(need.items) for need in MODES[code].needs)
        together = generator.standard_normal((shape[0], 1))
        own = generator.standard_normal(shape)
        return ITEM_ERROR * (np.sqrt(common) * together + np.sqrt(1 - common) * own), ITEM_ERROR

    def _common(self, role: ItemRole) -> float:
        """Part of the variance over items that the bank itself has: n / B."""
        return self._plan.probes.size(role) / self._plan.bank(role)

    def _metric(self, name: str, shape: tuple[int, int], generator: np.random.Generator) -> Array:
        """A system metric whose mean over the clients is exactly the world's change.

        Where a few clients bear all of it, none loses more accuracy than there is.
        """
        draws = SYSTEM_SD * generator.standard_normal(shape)
        draws -= draws.mean(axis=1, keepdims=True)
        losers = round(self._world.scenario.losers * shape[1])
        if not losers:
            return draws + self._world.system
        loss = self._world.system * shape[1] / losers
        draws[:, :losers] += min(loss, 1.0) if name == ACCURACY else loss
        return draws


def _private(code: str) -> bool:
    return MODES[code].view == "client_private"


def limited(plan: MonitoringPlan, code: str, values: Array) -> Array:
    """Numbers limited to what the release can hold."""
    lower, upper = released_range(plan, code)
    return np.clip(values, lower, upper)


def clipped_mean(mean: float, sd: float, clip: float) -> float:
    """Mean of a normal variable limited to ±clip.

    ``E min(X, c) = m - sd (phi(z) - z (1 - Phi(z)))`` with z = (c - m) / sd, and likewise below.
    """
    if sd == 0:
        return min(max(mean, -clip), clip)

    def beyond(distance: float) -> float:
        z = distance / sd
        density = float(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))
        return sd * (density - z * float(ndtr(-z)))

    return mean - beyond(clip - mean) + beyond(clip + mean)
