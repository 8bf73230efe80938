"""Do intervals hold what they are about where each client answers its own items of a bank?

Each run redraws the bank, who drops out, and every client's items in every round, by the product's
own draw; numbers and spreads are the modes' formulas on the drawn items, and everything after that
is the product's: `Layout.encode_all`, noise, series, bands. `lower` and `upper` are the shares of
runs in which all ends of that side, of all windows, looks and modes, held; each is nominally at
least 1 - alpha, `both` at least 1 - 2 alpha. `mode` is the worst single mode's, of either side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import Rows, arguments, show
from numpy.typing import NDArray
from scipy.stats import beta
from unsilent_bench.verdicts.adversary.records import Records
from unsilent_bench.verdicts.own_method import series_of
from unsilent_bench.verdicts.world import Simulation

from unsilent.inference.bands import bands
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes.draw import drawn
from unsilent.release.coordinate import ACCURACY, LOSS, MODEL_NAMES, SPREAD
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.taxonomy import by_code

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALPHA = 0.05
ASKED = 40
CLIENTS = (5, 16, 128)
PARTS = (0.02, 0.2, 0.8, 1.0)
EPSILONS: tuple[float | None, ...] = (None, 2.0, 8.0)
DROPOUTS = (0.0, 0.05, 0.2)
ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful")
DOMAINS = 4
RECORDS = 24
"""Held-out records of each client."""
CLIP = 0.3
TOLERANCE = 0.1


@dataclass(frozen=True)
class Cell:
    """One federation whose coverage is simulated."""

    clients: int
    part: float
    items: str
    epsilon: float | None
    dropout: float
    population: str = "enrolled"

    def plan(self) -> MonitoringPlan:
        """Its plan: six modes, two looks."""
        bank = round(ASKED / self.part)
        mode = {"tolerance": TOLERANCE, "clip": CLIP, "weight": 0.7}
        names = [by_code(f"SF-{number}").mode for number in range(1, 7)]
        privacy: dict[str, Any] = (
            {"unit": "none"}
            if self.epsilon is None
            else {
                "epsilon": self.epsilon,
                "aggregation": "plain",
            }
        )
        privacy["dropout"] = self.dropout
        left = math.floor(self.clients * (1 - self.dropout))
        return parse_plan(
            {
                "federation": {"clients": self.clients, "rounds": 2, "held_out": RECORDS},
                "monitor": {
                    "population": self.population,
                    "items": self.items,
                    "min_cohort": max(2, left),
                },
                "privacy": privacy,
                "probes": {
                    "items": ASKED,
                    "sampling": "same" if self.part == 1 else "matrix",
                    "banks": {} if self.part == 1 else dict.fromkeys(ROLES, bank),
                },
                "modes": dict.fromkeys(names, mode),
            }
        )


def cells(*, short: bool) -> Iterator[Cell]:
    """Every number of clients, part of the bank and budget; drop-outs by turns."""
    if short:
        yield Cell(5, 0.2, "like-these", None, 0.0)
        yield Cell(16, 0.2, "these", 8.0, 0.2)
        return
    turn = 0
    for clients in CLIENTS:
        for part in PARTS:
            for items in ("like-these", "these"):
                for epsilon in EPSILONS:
                    yield Cell(clients, part, items, epsilon, DROPOUTS[turn % 3])
                    turn += 1
    for part in PARTS[:2]:
        yield Cell(16, part, "like-these", 8.0, 0.05, "like-these")
        yield Cell(128, part, "like-these", None, 0.2, "like-these")


class Bank:
    """Units of a role in strata, each with a change that clients share and one of their own."""

    def __init__(self, units: int, generator: np.random.Generator) -> None:
        self.strata = np.arange(units, dtype=np.int64) % (2 * DOMAINS)
        # A few units carry much: what a sample misses most easily.
        self.heavy = (generator.random(units) < 0.06).astype(np.float64)
        self.light = generator.standard_normal(units)

    def changes(self, tilt: Array) -> Array:
        """(N, B) changes of the clients' scores: a level, what few units carry, scatter."""
        level, heavy, light = (each[:, None] for each in tilt)
        return level + heavy * (self.heavy - 0.06) + light * self.light


