"""The plan that is nearest to one without a secure sum, for the line that refuses it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

COMPLETE_UP_TO = 128
"""Clients up to which all are neighbours of all: more neighbours then take a client less time than
a sparse graph's further exchange at the set-up."""

MOST_COMPLETE = 256
"""Clients of the largest graph in which all are neighbours of all where no sparser one does."""

_STEP = 0.01  # what shares of the clients are lowered by when a plan that works is looked for


def nearest(
    clients: int,
    collusion: float,
    dropout: float,
    works: Callable[[int, float, float], bool],
) -> tuple[str, str]:
    """The single change, relative to what was planned, that is smallest: its key, and a remedy."""
    changes: list[tuple[float, str, str]] = []
    # Rounding up weighs less on more clients; beyond a complete graph more do not help.
    for more in range(clients + 1, MOST_COMPLETE + 1):
        if works(more, collusion, dropout):
            remedy = f"It works from {more} clients in a round."
            changes.append((more / clients - 1, "federation.clients", remedy))
            break
    fewer = _fewer(clients, lambda count: works(count, collusion, dropout))
    if fewer is not None:
        remedy = f"It works with {fewer} clients in a round."
        changes.append((1 - fewer / clients, "federation.participation", remedy))
    lowered = {
        "dropout": (dropout, _lower(dropout, lambda share: works(clients, collusion, share))),
        "collusion": (collusion, _lower(collusion, lambda share: works(clients, share, dropout))),
    }
    for name, (planned, lower) in lowered.items():
        if lower is not None:
            remedy = f"It works with {name} {lower:g}."
            changes.append((1 - lower / planned, f"privacy.{name}", remedy))
    if not changes:
        return (
            "privacy.dropout, privacy.collusion",
            "Lower both, or let more clients take part in a round.",
        )
    _, where, remedy = min(changes)
    return where, remedy


def _fewer(clients: int, works: Callable[[int], bool]) -> int | None:
    """Beyond a complete graph, the most clients that work, to a tenth; fewer are easier."""
    steps = [clients]
    while steps[-1] > COMPLETE_UP_TO:
        steps.append(max(COMPLETE_UP_TO, steps[-1] * 9 // 10))
    at = bisect_left(range(1, len(steps)), True, key=lambda step: works(steps[step])) + 1
    return steps[at] if at < len(steps) else None


def _lower(planned: float, works: Callable[[float], bool]) -> float | None:
    """The largest share below the planned one, in whole steps, that works; less is easier."""
    low, high = 0, math.ceil(planned / _STEP - 1e-9)
    if high == 0 or not works(0.0):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(round(middle * _STEP, 2)) else (low, middle)
    return round(low * _STEP, 2)
