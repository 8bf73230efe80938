"""A family of counts: the coordinates that a record enters together, and how far it moves them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from unsilent.plan.performance import By, Source

COUNT = "records:"
"""What the names of counts begin with in a release."""

What = Literal["accuracy", "sensitivity", "specificity", "scores", "gaps", "mix", "words"]
Adapter = Literal["reference", "personalized"]

SUPPORT, RIGHT, LOST, GAINED = "support", "right", "lost", "gained"
SQUARE = "square"
OTHER = "other"
"""Of a mix what is none of the listed ones."""
WORD_BINS = 8
LENGTH = "length"

_GAP_PARTS, _WORD_PARTS = 4, WORD_BINS + 1
"""Coordinates that a record can move by a part of a step."""


@dataclass(frozen=True)
class Family:
    """Counts of one kind over some records of a client.

    Attributes:
        what: ``accuracy``, ``sensitivity`` and ``specificity`` count answers, ``scores`` a score's
            bins among records of a class and among the others, ``gaps`` score minus outcome by
            bins, ``mix`` and ``words`` the records themselves.
        records: Which of a client's records.
        of: The class; None where it is of none.
        by, value: Which group of them; ``all`` and an empty word for all.
        adapter: Whose scores; of answers always both.
        bins: Of the score.
        fields: Of answers those that are counted; of a mix the values.
    """

    what: What
    records: Source
    of: str | None = None
    by: By = "all"
    value: str = ""
    adapter: Adapter = "personalized"
    bins: int = 0
    fields: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its coordinates, in order."""
        return tuple(self.name(part) for part in self.parts)

    def name(self, part: str) -> str:
        """The coordinate of one part."""
        what = self.what
        if what in ("scores", "gaps"):
            what = f"{what}.{self.adapter}.{self.bins}"
        return f"{COUNT}{self.records}:{what}:{self.of or ''}:{self.by}:{self.value}:{part}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Its parts, in order."""
        if self.what == "scores":
            return tuple(f"{side}.{at}" for side in ("in", "out") for at in range(self.bins))
        if self.what == "gaps":
            return (SUPPORT, SQUARE, *(f"gap.{at}" for at in range(self.bins)))
        if self.what == "mix":
            return (*self.fields, OTHER)
        if self.what == "words":
            return (*(f"word.{at}" for at in range(WORD_BINS)), LENGTH)
        return self.fields

    @property
    def signed(self) -> tuple[str, ...]:
        """Those of its parts that may be below 0."""
        return tuple(part for part in self.parts if part.startswith("gap."))

    @property
    def together(self) -> tuple[object, ...]:
        """What families have in common of which a record is in one at most."""
        of = None if self.what == "sensitivity" else self.of
        return self.what, self.records, of, self.by, self.adapter, self.bins

    @property
    def largest(self) -> float:
        """Square of the longest vector that one record adds, in records."""
        if self.what in ("scores", "mix"):
            return 1.0
        if self.what == "gaps":
            return 3.0
        if self.what == "words":
            return 2.0
        return float(max(_square(each) for each in self._answers))

    @property
    def replaced(self) -> float:
        """Square of the longest difference that another record in its place makes."""
        if self.what in ("scores", "mix"):
            return 2.0
        if self.what == "words":
            return 3.0
        if self.what == "gaps":
            # In one bin the gap of a wrong and of a right answer differ by 1 and a bin's width.
            return max(self.largest, (1 + 1 / self.bins) ** 2 + 1)
        every = [(0,) * len(self.fields), *self._answers]
        apart = (
            _square([a - b for a, b in zip(one, other, strict=True)])
            for one, other in product(every, every)
        )
        return float(max(apart))

    @property
    def fractions(self) -> int:
        """How many coordinates a record may move by parts of a step; none of whole counts."""
        return {"gaps": _GAP_PARTS, "words": _WORD_PARTS}.get(self.what, 0)

    @property
    def _answers(self) -> list[tuple[int, ...]]:
        """What a record can add: right or wrong, before and now."""
        found: list[tuple[int, ...]] = []
        for before, now in product((0, 1), (0, 1)):
            told = {
                SUPPORT: 1,
                RIGHT: now,
                LOST: int(before > now),
                GAINED: int(now > before),
            }
            found.append(tuple(told[each] for each in self.fields))
        return found


def is_count(name: str) -> bool:
    """Whether a coordinate is a count of records."""
    return name.startswith(COUNT)


def steps_of_one_record(families: Sequence[Family], step: int) -> int:
    """Square of the most, in integer steps, that one replaced record moves all counts, rounded up.

    Args:
        families: All of a plan's.
        step: Integer steps of one record.
    """
    total = 0.0
    for alike in _sets(families):
        most = max(each.replaced for each in alike)
        if len(alike) > 1:
            # From one family to another one.
            first, second = sorted((each.largest for each in alike), reverse=True)[:2]
            most = max(most, first + second)
        parts = max(each.fractions for each in alike)
        # Rounded to whole steps two numbers differ by less than one more.
        total += (step * math.sqrt(most) + math.sqrt(parts)) ** 2
    return math.ceil(total - 1e-9)


def longest(families: Sequence[Family]) -> float:
    """Norm of the longest vector that one record adds to all counts, in records."""
    return math.sqrt(sum(max(each.largest for each in alike) for alike in _sets(families)))


def _sets(families: Sequence[Family]) -> list[list[Family]]:
    found: dict[tuple[object, ...], list[Family]] = {}
    for each in families:
        found.setdefault(each.together, []).append(each)
    return list(found.values())


def _square(vector: Sequence[int]) -> int:
    return sum(each * each for each in vector)