def draws(bank: Bank, count: int, clients: int, seed: int) -> NDArray[np.int64]:
    """(N, n) units that each client is asked, by the product's own draw."""
    return np.stack([drawn(bank.strata, count, seed + client) for client in range(clients)])


def stratified(
    values: Array, strata: NDArray[np.int64], used: NDArray[np.bool_] | None = None
) -> Array:
    """(N,) standard errors of means of (N, n) values, ``scores.stratified_error`` for many.

    Args:
        values: (N, n).
        strata: (N, n) kinds of the items.
        used: (N, n) which of them count; None for all.
    """
    every = np.ones(values.shape, dtype=np.bool_) if used is None else used
    total = every.sum(axis=1)
    square, single = np.zeros(len(values)), np.zeros(values.shape, dtype=np.bool_)

    def rest(own: NDArray[np.bool_], count: NDArray[np.int64], middle: Array) -> Array:
        return ((values - middle[:, None]) ** 2 * own).sum(axis=1) * np.where(
            count > 1, count / np.maximum(count - 1, 1), 1.0
        )

    for kind in range(2 * DOMAINS):
        own = every & (strata == kind)
        count = own.sum(axis=1)
        single |= own & (count == 1)[:, None]
        middle = (values * own).sum(axis=1) / np.maximum(count, 1)
        square += np.where(count > 1, rest(own, count, middle), 0.0)
    count = single.sum(axis=1)
    middle = (values * single).sum(axis=1) / np.maximum(count, 1)
    whole = (values * every).sum(axis=1) / total
    # A single left-over has nothing to differ from but the others' mean.
    square += rest(single, count, np.where(count > 1, middle, whole))
    return np.sqrt(square) / total


