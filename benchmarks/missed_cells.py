"""Cells of the replay that miss what is asked of them: why, and the least that would do.

    python benchmarks/missed_cells.py --json
    python benchmarks/missed_cells.py --traces DIR --tier lm

Of each main cell of unsilent's that is found, or shown healthy, less often than asked (``FLEET``,
``FEW``): the oracle's rate, what most of the distance from the effect to the deciding end is made
of, and the smallest number of clients, bank, items a client and epsilon with which the cell would
do, each alone, as times today's.
Clients are enlarged as in the replay's power curves. Banks and items are reckoned: the judge is
told of larger ones, and the recorded numbers keep the error of theirs, so that less would do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from common import arguments, show
from unsilent_bench.lm.subsets import parted
from unsilent_bench.replay.batch import batches, shipped_plans
from unsilent_bench.replay.oracle import Oracle
from unsilent_bench.replay.own_method import said
from unsilent_bench.replay.score import Score, scores
from unsilent_bench.replay.units import Unit, with_unit
from unsilent_bench.scenarios import MAIN
from unsilent_bench.traces import Federation, read
from unsilent_bench.verdicts.own_method import series_of

from unsilent.inference.bands import bands
from unsilent.inference.series import Series
from unsilent.plan.personalization import USUAL
from unsilent.taxonomy import by_code

FLEET: dict[tuple[str, float | None], float] = {
    ("strong", 8.0): 0.95,
    ("medium", 8.0): 0.95,
    ("medium", 2.0): 0.85,
    ("mild", 8.0): 0.5,
    ("none", 8.0): 0.9,
    ("none", 2.0): 0.6,
}
"""What is asked of the fleet's cells by dose and epsilon: to be found, the look-alike's health."""
FEW: dict[int, dict[tuple[str, float | None], float]] = {
    16: {("strong", 8.0): 0.95, ("none", 8.0): 0.8},
    5: {("strong", None): 1.0, ("none", None): 0.9},
}
"""The same of a language model's, by clients; without an epsilon the privacy unit is none."""
DRAWS = 20
FACTORS = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Times as many clients, as large a bank or epsilon, that are tried."""

Source = Callable[[Series], Series]


@dataclass(frozen=True)
class Miss:
    """A cell that misses.

    Attributes:
        tier, mode, dose, clients, epsilon: Which; dose ``none`` is the look-alike, no epsilon the
            privacy unit none.
        asked, got: The rate that is asked of it, and that it has.
        oracle: The oracle's own rate of finding it; None for a look-alike.
        truth, tolerance: Mean over federations and rounds, and the plan's.
        most: What most of the distance from the effect to the deciding end is made of.
        least: By setting the smallest factor that does alone; None where none that is tried does.
    """

    tier: str
    mode: str
    dose: str
    clients: int
    epsilon: float | None
    asked: float
    got: float
    oracle: float | None
    truth: float
    tolerance: float
    most: str
    least: dict[str, float | None]


def main() -> None:
    """Print the cells that miss."""
    parser = arguments(__doc__)
    parser.add_argument("--traces", type=Path, help="a folder of traces; else the shipped ones")
    parser.add_argument("--tier", choices=["fleet", "lm"], help="both if not given")
    parser.add_argument(
        "--split", choices=["fresh", "development"], default="fresh", help="fresh if not given"
    )
    given = parser.parse_args()
    federations = [
        each
        for each in read(given.traces).federations
        if each.split == given.split and given.tier in (None, each.tier)
    ]
    found = list(misses(federations))
    if given.json:
        show("cells that miss", [vars(each) for each in found], as_json=True)
        return
    sys.stdout.write(("\n\n".join(map(_sentences, found)) or "No cell misses.") + "\n")


def misses(federations: Iterable[Federation]) -> Iterable[Miss]:
    """The main cells that miss, in order; a language model's federations are cut into parts."""
    main = [
        each
        for each in federations
        if each.scenario in MAIN and each.personalization == USUAL and each.training == "plain"
    ]
    chosen = [each for each in main if each.tier == "fleet"]
    chosen += parted([each for each in main if each.tier == "lm"], tuple(FEW))
    cells: dict[tuple[str, str, str, int], list[Federation]] = {}
    for each in chosen:
        key = (each.tier, each.code, each.dose, each.clients)
        cells.setdefault(key, []).append(each)
    for (tier, code, dose, clients), group in sorted(cells.items()):
        of_tier = FLEET if tier == "fleet" else FEW.get(clients, {})
        for epsilon in (8.0, 2.0, None):
            asked = of_tier.get((dose, epsilon))
            if asked is None:
                continue
            cell = Cell(group, code, dose, "none" if epsilon is None else "client")
            got = cell.rate(epsilon)
            if got >= asked:
                continue
            yield Miss(
                tier,
                code,
                dose,
                clients,
                epsilon,
                asked,
                got,
                None if dose == "none" else cell.oracle(),
                cell.truth,
                cell.tolerance,
                cell.most(epsilon),
                cell.least(epsilon, asked),
            )


