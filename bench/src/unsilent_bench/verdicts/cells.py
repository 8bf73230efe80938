"""Which worlds are simulated, and what is asked of the methods in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from unsilent.release.accountant import noise_multiplier
from unsilent_bench.verdicts.people import CLIENT_SD, RECORD_ERROR
from unsilent_bench.verdicts.rows import METHODS, OWN_METHOD
from unsilent_bench.verdicts.scenarios import MODES, SCENARIOS, Population, World

ALPHA = 0.05
DELTA = 1e-5
SIZES = (10, 30, 100, 1000)
EPSILONS: tuple[float | None, ...] = (1.0, 2.0, 8.0, None)
POPULATIONS: tuple[Population, ...] = ("enrolled", "like-these")
EVERYWHERE = ("repeated", "skewed", "noisy-baseline", "drop-outs", "late-joiners")
"""Scenarios that are run at every number of clients; the others at 10 and 100."""

FACTORS = {"boundary": 1.05, "e-process": 1.4}
"""c of the design's formula: a method's last critical value over that of one look."""
TABLE: Mapping[int, tuple[float, ...]] = {
    10: (0.19, 0.11, 0.059, 0.051),
    30: (0.067, 0.044, 0.031, 0.030),
    100: (0.024, 0.019, 0.016, 0.016),
    1000: (0.005, 0.005, 0.005, 0.005),
}
"""The design's minimal detectable effects by clients, for ``EPSILONS``: clip 15 points, clients' sd
5 points, window of 10 rounds, one of six modes at alpha .05."""
CLIPS = {"SF-1": 0.30, "SF-3": 0.30, "SF-4": 0.15, "SF-6": 0.15}
"""Clips of the modes whose power is measured. The design states 15 points for its table only."""
BOX_POWERS: Mapping[float, Mapping[str, float]] = {
    8.0: {"SF-1": 0.98, "SF-3": 0.98, "SF-4": 0.98},
    2.0: {"SF-1": 0.70, "SF-3": 0.59, "SF-4": 0.74, "SF-6": 0.40},
}
"""The design's power at 30 clients under a box clip of 8 coordinates, by epsilon."""
JOINT_POWERS = {"SF-1": 0.85, "SF-3": 0.66, "SF-4": 0.87}
"""The same under the joint clip, at epsilon 2."""
DELAYS = {0.005: 8.0, 0.01: 5.0, 0.02: 3.0}
"""The design's delays in rounds by drift a round, for a noise of 2 points a round."""
_NAMES = {
    "SF-1": "amplified_bias",
    "SF-3": "fairness_collapse",
    "SF-4": "adaptation_misalignment",
    "SF-6": "alignment_erosion",
}


@dataclass(frozen=True)
class Cell:
    """A world, how often it is simulated, and what is asked of the methods in it.

    Attributes:
        part: ``errors``, ``power``, ``delay`` or ``silent``.
        world: The world.
        repetitions: How often.
        methods: Who judges.
        mode: The mode whose detection is scored, in ``power`` and ``delay``.
        effect: The injected effect beyond the tolerance; in ``delay`` that of one round.
        reference: Power or delay to reach, and
        asked: the method that is to reach it.
        onset: The first round with an effect, counted from 1.
        label: The scenario's name in the table, if it is not its own.
        note: What else to know.
    """

    part: Literal["errors", "power", "delay", "silent"]
    world: World
    repetitions: int
    methods: tuple[str, ...] = METHODS
    mode: str | None = None
    effect: float | None = None
    reference: float | None = None
    asked: str = "boundary"
    onset: int = 1
    label: str | None = None
    note: str | None = None