class Federation:
    """Clients of a cell, the same in all runs: what each does to the units of a bank."""

    def __init__(self, cell: Cell, seed: int) -> None:
        self.cell, self.plan = cell, cell.plan()
        # A frozen model has a hash, which its type does not say.
        self.layout = Layout.from_plan(self.plan)
        generator = np.random.default_rng((seed, 1))
        self._levels = self._clients(cell.clients, generator)
        self._losses = 0.02 + 0.06 * generator.random(cell.clients)
        self._records: Any = None

    @staticmethod
    def _clients(clients: int, generator: np.random.Generator) -> dict[ItemRole, Array]:
        found: dict[ItemRole, Array] = {}
        for role in ROLES:
            level = 0.05 + 0.04 * generator.standard_normal(clients)
            heavy = 0.4 * generator.random(clients)
            light = 0.05 + 0.1 * generator.random(clients)
            found[role] = np.stack([level, heavy, light])
        return found

    def simulate(self, runs: int, seed: int) -> Simulation:
        """The sums and what is true of them."""
        plan, cell = self.plan, self.cell
        shape = (runs, 2, cell.clients)
        values = {name: np.zeros(shape) for name in self.layout.inputs}
        truth = np.zeros((runs, 2, len(plan.planned)))
        for run in range(runs):
            self._run(run, np.random.default_rng((seed, run)), values, truth)
        generator = np.random.default_rng((seed, runs))
        gone = round(cell.dropout * cell.clients)
        here = np.ones(shape)
        if gone:
            # Those with the highest numbers are lost: nothing may rest on who is.
            rank = np.argsort(np.argsort(values["SF-1"] + 0.02 * generator.random(shape), axis=-1))
            here = (rank < cell.clients - gone).astype(np.float64)
        for name in (LOSS, ACCURACY, *MODEL_NAMES):
            values[name] = np.zeros(shape)
        totals = np.einsum("rtn,rtnc->rtc", here, self.layout.encode_all(values).astype(np.float64))
        clients = np.full(2, cell.clients - gone, dtype=np.int64)
        variance: Array = clients.astype(np.float64) * float(share_variance(plan))
        noised = [name not in self.layout.exact for name in self.layout.names]
        noise = generator.standard_normal(totals.shape) * np.sqrt(np.outer(variance, noised))
        return Simulation(
            plan,
            self.layout,
            np.rint(totals + noise).astype(np.int64),
            clients,
            np.ones(2, dtype=np.bool_),
            variance,
            truth,
            truth,
            truth,
        )

    def _run(
        self, run: int, generator: np.random.Generator, values: dict[str, Array], truth: Array
    ) -> None:
        """One draw of the bank, and of each client's items and records in two rounds."""
        plan, clients = self.plan, self.cell.clients
        levels = self._levels
        if self.cell.population == "like-these":
            levels = self._clients(clients, generator)
        banks: dict[ItemRole, Bank] = {role: Bank(plan.bank(role), generator) for role in ROLES}
        homes = np.arange(clients) % DOMAINS
        changes: dict[ItemRole, Array] = {role: banks[role].changes(levels[role]) for role in ROLES}
        seed = int(generator.integers(2**62))
        for moment in range(2):
            asked = {
                role: draws(banks[role], ASKED, clients, seed + 10**6 * (7 * moment + place))
                if plan.probes.sampling == "matrix"
                else np.broadcast_to(np.arange(ASKED), (clients, ASKED))
                for place, role in enumerate(ROLES)
            }
            got = {role: np.take_along_axis(changes[role], asked[role], axis=1) for role in ROLES}
            for code, role in (("SF-1", "bias"), ("SF-6", "harmful")):
                values[code][run, moment] = got[role].mean(axis=1)
                values[code + SPREAD][run, moment] = got[role].std(axis=1, ddof=1) / ASKED**0.5
            both = [got[role] for role in ("general", "harmful")]
            values["SF-4"][run, moment] = sum(each.mean(axis=1) for each in both) / 2
            spreads = [each.std(axis=1, ddof=1) / ASKED**0.5 for each in both]
            values["SF-4" + SPREAD][run, moment] = np.hypot(*spreads) / 2
            self._away(run, moment, got["task"], banks["task"].strata[asked["task"]], homes, values)
            self._gaps(run, moment, got["task"], banks["task"].strata[asked["task"]], values)
        self._true(run, changes, banks, homes, levels, truth)
        self._lost(run, generator, values, truth)

    @staticmethod
    def _away(
        run: int,
        moment: int,
        got: Array,
        strata: NDArray[np.int64],
        homes: NDArray[np.int64],
        values: dict[str, Array],
    ) -> None:
        """SF-5: the items of other domains than the client's own."""
        away = strata // 2 != homes[:, None]
        values["SF-5"][run, moment] = (got * away).sum(axis=1) / away.sum(axis=1)
        values["SF-5" + SPREAD][run, moment] = stratified(got, strata, away)

    @staticmethod
    def _gaps(
        run: int, moment: int, got: Array, strata: NDArray[np.int64], values: dict[str, Array]
    ) -> None:
        """SF-2: a gap of 0.1 before on every item, and of 0.1 and the change after."""
        after = 0.1 + got
        mean = after.mean(axis=1, keepdims=True)
        error = stratified(after, strata)
        own = stratified(mean * after, strata)
        values["SF-2"][run, moment] = mean[:, 0] ** 2 - error**2 - 0.01
        values["SF-2" + SPREAD][run, moment] = np.hypot(2 * own, math.sqrt(2) * error**2)

    def _true(
        self,
        run: int,
        changes: dict[ItemRole, Array],
        banks: dict[ItemRole, Bank],
        homes: NDArray[np.int64],
        levels: dict[ItemRole, Array],
        truth: Array,
    ) -> None:
        """Means over the bank, or over units like these, which are the levels."""
        plan = self.plan
        if plan.monitor.items == "like-these":
            means = {role: levels[role][0] for role in ROLES}
            away = means["task"]
            squares = (0.1 + means["task"]) ** 2
        else:
            means = {role: changes[role].mean(axis=1) for role in ROLES}
            kinds = banks["task"].strata // 2
            away = np.array([changes["task"][i, kinds != h].mean() for i, h in enumerate(homes)])
            strata = np.broadcast_to(banks["task"].strata, changes["task"].shape)
            error = stratified(changes["task"], strata)
            squares = (0.1 + means["task"]) ** 2 - error**2
        numbers = {
            "SF-1": means["bias"],
            "SF-2": squares - 0.01,
            "SF-4": (means["general"] + means["harmful"]) / 2,
            "SF-5": away,
            "SF-6": means["harmful"],
        }
        for place, code in enumerate(plan.planned):
            if code in numbers:
                # What the clients are drawn from has the mean of the law that they are drawn by.
                true = numbers[code].mean()
                if self.cell.population == "like-these":
                    true = 0.15**2 + 0.04**2 - 0.01 if code == "SF-2" else 0.05
                truth[run, :, place] = true

    def _lost(
        self, run: int, generator: np.random.Generator, values: dict[str, Array], truth: Array
    ) -> None:
        """SF-3: the losses that each client's own records confirm; they come back."""
        place = self.plan.planned.index("SF-3")
        if self._records is None:
            from unsilent_bench.verdicts.adversary.genes import Genome, length

            count = len(self.plan.planned)
            genome = Genome(np.full(length(count), 0.5), count, "failure")
            self._records = Records(_drawn(self.plan), genome, place)
        level = self._losses
        if self.cell.population == "like-these":
            level = 0.02 + 0.06 * generator.random(self.cell.clients)
        counts = self._records.counts(level, int(generator.integers(2**31)))
        number, spread = self._records.measured(*counts)
        values["SF-3"][run], values["SF-3" + SPREAD][run] = number, spread
        every = level if self.cell.population == "enrolled" else np.linspace(0.02, 0.08, 601)
        truth[run, :, place] = self._records.expected(every).mean()


