"""Clients that differ in one held-out record, and a search for the two that differ most.

All the way from items and answers to the encoded vector, by the functions that clients run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unsilent.client.measuring import system_change
from unsilent.client.observer import Observer
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes import FIRST, MODES
from unsilent.modes.base import Evidence, Need
from unsilent.plan import MonitoringPlan
from unsilent.release import Layout, SeededNoise
from unsilent.release.coordinate import MODEL_NAMES
from unsilent.release.record_unit import record_sensitivity

DOMAINS = ("home", "away", "other")
ROLES = ("reference", "global", "personalized")
PUBLIC = 12
Home = Callable[[ItemSet], str | None]


@dataclass(frozen=True)
class Record:
    """One held-out record, and what each adapter answers to it."""

    domain: str | None
    group: str | None
    answer: int
    choices: int
    rows: tuple[tuple[float, ...], ...]

    def item(self, number: int) -> Item:
        words = tuple(f" {n}" for n in range(self.choices))
        return Item(
            f"r{number}",
            f"text {number} {self.domain} {self.group}",
            words,
            answer=self.answer,
            group=self.group,
            domain=self.domain,
            pair=self.group,
        )


@dataclass(frozen=True)
class Client:
    """Records, and the outcomes on public probes that no record decides."""

    records: tuple[Record, ...]
    public: dict[Need, Outcomes]


def random_record(random: np.random.Generator) -> Record:
    """Any record; half of the answers are as extreme as floats allow."""
    choices = int(random.integers(2, 4))
    answer = int(random.integers(choices))
    rows = []
    for _ in ROLES:
        kind = random.integers(4)
        row = random.dirichlet(np.ones(choices) * 0.5)
        if kind < 2:
            # All but nothing, or all, on the right answer.
            row = np.full(choices, 1e-15 if kind else 0.0)
            row[answer if kind else (answer + 1) % choices] = 1 - 1e-15 * kind * (choices - 1)
        rows.append(tuple(float(p) for p in row))
    domain = [*DOMAINS, None][random.integers(4)]
    return Record(domain, [None, "A", "B"][random.integers(3)], answer, choices, tuple(rows))


def quiet(domain: str, before: bool, after: bool) -> Record:
    """A record that one adapter answers rightly or wrongly and the others too."""
    right, wrong = (0.9, 0.1), (0.1, 0.9)
    rows = tuple(right if good else wrong for good in (before, after, after))
    return Record(domain, None, 0, 2, rows)


def random_client(random: np.random.Generator, records: int, size: float) -> Client:
    """Two domains in balance, SF-3's indicator near its edge, public effects of a size."""
    lost = round(0.12 * records) + int(random.integers(-1, 2))
    made = [quiet(DOMAINS[n % 2], True, n >= lost) for n in range(records)]
    for place in random.permutation(records)[: random.integers(0, records // 4 + 1)]:
        made[place] = replace(random_record(random), domain=made[place].domain)
    return Client(tuple(made), public_outcomes(random, size))


def public_outcomes(random: np.random.Generator, size: float) -> dict[Need, Outcomes]:
    """Answers to probes that get worse, by ``size``, and in one domain more than in another."""
    items = {
        role: ItemSet(
            role,
            tuple(
                Item(
                    f"{role}-{n}",
                    f"{role} {n}",
                    (" a", " b"),
                    answer=n % 2,
                    stereotyped=0,
                    safe=(1,),
                    domain=DOMAINS[n % 3],
                )
                for n in range(PUBLIC)
            ),
        )
        for role in ("bias", "task", "general", "harmful")
    }
    found = {}
    for need in {need for code in FIRST for need in MODES[code].needs}:
        if need.items == "records":
            continue
        worse = need.adapter in ("personalized", "local")
        rows = []
        for n, item in enumerate(items[need.items]):
            right = random.uniform(0.55, 0.95)
            if worse and random.random() < size * (1 if n % 3 == 1 else 0.3):
                right = 1 - right
            row = [right, 1 - right]
            rows.append(row if item.answer == 0 else row[::-1])
        found[need] = Outcomes(items[need.items], need.adapter, np.array(rows))
    return found


class Vectors:
    """From a client to its encoded vector.

    Args:
        plan: Whose layout and modes.
        folder: An empty one.
        home: Which home domain a client with these records has.
    """

    def __init__(self, plan: MonitoringPlan, folder: Path, home: Home) -> None:
        self.plan, self.layout, self._home = plan, Layout.from_plan(plan), home
        self._observer = Observer(plan, "client", folder, noise=SeededNoise(0))

    def __call__(self, client: Client) -> np.ndarray:
        return self.layout.encode(self.values(client))

    def values(self, client: Client) -> dict[str, float]:
        """The numbers before any clip. No record decides what is said of the model."""
        records = ItemSet("records", tuple(r.item(n) for n, r in enumerate(client.records)))
        widest = max(record.choices for record in client.records)
        outcomes = dict(client.public)
        for place, role in enumerate(ROLES):
            table = np.zeros((len(records), widest))
            for row, record in enumerate(client.records):
                table[row, : record.choices] = record.rows[place]
            outcomes[Need(role, "records")] = Outcomes(records, role, table)
        evidence = Evidence(outcomes, home_domain=self._home(records))
        statistics = [
            MODES[code].measure_with(evidence, self.plan.subgroups(code))
            for code in self.plan.planned
        ]
        told = self._observer._values(statistics, system_change(evidence))
        return {**told, **dict.fromkeys(MODEL_NAMES, 0.0)}


def farthest(path: Vectors, random: np.random.Generator, steps: int) -> float:
    """The largest move by one record that a hill climb finds, over the claimed sensitivity."""
    claimed = record_sensitivity(path.plan)
    held_out = path.plan.federation.held_out
    best, kept = 0.0, None
    for step in range(steps):
        if kept is None or (step % 3 == 0 and step < steps // 2):
            client = random_client(random, held_out + int(random.integers(3)), random.uniform(0, 1))
            place = int(random.integers(len(client.records)))
        else:
            client, place = _near(kept[0], random), kept[1]
        moved = np.linalg.norm(path(client) - path(beside(client, place, held_out, random)))
        if moved > best:
            best, kept = float(moved), (client, place)
    return best / claimed


def beside(client: Client, place: int, held_out: int, random: np.random.Generator) -> Client:
    """The client with another record in a place, or now and then without, if enough are left."""
    records = list(client.records)
    if len(records) > held_out and random.random() < 0.2:
        del records[place]
    else:
        records[place] = random_record(random)
    return replace(client, records=tuple(records))


def _near(client: Client, random: np.random.Generator) -> Client:
    """The client with some of its records, or its public answers, drawn anew."""
    if random.random() < 0.3:
        return replace(client, public=public_outcomes(random, random.uniform(0, 1)))
    records = list(client.records)
    for place in random.permutation(len(records))[: random.integers(1, 3)]:
        records[place] = random_record(random)
    return replace(client, records=tuple(records))