class Cell:
    """Federations of one mode's main cause at one dose."""

    def __init__(
        self, federations: Sequence[Federation], code: str, dose: str, unit: Unit = "client"
    ) -> None:
        self._batches = [with_unit(each, unit) for each in batches(federations, shipped_plans())]
        self._code, self._healthy = code, dose == "none"
        plan = self._batches[0].plan
        self._at = plan.planned.index(code)
        self.truth = float(np.mean([b.truth[:, -1, self._at].mean() for b in self._batches]))
        self.tolerance = next(
            mode.tolerance for name, mode in plan.modes if mode and name == by_code(code).mode
        )

    def rate(
        self, epsilon: float | None, *, clients: float = 1.0, source: Source | None = None
    ) -> float:
        """Share of runs that find it, or in which it is healthy in the last round."""
        rates: list[float] = []
        for batch in self._batches:
            number = None if clients == 1 else round(clients * batch.plan.federation.clients)
            simulation = batch.simulation(epsilon, DRAWS, 1, clients=number)

            def series(code: str, simulation=simulation) -> Series:
                whole = series_of(simulation, code)
                return whole if source is None else source(whole)

            judged = said(batch, simulation, DRAWS, series, only=self._code)
            rates += [self._of(each) for each in scores(batch, judged).values()]
        return float(np.mean(rates))

    def oracle(self) -> float:
        """The oracle's rate."""
        found = [scores(b, Oracle().judge(b, None, 1)) for b in self._batches]  # type: ignore[arg-type]
        return float(np.mean([self._of(s) for each in found for s in each.values()]))

    def most(self, epsilon: float | None) -> str:
        """The largest part of the distance to the deciding end, over all rounds, at the last."""
        parts = {"privacy noise": 0.0, "the choice of items or records": 0.0, "clipping": 0.0}
        for batch in self._batches:
            simulation = batch.simulation(epsilon, 2, 1)
            band = bands(simulation.plan, series_of(simulation, self._code))[0]
            side = band.pooled.above if self._healthy else band.pooled.below
            reach = band.reach[1 if self._healthy else 0]
            parts["privacy noise"] += float(np.mean(reach * side.privacy_sd))
            parts["the choice of items or records"] += float(np.mean(reach * side.sampling_sd))
            rounds = np.array(batch.plan.monitoring_rounds) - 1
            true = batch.truth[:, rounds, self._at].mean(axis=1)
            away = np.abs(side.centre - np.repeat(true, 2))
            parts["clipping"] += float(np.mean(away))
        return max(parts, key=parts.__getitem__)

    def least(self, epsilon: float | None, asked: float) -> dict[str, float | None]:
        """The smallest factor of each setting that does alone."""
        ways: dict[str, Callable[[float], float]] = {
            "clients": lambda k: self.rate(epsilon, clients=k),
            "bank": lambda k: self.rate(epsilon, source=lambda s: _banks(s, k)),
            "items": lambda k: self.rate(epsilon, source=lambda s: _items(s, k)),
        }
        if epsilon is not None:
            ways["epsilon"] = lambda k: self.rate(epsilon * k)
        return {
            name: next((k for k in FACTORS if way(k) >= asked), None) for name, way in ways.items()
        }

    def _of(self, score: Score) -> float:
        if self._healthy:
            return 0.0 if score.last is None else float((score.last[:, self._at] == -1).mean())
        return float(score.found[:, self._at].mean())


def _banks(series: Series, factor: float) -> Series:
    """The series as if banks were so many times as large."""
    probes = tuple((w, n, round(held * factor)) for w, n, held in series.sampling.probes)
    return replace(series, sampling=replace(series.sampling, probes=probes))


def _items(series: Series, factor: float) -> Series:
    """The series as if clients answered so many times as many items of the same banks."""
    sampling = series.sampling
    probes = tuple((w, min(round(n * factor), held), held) for w, n, held in sampling.probes)
    less = factor if sampling.squared else factor**0.5
    records = round(sampling.records * factor)
    return replace(
        series,
        spreads=series.spreads / less,
        sampling=replace(sampling, probes=probes, records=records),
    )


def _sentences(miss: Miss) -> str:
    budget = "no noise" if miss.epsilon is None else f"epsilon {miss.epsilon:g}"
    what = "called healthy" if miss.dose == "none" else "found"
    oracle = "" if miss.oracle is None else f", by the oracle in {miss.oracle:.0%}"
    would = [f"{name} x {factor:g}" for name, factor in miss.least.items() if factor is not None]
    return (
        f"{miss.tier}, {miss.clients} clients, {budget}: {miss.mode} {miss.dose} {what} in "
        f"{miss.got:.0%} of the runs{oracle}; asked: {miss.asked:.0%}.\n"
        f"  Truth {100 * miss.truth:+.1f} of {100 * miss.tolerance:g} points; "
        f"most of the distance: {miss.most}.\n"
        f"  Would do, each alone: {', '.join(would) or 'none that was tried'}."
    )


if __name__ == "__main__":
    main()
