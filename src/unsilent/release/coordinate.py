"""One number of a release, and what its name says of it."""

from __future__ import annotations

from dataclasses import dataclass

SPREAD = ".spread"
VARIANCE = ".variance"
SQUARE = ".square"
SUBGROUP = "/"
LOSS = "system.loss"
ACCURACY = "system.accuracy"
SYSTEM_NAMES = (LOSS, ACCURACY)
UNSHOWN = "model.unshown"
"""Share of what training changed that the measured model was not shown to act by."""
DIFFERING = "model.differing"
"""1 for a client whose base, tokenizer, adapter layout or engine is not what the plan expects."""
MODEL_NAMES = (UNSHOWN, DIFFERING)
CLIPPED = "clipped"
CLIPPED_RECORDS = "clipped.records"
"""As ``clipped``, of the numbers that an evaluation record reaches; where the unit is a record."""
RAISED = "raised"
REPORTS = (RAISED, CLIPPED)
"""What a jointly clipped vector says of its own clipping, its last coordinates."""


@dataclass(frozen=True)
class Coordinate:
    """One number of a release: a value v enters as ``clip(v, ±clip) / clip * weight``.

    Attributes:
        name: ``SF-n``, ``SF-n.spread`` or ``SF-n.variance``, ``SF-n.square``, ``SF-n/DOMAIN``,
            ``records:…`` of a count (``performance.family``), ``system.loss``, ``system.accuracy``,
            ``model.unshown``, ``model.differing``, ``raised``, ``clipped`` or ``clipped.records``.
        clip: Largest absolute value that is released, in natural units.
        weight: Share of the joint clip that a value at ``clip`` takes, in (0, 1].
    """

    name: str
    clip: float
    weight: float


def subgroup_name(code: str, domain: str) -> str:
    """The coordinate of a mode's effect within one domain: ``SF-n/DOMAIN``."""
    return f"{code}{SUBGROUP}{domain}"


def source(name: str) -> str:
    """The input that a coordinate is made of; its own name, unless it is a square."""
    if is_variance(name):
        return name.removesuffix(VARIANCE) + SPREAD
    return name.removesuffix(SQUARE) if is_square(name) else name


def is_square(name: str) -> bool:
    """Whether ``encode`` derives a coordinate as a square; a domain may end in the same letters."""
    return name.endswith(SQUARE) and SUBGROUP not in name


def is_spread(name: str) -> bool:
    """Whether a coordinate is a mode's spread; a domain may end in the same letters."""
    return name.endswith(SPREAD) and SUBGROUP not in name


def is_variance(name: str) -> bool:
    """Whether a coordinate is made of squares of a mode's spreads."""
    return name.endswith(VARIANCE) and SUBGROUP not in name