def cells(*, short: bool) -> list[Cell]:
    """All cells in the order of the table; the short form has few of each part."""
    if short:
        return [
            *_errors(60, sizes=(10,), names=("repeated", "skewed", "drop-outs"), rounds=10),
            *_matrix(60, sizes=(30,)),
            *_table(100, sizes=(30,), epsilons=(2.0,)),
            *_drifts(60, drifts=(0.02,)),
            *_silent(100, sizes=(30,), epsilons=(8.0,)),
        ]
    return [
        *_errors(200, sizes=SIZES, names=EVERYWHERE, rounds=50),
        *_errors(
            200,
            sizes=(10, 100),
            names=("null", "below", "shared-baseline", "opposed"),
            rounds=50,
        ),
        *_budgets(200),
        *_matrix(200, sizes=(10, 30, 100)),
        *_table(400, sizes=SIZES, epsilons=EPSILONS),
        *_stated(400),
        *_drifts(400, drifts=tuple(DELAYS)),
        *_silent(400, sizes=SIZES, epsilons=(1.0, 8.0)),
        *_absent(200),
    ]


def noise_sd(clients: int, epsilon: float | None, rounds: int, clip: float, norm: float) -> float:
    """Sd of privacy noise in the mean over a whole window: ``R Delta / (mu N)``."""
    if epsilon is None:
        return 0.0
    mu = math.sqrt(rounds) / noise_multiplier(epsilon, DELTA, rounds)
    return clip * norm / (mu * clients)


def size_for(power: float, sd: float, factor: float = FACTORS["boundary"]) -> float:
    """The effect that the design's formula finds with this power: ``(z c + z_power) sd``."""
    normal = NormalDist()
    z = normal.inv_cdf(1 - ALPHA / len(MODES))
    return (z * factor + normal.inv_cdf(power)) * sd


def _errors(
    repetitions: int, *, sizes: tuple[int, ...], names: tuple[str, ...], rounds: int
) -> list[Cell]:
    return [
        Cell("errors", World(clients, rounds, 8.0, population, SCENARIOS[name]), repetitions)
        for name in names
        for population in POPULATIONS
        for clients in sizes
    ]


def _matrix(repetitions: int, *, sizes: tuple[int, ...]) -> list[Cell]:
    """Items like these, of which each client draws its own."""
    return [
        Cell(
            "errors",
            World(clients, 10, 8.0, population, SCENARIOS[name], items="like-these"),
            repetitions,
            label=f"{name}, own items",
        )
        for name in ("repeated", "skewed", "drop-outs")
        for population in POPULATIONS
        for clients in sizes
    ]


def _budgets(repetitions: int) -> list[Cell]:
    """Other budgets and a short horizon."""
    short = [(10, epsilon) for epsilon in EPSILONS]
    long = [(50, epsilon) for epsilon in EPSILONS if epsilon != 8.0]
    return [
        Cell("errors", World(clients, rounds, epsilon, population), repetitions)
        for rounds, epsilon in (*short, *long)
        for population in POPULATIONS
        for clients in ((10, 30, 100, 1000) if rounds == 10 else (30,))
    ]


def _absent(repetitions: int) -> list[Cell]:
    """Drop-outs without noise: nothing hides that the absent clients are not in the sums."""
    note = "the interval is for the clients in the sums; the finding's worst case is for all"
    return [
        Cell(
            "errors",
            World(30, 10, None, population, SCENARIOS["drop-outs"]),
            repetitions,
            note=note,
        )
        for population in POPULATIONS
    ]


def _table(
    repetitions: int, *, sizes: tuple[int, ...], epsilons: tuple[float | None, ...]
) -> list[Cell]:
    """The table of minimal detectable effects, and the formula's own where the table rounds."""
    found: list[Cell] = []
    for clients in sizes:
        for epsilon in epsilons:
            tabled = TABLE[clients][EPSILONS.index(epsilon)]
            at = _Place(clients, epsilon, repetitions)
            found += [_power(at, "SF-4", tabled, 0.8, "mde-table", each) for each in POPULATIONS]
            sd = _formula_sd("SF-4", clients, epsilon, 1.0)
            for asked, factor in FACTORS.items():
                effect = size_for(0.8, sd, factor)
                found.append(_power(at, "SF-4", effect, 0.8, "mde-formula", asked=asked))
    return found


