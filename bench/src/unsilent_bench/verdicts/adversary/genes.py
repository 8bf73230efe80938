"""Genes: a world of clients as one row of numbers in [0, 1], to be changed and crossed.

A gene at 0.12 or 0.88 puts a number at an end of its coordinate's range, at 0.5 to zero; beyond
lies what both clips cut off. Mutation often snaps genes to these, since the worst is often there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from unsilent_bench.verdicts.people import Array

TYPES = 4
SNAPS = (0.0, 0.12, 0.5, 0.88, 1.0)
SHAPES = ("none", "normal", "t", "two-point")
TRENDS = (
    "constant",
    "late-step",
    "drift",
    "up-then-down",
    "early",
    "alternating",
    "crossings",
    "random",
)
DIGITS = 6
"""A gene is kept to these decimals, so that a printed world is the world."""
_SEEDS = 2**31
PARTS = ("shares", "values", "spreads", "system", "others")
_CHANCES = (0.15, 0.4, 0.05, 0.1, 0.3)
"""How often a change is one of each part; most of the others matter in some worlds only."""

Side = Literal["failure", "healthy", "either", "silent", "loud"]
MODE_SIDES: tuple[Side, ...] = ("failure", "healthy", "either")
"""Verdicts of modes: FAILURE, HEALTHY, or whichever of the two is false, round by round."""


@dataclass(frozen=True, eq=False)
class Genome:
    """One world. Types of clients come first in every array.

    Attributes:
        genes: (n,) in [0, 1].
        modes: How many modes are planned.
        side: Which verdict the world wants to be false.
        seed: Of the enrolled clients' places within their types.
    """

    genes: Array
    modes: int
    side: Side
    seed: int = 0

    @cached_property
    def _parts(self) -> dict[str, Array]:
        found: dict[str, Array] = {}
        start = 0
        for name, shape in layout(self.modes).items():
            size = int(np.prod(shape))
            found[name] = self.genes[start : start + size].reshape(shape)
            start += size
        return found

    def raw(self, name: str) -> Array:
        """The genes of one part, in [0, 1]."""
        return self._parts[name]

    def one(self, name: str, count: int) -> int:
        """A choice among ``count``."""
        return min(int(self._parts[name][0] * count), count - 1)

    @cached_property
    def shares(self) -> Array:
        """(types,) shares of the clients; genes below a quarter are none."""
        found = np.maximum(self.raw("shares") - 0.25, 0.0)
        found[0] += 1e-9
        return found / found.sum()

    @cached_property
    def values(self) -> Array:
        """(types, modes) in units of the clip."""
        return signed(self.raw("values"))

    def to_json(self, codes: tuple[str, ...]) -> dict[str, Any]:
        """What the world is, for people, and its genes."""
        kept = self.shares > 1e-6
        return {
            "side": self.side,
            "target": codes[self.one("target", self.modes)]
            if self.side in MODE_SIDES
            else ("loss", "accuracy")[self.one("target", 2)],
            "trend": TRENDS[self.one("trend", len(TRENDS))],
            "within": SHAPES[self.one("shape", len(SHAPES))],
            "shares": _rounded(self.shares[kept]),
            "values": {
                code: _rounded(self.values[kept, place]) for place, code in enumerate(codes)
            },
            "loss": _rounded(signed(self.raw("system"))[kept, 0]),
            "accuracy": _rounded(signed(self.raw("system"))[kept, 1]),
            "seed": self.seed,
            "genes": [round(float(gene), DIGITS) for gene in self.genes],
        }


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 3) for value in values]


def layout(modes: int) -> dict[str, tuple[int, ...]]:
    """The parts of a genome and their shapes."""
    each, typed = (modes,), (TYPES, modes)
    return {
        "shares": (TYPES,),
        "values": typed,
        "spreads": typed,
        "system": (TYPES, 2),
        "groups": (TYPES,),
        "home": (TYPES,),
        "loose": (TYPES,),
        "absent": (TYPES,),
        "rare": each,
        "jump": each,
        "own": each,
        "focus": each,
        "scatter": each,
        "reference": (3,),
        "target": (1,),
        "control": (1,),
        "shape": (1,),
        "together": (1,),
        "trend": (1,),
        "swing": (1,),
        "fine": (1,),
        "waves": (1,),
        "all": (1,),
        "onset": (1,),
        "anchor": (1,),
        "attendance": (1,),
        "lasting": (1,),
        "strength": (1,),
        "margin": (1,),
    }


def length(modes: int) -> int:
    """Genes of a world with so many modes."""
    return sum(int(np.prod(shape)) for shape in layout(modes).values())


def signed(genes: Array) -> Array:
    """Genes to -1.5..1.5, with flat parts at -1 and 1."""
    return np.interp(genes, [0, 0.1, 0.15, 0.5, 0.85, 0.9, 1], [-1.5, -1, -1, 0, 1, 1, 1.5])


def fresh(modes: int, side: Side, generator: np.random.Generator) -> Genome:
    """A random world, most of whose numbers are zero or at an end."""
    size = length(modes)
    genes = generator.random(size)
    numbers = slice(TYPES, TYPES * (1 + 2 * modes + 2))
    width = numbers.stop - numbers.start
    choice = generator.random(width)
    snaps = generator.choice(SNAPS, width)
    zero = generator.choice((0.3, 0.6, 0.9))
    genes[numbers] = np.where(choice < zero, 0.5, np.where(choice < 0.95, snaps, genes[numbers]))
    # What few items carry is often as large as it can be, and items scatter or do not.
    for start in range(numbers.stop + 4 * TYPES, numbers.stop + 4 * TYPES + 5 * modes):
        if generator.random() < 0.5:
            genes[start] = generator.choice((0.0, 0.12, 0.88, 1.0))
    if generator.random() < 0.5:
        genes[_places(modes)["strength"][0]] = generator.choice((0.0, 1.0))
    for _ in range(int(generator.integers(0, 4))):
        _whole(genes, modes, generator)
    return Genome(np.round(genes, DIGITS), modes, side, int(generator.integers(_SEEDS)))


def child(mother: Genome, father: Genome, generator: np.random.Generator) -> Genome:
    """A changed copy of the mother, some of the time with genes of the father."""
    genes, modes = mother.genes.copy(), mother.modes
    if generator.random() < 0.3:
        taken = generator.random(len(genes)) < 0.2
        genes[taken] = father.genes[taken]
    if generator.random() < 0.35:
        _whole(genes, modes, generator)
    places = _places(modes)
    for _ in range(int(generator.geometric(0.4))):
        part = PARTS[int(generator.choice(len(PARTS), p=_CHANCES))]
        place = int(generator.integers(*places[part]))
        kind = generator.random()
        if kind < 0.5:
            genes[place] += 0.12 * generator.standard_normal()
        elif kind < 0.75:
            genes[place] = generator.choice(SNAPS)
        else:
            genes[place] = generator.random()
    seed = mother.seed if generator.random() < 0.8 else int(generator.integers(_SEEDS))
    return Genome(np.round(np.clip(genes, 0, 1), DIGITS), modes, mother.side, seed)


def _whole(genes: Array, modes: int, generator: np.random.Generator) -> None:
    """Change what belongs together: a type's numbers, a mode's, or a type into another."""
    places = _places(modes)
    part = ("values", "values", "spreads", "system")[int(generator.integers(4))]
    table = genes[slice(*places[part])].reshape(TYPES, -1)
    snap, kind = generator.choice(SNAPS), generator.random()
    one, other = generator.choice(TYPES, 2, replace=False)
    if kind < 0.5:
        table[one] = snap
    elif kind < 0.7:
        table[:, int(generator.integers(table.shape[1]))] = snap
    elif kind < 0.85:
        table[one] = table[other]
    else:
        shares = genes[slice(*places["shares"])]
        shares[one], shares[other] = shares[other], shares[one]


@lru_cache(maxsize=8)
def _places(modes: int) -> dict[str, tuple[int, int]]:
    """Where each part begins and ends; ``others`` are those after the clients' numbers."""
    found: dict[str, tuple[int, int]] = {}
    start = 0
    for name, shape in layout(modes).items():
        found[name] = (start, start + int(np.prod(shape)))
        start = found[name][1]
    return found | {"others": (found["system"][1], start)}
