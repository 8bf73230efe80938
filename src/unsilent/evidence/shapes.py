"""What an entry of each kind holds: readers of a pack rely on it, and packs come from strangers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from unsilent.ledger import Entry
from unsilent.release.layout import Layout

MOST_ROUNDS = 100_000
"""Rounds of a plan whose pack is checked: what is worked out of a plan grows with them."""
_MOST_CLIENTS = 2**32 - 1

Fits = Callable[[Any], bool]


def plan_fits(data: Any) -> bool:
    """Whether a plan's numbers are such that it may be worked with, before it is."""
    if not isinstance(data, dict):
        return True
    federation = cast("Mapping[str, Any]", data).get("federation", {})
    if not isinstance(federation, dict):
        return True
    table = cast("Mapping[str, Any]", federation)
    limits = {"rounds": MOST_ROUNDS, "clients": _MOST_CLIENTS, "held_out": _MOST_CLIENTS}
    sizes = {name: table.get(name, 1) for name in limits}
    return all(
        not isinstance(size, (int, float)) or size <= limits[name] for name, size in sizes.items()
    )


def shape_faults(entries: Sequence[Entry], layout: Layout) -> Iterator[tuple[str, str]]:
    """Entries that lack what their kind holds, or hold something else in its place.

    Args:
        entries: Of a ledger; kinds that are not known hold anything.
        layout: The plan's.
    """
    for entry in entries:
        for key, fits in _SHAPES.get(entry.kind, {}).items():
            if key not in entry.payload or not fits(entry.payload[key]):
                yield f"ledger entry {entry.index}", f"not a {entry.kind} entry: its {key}"
                break
        else:
            if entry.kind == "sum" and len(entry.payload["vector"]) != len(layout.names):
                yield f"ledger entry {entry.index}", "not a sum entry of this plan: its vector"


def _round(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_ROUNDS


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_CLIENTS


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _vector(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(number) is int and abs(number) <= 2**53 for number in cast("list[Any]", value)
    )


def _coded(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and _text(cast("Mapping[str, Any]", each).get("code"))
        for each in cast("list[Any]", value)
    )


def _causes(value: Any) -> bool:
    """What a gate decided from: findings by code and verdict, or an entry that has neither."""
    return isinstance(value, list) and all(
        isinstance(each, dict) and _cause(cast("Mapping[str, Any]", each))
        for each in cast("list[Any]", value)
    )


def _cause(told: Mapping[str, Any]) -> bool:
    # A round that was missed and a person's word are causes too; no mode is theirs.
    told_of = [told.get("code"), told.get("verdict")]
    return _text(told.get("entry")) and (told_of == [None, None] or all(map(_text, told_of)))


_SHAPES: Mapping[str, Mapping[str, Fits]] = {
    "system": {"round": _round, "loss": _number, "accuracy": _number},
    "privacy_event": {"round": _round, "sensitivity": _number, "sigma": _number},
    "sum": {
        "round": _round,
        "clients": _count,
        "layout": _text,
        "vector": _vector,
        "noise_variance": _number,
    },
    "findings": {"round": _round, "clients": _count, "findings": _coded},
    "missed": {"round": _round, "reason": _text},
    "stopped": {"round": _round, "reason": _text},
    "aware": {"by": _text, "note": _text},
    "gate": {"round": _round, "action": _text, "reason": _text, "caused_by": _causes},
    "gate_overrule": {"by": _text, "reason": _text},
}
