"""A known probe set of another distribution: one file, and an entry point that names it."""

from __future__ import annotations

from collections.abc import Iterator

from unsilent.items import Item
from unsilent.probes.known.base import Asked, KnownSet, Skipped, question_item
from unsilent.probes.known.read import rows
from unsilent.probes.known.unpack import Files


def read(files: Files, asked: Asked) -> Iterator[Item | Skipped]:
    """One item a row: ``question``, ``options`` and the number of the right one, ``key``."""
    for part in files.parts:
        for row in rows(part):
            yield question_item(
                f"rivers-{row.number:05d}",
                row,
                row.text("question"),
                row.texts("options"),
                row.integer("key"),
                domain=row.text("continent"),
            )


RIVERS = KnownSet(
    name="rivers",
    title="Rivers of the world",
    roles=("general", "task"),
    licence="CC0-1.0",
    citation="An example; nobody to cite",
    home="examples/probe_set",
    files=("rivers*.jsonl", "*.jsonl"),
    read=read,
    rows={"test": 3},
    rows_source="the example's own test",
)