def _stated(repetitions: int) -> list[Cell]:
    """The stated powers, at the effects for which the design's formula gives them."""
    found: list[Cell] = []
    for epsilon, powers in BOX_POWERS.items():
        for mode, power in powers.items():
            effect = _stated_size(mode, power, epsilon, math.sqrt(8))
            found.append(_power(_Place(30, epsilon, repetitions), mode, effect, power, "box"))
            if epsilon == 2.0:
                found.append(_power(_Place(100, epsilon, repetitions), mode, effect, 0.99, "box"))
    for mode, power in JOINT_POWERS.items():
        effect = _stated_size(mode, power, 2.0, 1.0)
        found.append(_power(_Place(30, 2.0, repetitions), mode, effect, power, "joint"))
    return found


def _stated_size(mode: str, power: float, epsilon: float, norm: float) -> float:
    """The size at 30 clients."""
    return size_for(power, _formula_sd(mode, 30, epsilon, norm))


def _formula_sd(mode: str, clients: int, epsilon: float | None, norm: float) -> float:
    noise = noise_sd(clients, epsilon, 10, CLIPS[mode], norm)
    within = RECORD_ERROR if mode == "SF-3" else 0.0
    return math.hypot(math.hypot(CLIENT_SD[mode], within) / math.sqrt(clients), noise)


@dataclass(frozen=True)
class _Place:
    clients: int
    epsilon: float | None
    repetitions: int


def _power(
    place: _Place,
    mode: str,
    effect: float,
    reference: float,
    label: str,
    population: Population = "like-these",
    asked: str = "boundary",
) -> Cell:
    """One mode with an effect beyond its tolerance, alone at weight 1; the others lie near 0."""
    tolerance = 0.01
    modes = {name: {"tolerance": 0.2, "clip": 1.0, "weight": 0.5} for name in MODES}
    modes[_NAMES[mode]] = {"tolerance": tolerance, "clip": CLIPS[mode], "weight": 1.0}
    world = World(
        place.clients,
        10,
        place.epsilon,
        population,
        SCENARIOS["below"],
        effect={mode: tolerance + effect},
        modes=modes,
    )
    cut = tolerance + effect + CLIENT_SD[mode] > CLIPS[mode]
    return Cell(
        "power",
        world,
        place.repetitions,
        mode=mode,
        effect=effect,
        reference=reference,
        asked=asked,
        label=label,
        note="the clip cuts this effect" if cut else None,
    )


def _drifts(repetitions: int, *, drifts: tuple[float, ...]) -> list[Cell]:
    """One mode, noise of 2 points a round, 50 rounds: drifts from the first round and from 26."""
    rounds, clients = 50, 100
    clip = 0.02 * clients / noise_multiplier(8.0, DELTA, rounds)
    modes = {"alignment_erosion": {"tolerance": 0.05, "clip": clip, "weight": 1.0}}
    found: list[Cell] = []
    for onset in (1, 26):
        for drift in drifts:
            course = tuple(drift * max(0, t - onset + 1) for t in range(1, rounds + 1))
            world = World(
                clients,
                rounds,
                8.0,
                "enrolled",
                SCENARIOS["null"],
                effect={"SF-6": course},
                modes=modes,
            )
            reference = DELAYS[drift] if onset == 1 else None
            label = f"drift from round {onset}"
            found.append(
                Cell(
                    "delay",
                    world,
                    repetitions,
                    mode="SF-6",
                    effect=drift,
                    reference=reference,
                    asked="e-process",
                    onset=onset,
                    label=label,
                )
            )
    still = World(clients, rounds, 8.0, "enrolled", SCENARIOS["null"], modes=modes)
    return [Cell("errors", still, repetitions, label="no drift, one mode"), *found]


def _silent(
    repetitions: int, *, sizes: tuple[int, ...], epsilons: tuple[float | None, ...]
) -> list[Cell]:
    """System metrics that fell by 6 points, of all clients alike or of a few."""
    found: list[Cell] = []
    for name in ("repeated", "few-lose"):
        for clients in sizes:
            for epsilon in epsilons:
                if name == "few-lose" and clients < 100:
                    continue
                world = World(clients, 10, epsilon, "enrolled", SCENARIOS[name], system=0.06)
                found.append(Cell("silent", world, repetitions, OWN_METHOD))
    return found
