"""A user's file for a role of open text, which says no more than it has to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from unsilent.items import Item, ItemSet, set_of
from unsilent.jsonl import FileRecord
from unsilent.modes.base import ItemRole
from unsilent.open_text.kinds import CHOICES, RUBRIC, kind_of, opened
from unsilent.plan.open_text import OPEN_ROLES
from unsilent.probes.formats import item_of, read_bytes, records, suffix_of


def read_open(role: ItemRole, path: Path) -> ItemSet:
    """The prompts, or the labelled answers, of a file in the item schema.

    ``choices``, the attribute ``rubric`` and ``chat`` may be left out: they follow from the role.
    Forced choices are read for their prompts.

    Raises:
        ItemError: Names file, line and field.
    """
    kind, where = kind_of(role), str(path)
    items: list[Item] = []
    for record in records(read_bytes(path), suffix_of(path), where=where):
        items.append(item_of(filled(record, role), where=where))
    found = set_of(path.stem, items, where=where)
    if role in OPEN_ROLES and any(item.choices != CHOICES for item in found):
        return opened(found, kind, name=found.name)
    return found


def filled(record: FileRecord, role: ItemRole) -> FileRecord:
    """A record of a role of open text, with what it may leave out."""
    kind = kind_of(role)
    if record.fields is None:
        return record
    fields: dict[str, Any] = dict(record.fields)
    fields.setdefault("choices", list(CHOICES))
    fields.setdefault("chat", kind.turn)
    attributes = fields.get("attributes", {})
    if isinstance(attributes, dict):
        given = cast("dict[str, Any]", attributes)
        fields["attributes"] = {RUBRIC: kind.name, **given}
    return replace(record, fields=fields)