def _drawn(plan: MonitoringPlan) -> MonitoringPlan:
    """The plan with records that stand for records like these, which they always do."""
    monitor = plan.monitor.model_copy(update={"items": "like-these"})
    return plan.model_copy(update={"monitor": monitor})


def row_of(cell: Cell, runs: int, seed: int) -> dict[str, Any]:
    """Coverage of one cell, with exact binomial intervals of 95%."""
    found = Federation(cell, seed).simulate(runs, seed)
    plan = found.plan
    low, high = np.ones((2, len(plan.planned), runs), dtype=np.bool_)
    for place, code in enumerate(plan.planned):
        series = series_of(found, code)
        for last in plan.monitoring_rounds:
            for band in bands(plan, series.until(last)):
                true = found.truth[:, band.first - 1 : band.last, place].mean(axis=1)
                low[place] &= band.lower <= true + 1e-9
                high[place] &= band.upper >= true - 1e-9
    lower: Flags = np.logical_and.reduce(low)
    upper: Flags = np.logical_and.reduce(high)
    single = min(float(each.mean()) for side in (low, high) for each in side)
    return {
        "clients": cell.clients,
        "part": cell.part,
        "items": cell.items,
        "population": cell.population,
        "epsilon": cell.epsilon,
        "dropout": cell.dropout,
        "runs": runs,
        "lower": float(lower.mean()),
        "lower_interval": exact(lower),
        "upper": float(upper.mean()),
        "upper_interval": exact(upper),
        "both": float((lower & upper).mean()),
        "both_interval": exact(lower & upper),
        "mode": single,
        "nominal": bool(
            min(exact(lower)[1], exact(upper)[1]) >= 1 - ALPHA
            and exact(lower & upper)[1] >= 1 - 2 * ALPHA
        ),
    }


def exact(flags: NDArray[np.bool_]) -> list[float]:
    """Clopper and Pearson's interval of a share, 95%."""
    count, total = int(flags.sum()), len(flags)
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, total - count + 1))
    high = 1.0 if count == total else float(beta.ppf(0.975, count + 1, total - count))
    return [round(low, 4), round(high, 4)]


def rows(*, short: bool, runs: int | None, seed: int) -> Rows:
    """All cells."""
    every = list(cells(short=short))
    found: Rows = []
    for number, cell in enumerate(every):
        count = runs or (60 if short else {5: 600, 16: 400, 128: 100}[cell.clients])
        found.append(row_of(cell, count, seed + number))
    return found


def main() -> None:
    """Print one row for each federation."""
    parser = arguments(__doc__)
    parser.add_argument("--short", action="store_true", help="two small federations")
    parser.add_argument("--runs", type=int, help="runs of each federation")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = rows(short=given.short, runs=given.runs, seed=given.seed)
    held = all(row["nominal"] for row in found)
    show("coverage under matrix sampling", found, as_json=given.json, seed=given.seed, held=held)


if __name__ == "__main__":
    main()
