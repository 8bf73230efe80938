"""How much of the paper's six modes each paradigm covers: the structural divide in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from unsilent.landscape.matrix import MODES, RATINGS, Benchmark, Rating


@dataclass(frozen=True)
class Coverage:
    """How many benchmarks of one paradigm rate a mode each way.

    Attributes:
        paradigm: As ``Benchmark.paradigm``.
        mode: A mode of the taxonomy.
        counts: For each rating the number of benchmarks; they sum to those of the paradigm.
    """

    paradigm: str
    mode: str
    counts: dict[Rating, int]

    @property
    def benchmarks(self) -> int:
        """How many benchmarks the paradigm has."""
        return sum(self.counts.values())


def coverage(rows: Sequence[Benchmark]) -> tuple[Coverage, ...]:
    """The coverage of each paradigm and mode, paradigms in the order of their first row."""
    found: list[Coverage] = []
    for paradigm in dict.fromkeys(row.paradigm for row in rows):
        own = [row for row in rows if row.paradigm == paradigm]
        for mode in MODES:
            counted = Counter(row.cells[mode].rating for row in own)
            found.append(Coverage(paradigm, mode, {rating: counted[rating] for rating in RATINGS}))
    return tuple(found)


def counted(rows: Sequence[Benchmark], rating: Rating) -> dict[str, int]:
    """Paradigm to how many of its (benchmark, mode) pairs have a rating."""
    return {
        paradigm: sum(c.counts[rating] for c in coverage(rows) if c.paradigm == paradigm)
        for paradigm in dict.fromkeys(row.paradigm for row in rows)
    }
