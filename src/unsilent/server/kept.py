"""What judging has found so far, kept beside the ledger so that a restarted server goes on from it.

A cache and no record: nothing is in it that does not follow from plan and sums. It is bound to the
plan, to the findings that were recorded last and to the version that wrote it, and is left aside as
soon as anything of it does not fit: then the same numbers are worked out again. ``verify`` judges a
run from its sums alone and never reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unsilent import __version__
from unsilent.errors import UnsilentError
from unsilent.inference.looks import Boundary, Density
from unsilent.ledger import Entry, Ledger
from unsilent.ledger.events import RoundJudged

SUFFIX = ".kept"
_MAGIC = b"unsilent kept 1\n"
_CHECK = hashlib.sha256().digest_size
_LARGEST = 64 * 2**20
_UNFIT = (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)


def place_of(ledger: Ledger) -> Path | None:
    """The file beside a ledger's own; None for a ledger in a database."""
    return None if ledger.file is None else ledger.file.with_suffix(SUFFIX)


def keep(ledger: Ledger, plan: str, judged: Entry, boundaries: Sequence[Boundary]) -> None:
    """Write what a round was judged by. What cannot be written is worked out again, no more.

    Args:
        ledger: The run's.
        plan: The plan's digest.
        judged: The entry of the round's findings.
        boundaries: Those of more looks than are found again in no time; none, and nothing is kept.
    """
    place = place_of(ledger)
    if place is None or not boundaries:
        return
    body = _packed(plan, judged, boundaries)
    # Not forced onto the disk: a part of it does not have the digest at its end.
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.write_bytes(body + hashlib.sha256(body).digest())
        part.replace(place)
    except OSError:
        part.unlink(missing_ok=True)


def kept(ledger: Ledger, plan: str) -> tuple[Boundary, ...]:
    """What is kept beside a ledger, as far as it belongs to it; else nothing. Nothing is raised."""
    place = place_of(ledger)
    try:
        if place is None or place.stat().st_size > _LARGEST:
            return ()
        data = place.read_bytes()
        body, check = data[:-_CHECK], data[-_CHECK:]
        if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != check:
            return ()
        head, _, numbers = body[len(_MAGIC) :].partition(b"\n")
        told = json.loads(head)
        found = ledger.page(told["entry"] + 1, 1, kind=RoundJudged.kind)
        judged = found[0] if found else None
        if judged is None or told != _told(plan, judged, told["boundaries"]):
            return ()
        return tuple(_unpacked(told["boundaries"], np.frombuffer(numbers, dtype="<f8")))
    except (*_UNFIT, UnsilentError):
        return ()


def _told(plan: str, judged: Entry, boundaries: list[Any]) -> dict[str, Any]:
    """What the file says of itself. Another numpy may round another way."""
    return {
        "plan": plan,
        "entry": judged.index,
        "hash": judged.hash,
        "unsilent": __version__,
        "numpy": np.__version__,
        "boundaries": boundaries,
    }


def _packed(plan: str, judged: Entry, boundaries: Sequence[Boundary]) -> bytes:
    sizes = [[len(each.values), len(each.density.paths), each.ahead] for each in boundaries]
    head = json.dumps(_told(plan, judged, sizes), sort_keys=True).encode()
    parts = [part for each in boundaries for part in _numbers(each)]
    return _MAGIC + head + b"\n" + np.concatenate(parts).astype("<f8").tobytes()


def _numbers(of: Boundary) -> tuple[Any, ...]:
    density = of.density
    single = np.array([density.total, density.added, density.end])
    return of.information, of.spent, of.values, single, density.paths, density.masses


def _unpacked(sizes: list[Any], numbers: Any) -> Iterator[Boundary]:
    """Raises ValueError if the sizes are not those of the numbers."""
    place = 0

    def take(count: int) -> Any:
        nonlocal place
        place += count
        return np.array(numbers[place - count : place], dtype=np.float64)

    if sum(3 * looks + 3 + 2 * paths for looks, paths, _ in sizes) != len(numbers):
        raise ValueError
    for looks, paths, ahead in sizes:
        information, spent, values = (take(looks) for _ in range(3))
        total, added, end = take(3).tolist()
        density = Density(total, added, end, take(paths), take(paths))
        yield Boundary(information, spent, values, density, bool(ahead))
