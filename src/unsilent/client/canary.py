"""One part of an adapter, disturbed: whether the model that scores it uses that part."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.messages import Arrays
from unsilent.modes.base import AdapterRole

_DISTURBED = 0.5
"""Each number of a canary's part is raised or lowered by up to this share of itself."""
_PIECE = 1 << 20
_OF_LORA = re.compile(r"\.(lora_\w+|base_layer|weight|bias|default)(?=\.|$)")
_FACTOR = re.compile(r"\blora_(A|B|embedding_A|embedding_B)\b")
ADDED = re.compile(r"\blora_(B|embedding_B)\b")
"""The factor of a LoRA that adds nothing at zero."""


def canary(
    own: Arrays, adapters: Mapping[AdapterRole, Arrays | None], draw: float
) -> tuple[str, Arrays]:
    """One part of the arrays, and the arrays with that part disturbed.

    Drawn by the square of what training changed in it: a part that the model leaves out is then
    found as often as it matters, and one that cannot matter, such as a bias of attention's keys,
    hardly ever. No part where the arrays are no real numbers, such as a packed tree.

    Args:
        own: The adapter's arrays.
        adapters: All that was scored, by which it is seen what changed.
        draw: Which part, in [0, 1).
    """
    draws = np.random.default_rng(int(draw * 2**32))
    other = _before(own, adapters)
    # What is no number, or grows beyond numbers, is passed over.
    with np.errstate(all="ignore"):
        parts = _shares(own, other, based=adapters.get("reference") is None)
        names = sorted(name for name, change in parts.items() if change > 0)
        if not names:
            return "", own
        reached = np.cumsum([parts[name] for name in names])
        part = names[
            min(int(np.searchsorted(reached, draw * reached[-1], "right")), len(names) - 1)
        ]
        return part, {
            name: _disturbed(array, None if other is None else other[name], draws)
            if _part(name) == part
            else array
            for name, array in own.items()
        }


def garbled(own: Arrays, times: float) -> Arrays | None:
    """All arrays, so many times as large and of signs drawn anew: no model says the same by them.

    None where none of them is of real numbers, such as a packed tree.
    """
    if not any(_real(np.asarray(array)) for array in own.values()):
        return None
    draws = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for name, array in own.items():
        values = np.asarray(array)
        if not _real(values):
            found[name] = values
            continue
        signs = draws.integers(0, 2, values.shape, np.int8) * np.int8(2) - np.int8(1)
        exact = np.float64 if values.dtype == np.float64 else np.float32
        with np.errstate(all="ignore"):
            found[name] = (values.astype(exact) * signs * exact(times)).astype(values.dtype)
    return found


def only_lora(arrays: Arrays) -> bool:
    """Whether all arrays are factors of a LoRA, by their names."""
    return bool(arrays) and all(_FACTOR.search(name) for name in arrays)


def alike(first: Arrays | None, second: Arrays | None) -> bool:
    """Whether two adapters are the same arrays. The base's, None, are not known."""
    if first is None or second is None:
        return first is second
    return set(first) == set(second) and all(
        np.array_equal(np.asarray(first[name]), np.asarray(second[name])) for name in first
    )


def _before(own: Arrays, adapters: Mapping[AdapterRole, Arrays | None]) -> Arrays | None:
    """What the arrays were before: the reference, the round's start, the global adapter.

    The first of them that is known and differs.
    """
    roles: tuple[AdapterRole, ...] = ("reference", "start", "global")
    known = (adapters.get(role) for role in roles)
    return next((a for a in known if a and set(a) == set(own) and not alike(own, a)), None)


def _shares(own: Arrays, other: Arrays | None, *, based: bool) -> dict[str, float]:
    """By part of the adapter the share of what training changed in it.

    A LoRA's change of the base is read off its factors: what all clients share of it lies behind
    a round's start and the global adapter. Of other arrays the base is not known, and what is
    trained beside a LoRA has the same share by how far it is from before.
    """
    since = _normed(_added(own)) if based else {}
    if since and only_lora(own):
        return since
    counted = _normed(_counted(own)) if based else {}
    if counted:
        return counted
    parts = _normed(_changes(own, other))
    return {n: parts.get(n, 0.0) + since.get(n, 0.0) for n in {*parts, *since}}


