"""Pool: the counts of a window of rounds, in records, and what is known of their errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from unsilent.performance.family import Family, is_count
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout
from unsilent.release.release import Release

Sampled = Literal["none", "again", "anew"]
"""Of the choice of records: no error, records that come back in each round, or new ones."""


class Ends(NamedTuple):
    """A number and the two ends of its interval."""

    value: float
    lower: float
    upper: float


class Reach(NamedTuple):
    """Normal critical values of the lower and of the upper end."""

    below: float
    above: float


@dataclass(frozen=True)
class Pool:
    """The counts of some rounds together.

    Attributes:
        first, last: Round numbers, both inclusive.
        rounds: How many judged rounds it holds.
        clients: Client-rounds in the sums.
        missing: Client-rounds that were asked for and are not.
        counts: By coordinate, in records.
        sd: Standard deviation of the noise in each count, in records.
        rounding: Largest error of one count that holds parts of records, in records.
        largest: Most records of a client.
    """

    first: int
    last: int
    rounds: int
    clients: int
    missing: int
    counts: Mapping[str, float]
    sd: float
    rounding: float
    largest: int

    def of(self, family: Family, part: str) -> float:
        """One count of a family."""
        return self.counts[family.name(part)]

    def several(self, family: Family, start: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Its parts whose names begin so, in order."""
        found = [self.of(family, part) for part in family.parts if part.startswith(start)]
        return np.array(found, dtype=np.float64)

    def times(self, factor: float) -> Pool:
        """As if there were so many times as many records, with the noise that there is."""
        counts = {name: factor * count for name, count in self.counts.items()}
        return replace(self, counts=counts)

    def repeats(self, sampled: Sampled) -> float:
        """In how many rounds a record is counted; 0 where the choice of records is no error."""
        return {"none": 0.0, "anew": 1.0, "again": float(self.rounds)}[sampled]


def pools_of(
    plan: MonitoringPlan,
    layout: Layout,
    totals: Sequence[Release],
    windows: Sequence[tuple[int, int]],
) -> tuple[Pool, ...]:
    """The counts of each window of rounds, given by its first and last round."""
    places: list[int] = layout.counts.tolist()
    names = [layout.names[at] for at in places]
    rounds = np.array([total.round for total in totals])
    sums = np.array([total.vector[places] for total in totals], dtype=np.float64)
    variance = np.array([layout.variance_of(names[0], t.noise_variance) for t in totals])
    clients = np.array([total.clients for total in totals])
    count = next(c.clip for c in layout.coordinates if is_count(c.name))
    record = layout.unit(names[0]) / count
    found: list[Pool] = []
    for first, last in windows:
        where = (rounds >= first) & (rounds <= last)
        there = int(clients[where].sum())
        asked = np.maximum(clients[where], plan.taking_part)
        found.append(
            Pool(
                first=first,
                last=last,
                rounds=int(where.sum()),
                clients=there,
                missing=int(asked.sum()) - there,
                counts=dict(zip(names, (sums[where].sum(axis=0) / record).tolist(), strict=True)),
                sd=math.sqrt(float(variance[where].sum())) / record,
                rounding=there / (2 * record),
                largest=int(count),
            )
        )
    return tuple(found)
