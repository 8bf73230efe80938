"""Federations recorded one by one, each in a folder of its own, so that what was done is done."""

from __future__ import annotations

from pathlib import Path

from unsilent.errors import InputError
from unsilent_bench.traces.federation import Federation
from unsilent_bench.traces.format import SUMS, read, write


def keep(folder: Path, federation: Federation) -> None:
    """Record a federation below a folder; ``read`` takes all that lie there together."""
    write(folder / federation.federation, [federation])


def kept(folder: Path, name: str, plan: str) -> Federation | None:
    """A federation that an earlier run recorded; None if none did, or it was cut off.

    Args:
        folder: Holds a folder for each federation.
        name: The federation's id.
        plan: Digest of the monitoring plan that it has to be of.

    Raises:
        InputError: It was recorded under another plan, or its files are damaged.
    """
    own = folder / name
    if not (own / SUMS).is_file():
        return None
    (found,) = read(own).federations
    if found.plan != plan:
        raise InputError(
            "was recorded under another monitoring plan",
            where=str(own),
            remedy="Record into another folder, or remove this one.",
        )
    return found
