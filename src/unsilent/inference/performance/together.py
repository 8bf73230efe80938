"""Sums and differences of independent numbers, each with an interval for any tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, ndtr, ndtri

from unsilent.inference.performance.pool import Ends, Reach

Number = Callable[[Reach], Ends]
"""A number's interval at the critical values of its two ends."""
Term = tuple[float, Number]
"""A weight, below 0 for what is taken off, and a number."""
_STEPS = 8
"""Tails that are looked at for each number, and once more; the more, the closer an end."""
Sums = NDArray[np.float64]
"""(n_steps,) the most that is reached with so many steps."""


def mover(terms: Sequence[Term], reach: Reach) -> Ends:
    """As if all errors were normal: the ends' distances add up as squares (Zou and Donner 2008)."""
    ends = [(weight, number(_turned(reach, weight))) for weight, number in terms]
    value = sum(weight * each.value for weight, each in ends)
    below = [w * (each.value - (each.lower if w > 0 else each.upper)) for w, each in ends]
    above = [w * ((each.upper if w > 0 else each.lower) - each.value) for w, each in ends]
    return Ends(value, value - math.hypot(*below), value + math.hypot(*above))


def whatever_law(terms: Sequence[Term], reach: Reach) -> Ends:
    """Whatever the errors are like: no end is missed more often than the numbers' own ends are.

    One of ten records that is wrong by chance lies as far above its lower end as one that had to
    be. By ``mover`` an end that rests on two such numbers is missed more than ten times as often
    as a tail of .001 says. Here true numbers stay in unless the product of the tails in which they
    lie is smaller than that of as many uniform numbers would be so often (Fisher 1925).
    """
    found = mover(terms, reach)
    if len(terms) == 1:
        return found
    upper = _furthest([_side(weight, number, 1.0) for weight, number in terms], reach.above)
    # Both distances of a difference's lower end are too small only where the first number is close
    # to 0 and the second to 1. It is below 0 then, and no tolerance is.
    if sorted(math.copysign(1.0, weight) for weight, _ in terms) == [-1.0, 1.0]:
        return Ends(found.value, found.lower, max(upper, found.value))
    lower = -_furthest([_side(weight, number, -1.0) for weight, number in terms], reach.below)
    return Ends(found.value, min(lower, found.value), max(upper, found.value))


def _turned(reach: Reach, weight: float) -> Reach:
    # The one end of a difference rests on the other end of what is taken off.
    return reach if weight > 0 else Reach(reach.above, reach.below)


def _side(weight: float, number: Number, sign: float) -> Callable[[float], float]:
    """How far a term goes to one side at a critical value."""
    if sign * weight > 0:
        return lambda value: sign * weight * number(Reach(value, value)).upper
    return lambda value: sign * weight * number(Reach(value, value)).lower


def _furthest(sides: Sequence[Callable[[float], float]], value: float) -> float:
    """The largest sum over all shares that the terms may have of the tail's logarithm."""
    if not (value > 0 and math.isfinite(value)):
        return sum(side(value) for side in sides)
    steps = _STEPS * (len(sides) + 1)
    step = float(gammainccinv(len(sides), float(ndtr(-value)))) / steps
    # An end in a tail above one half lies beyond the estimate: the estimate will do for it.
    values = -ndtri(np.minimum(np.exp(-step * np.arange(steps + 1)), 0.5))
    reached = [np.array([side(float(at)) for at in values]) for side in sides]
    # What a term has of the logarithm is rounded up to a step: there is one more for each but one.
    return float(reduce(_best_of_both, reached)[steps + len(sides) - 1])


def _best_of_both(one: Sums, other: Sums) -> Sums:
    """The largest sum of the two for so many steps together, at most."""
    found = np.full(len(one) + len(other) - 1, -math.inf)
    np.maximum.at(
        found, np.add.outer(np.arange(len(one)), np.arange(len(other))), np.add.outer(one, other)
    )
    return np.maximum.accumulate(found)
