"""Looks: the spending boundary of a sequence of looks, kept up instead of redone.

One more look costs one step of the numerical integration, however many there were: what a process
has found is held as a ``Boundary``, which the next look extends. A boundary is used only for looks
that begin with its own, number by number, so that what comes out is bit for bit what the same
looks give from the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr

from unsilent.inference.sampling import Numbers

_LOWEST = -7.0
"""Paths that fell this many sd below zero add less than 1e-12 to any crossing."""
_HIGHEST = 8.2
_SMALLEST_SPENDING = 1e-15
"""Less is no error worth a boundary, and its critical value, above 8, would bound nothing."""
_PANEL = 2.0
_REACH = 9.0
"""Sd beyond which a step of the process adds less than 1e-17."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_SMALLEST_STEP = 1e-4
"""Looks that add a smaller share of the information are not told apart from the look before."""
SHORT = 64
"""Up to so many looks each prefix is held by itself: cheap, and simulations ask for many."""
_HELD = 64
"""Longer boundaries that a process holds, those used last."""


@dataclass(frozen=True, eq=False)
class Density:
    """Density of the process at its last look, for paths that crossed nothing before.

    It is the mixture of normal densities of variance ``added`` at ``paths`` with ``masses``, cut
    off at ``end``.
    """

    total: float
    added: float
    end: float
    paths: Numbers
    masses: Numbers

    def grid(self, added: float) -> tuple[Numbers, Numbers]:
        """Nodes and masses of this density, fine enough for a next step of variance ``added``.

        Gauss-Legendre panels of two sd of the narrower of both steps: 1e-10 of the error.
        """
        if self.total == 0:
            return np.zeros(1), np.ones(1)
        sd, root = math.sqrt(self.added), math.sqrt(self.total)
        low, high = _LOWEST * root, min(self.end, _HIGHEST * root)
        count = math.ceil((high - low) / (_PANEL * min(sd, math.sqrt(added))))
        edges = np.linspace(low, high, count + 1)
        half = (high - low) / count / 2
        nodes = (edges[:-1, None] + half * (_NODES + 1)).ravel()
        weights = np.tile(half * _WEIGHTS, count)
        density = np.zeros_like(nodes)
        # In blocks: each needs only the paths within reach, a small part when there are many looks.
        for block in np.array_split(np.arange(len(nodes)), 1 + len(nodes) // 64):
            ends = nodes[block[0]] - _REACH * sd, nodes[block[-1]] + _REACH * sd
            near = slice(*np.searchsorted(self.paths, ends))
            distance = (nodes[block, None] - self.paths[near]) / sd
            density[block] = np.exp(-0.5 * distance**2) @ self.masses[near]
        return nodes, weights * density / (sd * math.sqrt(2 * math.pi))

    def next(self, total: float, error: float) -> tuple[float, Density]:
        """Critical value of the next look, and the density there.

        Args:
            total: Its information.
            error: What is spent at it.
        """
        if error < _SMALLEST_SPENDING or total - self.total < _SMALLEST_STEP * total:
            return math.inf, self
        added = total - self.total
        paths, masses = self.grid(added)
        sd = math.sqrt(added)

        def excess(end: float) -> float:
            return float(masses @ ndtr((paths - end) / sd)) - error

        top = 9.0 * math.sqrt(total)
        end = float(brentq(excess, -top, top, xtol=1e-13 * top, rtol=1e-15))
        return end / math.sqrt(total), Density(total, added, end, paths, masses)


START = Density(0.0, 0.0, math.inf, np.zeros(1), np.ones(1))


@dataclass(frozen=True, eq=False)
class Boundary:
    """The critical values of m looks, and what the next one is found from.

    Attributes:
        information, spent: (m,) as ``spending_boundary`` was asked.
        values: (m,) its answer.
        density: After the last look.
        ahead: Whether it was asked for rounds still to come. Those reach further than the judged
            ones and are held apart, so that each of both can be extended.
    """

    information: Numbers
    spent: Numbers
    values: Numbers
    density: Density
    ahead: bool = False

    def begins(self, information: Numbers, spent: Numbers) -> bool:
        """Whether these looks are the first of its own, or all of its own and more."""
        shared = min(len(self.values), len(information))
        return np.array_equal(self.information[:shared], information[:shared]) and np.array_equal(
            self.spent[:shared], spent[:shared]
        )

    def extended(self, information: Numbers, spent: Numbers) -> Boundary:
        """With the looks that these have beyond its own."""
        density, values = self.density, self.values.tolist()
        done = len(values)
        for total, error in zip(information[done:].tolist(), spent[done:].tolist(), strict=True):
            value, density = density.next(total, error)
            values.append(value)
        return Boundary(information, spent, np.array(values), density, self.ahead)


_held: tuple[Boundary, ...] = ()
"""Those used last at the end. Replaced as a whole: two threads can only cost each other time."""
also_forgotten: list[Callable[[], None]] = []
"""What else ``forget`` calls: of what is found from boundaries, and held elsewhere."""
_noted: ContextVar[list[Boundary] | None] = ContextVar("noted", default=None)


def spending_boundary(
    information: ArrayLike, spent: ArrayLike, *, ahead: bool = False
) -> tuple[float, ...]:
    """One-sided critical values of a Gaussian process with independent increments.

    Armitage, McPherson and Rowe 1969: with W the process at information v, c_k solves
    ``P(W_1 < c_1 sqrt(v_1), ..., W_(k-1) < c_(k-1) sqrt(v_(k-1)), W_k >= c_k sqrt(v_k)) = a_k``.

    Args:
        information: (m,) v, in any unit, rising.
        spent: (m,) a, the error of each look.
        ahead: Whether some of the looks are still to come.

    Returns:
        (m,) c. Infinite where less than 1e-15 is spent, or where a look adds less than 1e-4 of
        the information there is; its increment then counts at the next look.
    """
    known = np.array(information, dtype=np.float64)
    error = np.array(spent, dtype=np.float64)
    if len(known) <= SHORT:
        return _prefix(tuple(known.tolist()), tuple(error.tolist()))[0]
    found = _find(known, error, ahead)
    noted = _noted.get()
    if noted is not None:
        noted[:] = [each for each in noted if each is not found] + [found]
    return tuple(found.values[: len(known)].tolist())


def _find(information: Numbers, spent: Numbers, ahead: bool) -> Boundary:
    """The held boundary of these looks, extended to them; or a new one."""
    held = (e for e in reversed(_held) if e.ahead is ahead and e.begins(information, spent))
    before = next(held, None)
    if before is None:
        first = slice(SHORT)
        values, density = _prefix(tuple(information[first].tolist()), tuple(spent[first].tolist()))
        found = Boundary(information[first], spent[first], np.array(values), density, ahead)
    else:
        found = before
    if len(found.values) < len(information):
        found = found.extended(information, spent)
    _hold(found, instead=before)
    return found


def _hold(found: Boundary, instead: Boundary | None = None) -> None:
    global _held
    others = tuple(each for each in _held if each is not found and each is not instead)
    _held = (*others, found)[-_HELD:]


def hold(boundaries: Iterable[Boundary]) -> None:
    """Hold these, which an earlier process found."""
    for each in boundaries:
        _hold(each)


def forget() -> None:
    """Hold nothing, as a process that has just begun."""
    global _held
    _held = ()
    for clear in (_prefix.cache_clear, *also_forgotten):
        clear()


@contextmanager
def noting() -> Generator[list[Boundary], None, None]:
    """Notes, in the list that it gives, which boundaries of over ``SHORT`` looks are used."""
    noted: list[Boundary] = []
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


@lru_cache(maxsize=2048)
def _prefix(
    information: tuple[float, ...], spent: tuple[float, ...]
) -> tuple[tuple[float, ...], Density]:
    """Critical values of a few looks, and the density of paths that crossed nothing."""
    if not information:
        return (), START
    values, density = _prefix(information[:-1], spent[:-1])
    value, density = density.next(information[-1], spent[-1])
    return (*values, value), density