def _changes(own: Arrays, other: Arrays | None) -> dict[str, float]:
    """By part the squared norm of the change; of the arrays where nothing is known of before."""
    found: dict[str, float] = {}
    for name, array in own.items():
        values = np.asarray(array)
        if not _real(values):
            continue
        before = None if other is None else np.asarray(other[name])
        if before is not None and not (before.shape == values.shape and _real(before)):
            before = None
        found[_part(name)] = found.get(_part(name), 0.0) + _distance(values, before)
    return found


def _distance(values: NDArray[Any], before: NDArray[Any] | None) -> float:
    """Squared norm of a difference, piece by piece: arrays may be a whole model's."""
    flat, total = values.reshape(-1), 0.0
    other = None if before is None else before.reshape(-1)
    for at in range(0, flat.size, _PIECE):
        change = flat[at : at + _PIECE].astype(np.float64)
        if other is not None:
            change -= other[at : at + _PIECE].astype(np.float64)
        total += float(change @ change)
    return total


def _added(own: Arrays) -> dict[str, float]:
    """By part the squared norm of the product of a LoRA's factors."""
    factors: dict[str, list[str]] = {}
    # Sorted: the factor that the input goes through comes first.
    for name in sorted(n for n in own if _FACTOR.search(n)):
        factors.setdefault(_part(name), []).append(name)
    pairs = {part: names for part, names in factors.items() if len(names) == 2}
    return {part: _product(*(own[name] for name in names)) for part, names in pairs.items()}


def _counted(own: Arrays) -> dict[str, float]:
    """The same of a LoRA whose arrays are numbered in peft's order; none if shapes say otherwise.

    Each factor is a part of its own.
    """
    if not all(name.isdecimal() and len(name) < 9 for name in own) or len(own) % 2:
        return {}
    names = sorted(own, key=int)
    found: dict[str, float] = {}
    for down, up in zip(names[::2], names[1::2], strict=True):
        first, second = np.shape(own[down]), np.shape(own[up])
        if len(first) != 2 or len(second) != 2 or first[0] != second[1]:
            return {}
        if first[0] > min(first[1], second[0]):
            return {}
        found[down] = found[up] = _product(own[down], own[up]) / 2
    return found


def _product(down: Any, up: Any) -> float:
    """Squared norm of ``up @ down`` by matrices of the rank's size; a bound where shapes differ."""
    first, second = np.asarray(down), np.asarray(up)
    if not (_real(first) and _real(second) and first.ndim and second.ndim):
        return 0.0
    first = first.reshape(len(first), math.prod(first.shape[1:])).astype(np.float64)
    second = second.reshape(len(second), math.prod(second.shape[1:])).astype(np.float64)
    if len(first) != second.shape[1]:
        return float(np.square(first).sum() * np.square(second).sum())
    return max(float(((first @ first.T) * (second.T @ second)).sum()), 0.0)


def _normed(sizes: Mapping[str, float]) -> dict[str, float]:
    """Shares of the whole, of those that are numbers; none where the whole is nothing."""
    kept = {name: size for name, size in sizes.items() if np.isfinite(size)}
    largest = max(kept.values(), default=0.0)
    whole = sum(size / largest for size in kept.values()) if largest else 0.0
    return {name: size / largest / whole for name, size in kept.items()} if whole else {}


def _part(name: str) -> str:
    """The module that an array belongs to: both factors of a LoRA are one part."""
    return _OF_LORA.sub("", name) or name


def _disturbed(array: Any, before: Any, draws: np.random.Generator) -> NDArray[np.generic]:
    """Each number moved by a share of itself, or of its change where training made it smaller."""
    values = np.asarray(array)
    if not _real(values):
        return values
    # As exact as the numbers: arrays may be a whole model's.
    exact = np.float64 if values.dtype == np.float64 else np.float32
    found = values.astype(exact)
    size = np.abs(found)
    other = None if before is None else np.asarray(before)
    if other is not None and other.shape == values.shape and _real(other):
        # A part that was set to zero is moved as well.
        np.maximum(size, np.abs(found - other.astype(exact)), out=size)
    # Of several sizes: what is summed up must not cancel.
    shares = draws.random(values.shape, np.float32)
    shares *= 0.5
    shares += 0.5
    size *= shares
    size *= draws.integers(0, 2, values.shape, np.int8) * np.int8(2) - np.int8(1)
    size *= _DISTURBED
    found += size
    return found.astype(values.dtype)


def _real(array: NDArray[np.generic]) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"
