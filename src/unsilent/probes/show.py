"""Known sets, their items and checked files for people: tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.items import Item, ItemSet
from unsilent.probes.check import CheckResult, bank_json, pin_of
from unsilent.probes.known.base import KnownSet
from unsilent.probes.known.load import Loaded

_MOST_CHOICES = 6
_MOST_STRATA = 12
_ASKED = 64
"""Units that each client answers where a plan does not say otherwise."""


def list_table(sets: Iterable[KnownSet]) -> RenderableType:
    """One line a set."""
    table = Table(box=None, pad_edge=False)
    for name in ("set", "probes", "rows", "licence", "from", "training", "citation"):
        table.add_column(name, justify="right" if name == "rows" else "left", overflow="fold")
    for known in sets:
        origins = ["path", *(["package"] if known.package else []), *(["hub"] if known.hub else [])]
        table.add_row(
            known.name,
            ", ".join(known.roles),
            f"{sum(known.rows.values()):,}",
            known.licence if known.licence_seen else f"{known.licence}, unverified",
            ", ".join(origins),
            "never" if known.no_training else "allowed",
            escape(known.citation),
        )
    return Group(
        table,
        Text("\nunverified: as commonly stated, read nowhere; check it before you pass data on."),
        Text("Offline: from a path always; from a package once it is in the cache."),
        Text('In a plan: probes.bias = "known:bbq:data/bbq?category=Age"'),
    )


def loaded_json(loaded: Loaded, first: int) -> dict[str, Any]:
    """What a set's files hold and its first items, ready for JSON."""
    return {
        "name": loaded.known.name,
        "rows": loaded.rows,
        "items": len(loaded.items),
        "skipped": dict(loaded.reasons),
        "files": [
            {"name": file.name, "sha256": file.sha256, "as_known": file.known}
            for file in loaded.files
        ],
        "pin": pin_of(loaded.items),
        **bank_json(loaded.items, _ASKED),
        "first": [item.to_json() for item in loaded.items.items[:first]],
    }


def loaded_text(loaded: Loaded, first: int) -> RenderableType:
    """The first items as the model sees them, and what the files hold."""
    lines = [
        f"{loaded.known.title}: {loaded.rows:,} rows, {len(loaded.items):,} items",
        *(f"skipped {count:,}: {why}" for why, count in loaded.reasons.items()),
    ]
    for file in loaded.files:
        known = {
            True: "the published one",
            False: "NOT the published one",
            None: "no hash on record",
        }
        lines.append(f"{file.name}: sha256 {file.sha256[:16]}…, {known[file.known]}")
    lines.append(f"pin of these items: {pin_of(loaded.items)}")
    lines += _bank_lines(loaded.items, _ASKED)
    for item in loaded.items.items[:first]:
        lines += ["", *_item_lines(item)]
    return _text(lines)


def _bank_lines(items: ItemSet, asked: int) -> list[str]:
    """The set as a bank that clients draw from."""
    found = bank_json(items, asked)
    strata = found["strata"]
    told = ", ".join(_stratum(each) for each in strata[:_MOST_STRATA])
    more = f", and {len(strata) - _MOST_STRATA} more" if len(strata) > _MOST_STRATA else ""
    own = found["independent"]
    counted = [f"a plan may count on {own:,} of them: the others repeat these"]
    return [
        f"bank: {found['units']:,} units in {len(strata)} strata ({told}{more})",
        *(counted if own < found["units"] else []),
        f"a client that answers {found['draw']['asked']} of them shares "
        f"{found['draw']['shared_by_two']:g} with another one, in the mean",
    ]


def _stratum(told: dict[str, Any]) -> str:
    answer = "" if told["answer"] is None else f" answer {told['answer']}"
    return f"{told['domain'] or 'no domain'}{answer}: {told['units']}"


def _text(lines: Iterable[str]) -> Text:
    """Lines with control characters written out: a probe file must not steer a terminal."""
    whole = "\n".join(lines)
    return Text("".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in whole))


def _item_lines(item: Item) -> list[str]:
    marks = {"answer": item.answer, "stereotyped": item.stereotyped}
    lines = [f"[{item.id}]{' as a user turn' if item.chat else ''}", item.prompt]
    for place, choice in enumerate(item.choices[:_MOST_CHOICES]):
        notes = [name for name, index in marks.items() if index == place]
        notes += ["safe"] if place in item.safe else []
        lines.append(f"  {place}:{choice!r}{'  <- ' + ', '.join(notes) if notes else ''}")
    if len(item.choices) > _MOST_CHOICES:
        lines.append(f"  and {len(item.choices) - _MOST_CHOICES} more choices")
    return lines


def check_text(result: CheckResult) -> RenderableType:
    """What a check found, the faults first."""
    lines: list[str] = []
    for fault in result.faults:
        head = f"{result.path}: line {fault.line}: {fault.what}"
        lines.append(f"{head}. {fault.remedy}" if fault.remedy else head)
    if result.faulty > len(result.faults):
        lines.append(f"and {result.faulty - len(result.faults)} more faulty lines")
    lines.append(f"{result.sound} sound items, {result.faulty} faulty")
    if result.duplicates:
        shown = ", ".join(f"{d.id} repeats {d.same_id}" for d in result.duplicates[:5])
        lines.append(f"{len(result.duplicates)} duplicates: {shown}")
    for role, missing in result.roles.items():
        lines.append(f"probes.{role}: {missing or 'yes'}")
    if result.items is not None:
        lines.append(f"pin: {result.path}{pin_of(result.items)}")
        lines += _bank_lines(result.items, result.asked)
    return _text(lines)
