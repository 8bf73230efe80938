"""Influence: several failures read along the paper's arrows, by when they began.

What is offered is an order in time, never a cause: two failures may have a third thing in common,
and an arrow says "may influence", not "does". Source: ``taxonomy.INFLUENCES``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from unsilent.findings import ActiveInfluence
from unsilent.taxonomy import INFLUENCES

OnsetRounds = tuple[int, int]


def read_influences(onsets: Mapping[str, OnsetRounds | None]) -> tuple[ActiveInfluence, ...]:
    """What the onsets of the failing modes say about each arrow between two of them.

    An arrow whose target certainly began before its source is not consistent with them; every
    other one is, and where the onsets' intervals overlap or one is not known, the reading says
    that the order is open. Sorted by when the source, then the target, may have begun; arrows
    from failures of unknown onset come last.

    Args:
        onsets: Code of each mode whose verdict is FAILURE to the first and the last round in which
            it may have begun, or None if that is not known.
    """
    arrows = [a for a in INFLUENCES if a.source in onsets and a.target in onsets]
    # A stable sort: among equals the paper's own order stays, primary arrows first.
    arrows.sort(key=lambda a: (_earliest(onsets[a.source]), _earliest(onsets[a.target])))
    return tuple(
        ActiveInfluence(
            arrow.source,
            arrow.target,
            arrow.kind,
            _reading(arrow.source, arrow.target, onsets[arrow.source], onsets[arrow.target]),
        )
        for arrow in arrows
    )


def _earliest(onset: OnsetRounds | None) -> float:
    return math.inf if onset is None else onset[0]


def _reading(
    source: str, target: str, before: OnsetRounds | None, after: OnsetRounds | None
) -> str:
    arrow = f"an influence of {source} on {target}"
    if before is None or after is None:
        unknown = " and ".join(
            code for code, onset in ((source, before), (target, after)) if onset is None
        )
        return f"consistent with {arrow}; when {unknown} began is not known"
    began = f"{source} began in {_rounds(before)}, {target} in {_rounds(after)}"
    if after[1] < before[0]:
        return f"not consistent with {arrow}: {began}, which is earlier"
    if before[1] < after[0]:
        return f"consistent with {arrow}: {began}; the order is no proof of a cause"
    return f"consistent with {arrow}: {began}, so which came first is not known"


def _rounds(onset: OnsetRounds) -> str:
    first, last = onset
    return f"round {first}" if first == last else f"rounds {first} to {last}"
