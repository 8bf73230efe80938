"""From the text of a JSONL, CSV or YAML file to its records, one by one, sound or not.

A record's fault is told with it, so that a check can name all of them; what makes the whole file
unreadable is an ItemError.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from unsilent.errors import ItemError
from unsilent.jsonl import FileRecord, TwiceError

MAX_YAML_BYTES = 4 << 20

_INTEGER = re.compile(r"-?\d{1,9}\Z")
_INDICES = ("answer", "stereotyped")
_CHOICE = re.compile(r"choice_(0|[1-9]\d{0,2})\Z")
_MAX_DEPTH = 8
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_csv(text: str, where: str) -> Iterator[FileRecord]:
    """A record for each row below the header. Raises ItemError if it is no table of items."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_header(names, where)
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(names):
                fault = f"{len(cells)} cells for {len(names)} columns"
                yield FileRecord(reader.line_num, None, fault)
            else:
                yield _row(reader.line_num, dict(zip(names, cells, strict=True)))
    except csv.Error as error:
        raise ItemError(
            f"not a CSV table ({error})",
            where=f"{where}: line {max(reader.line_num, 1)}",
            remedy="Quote cells that hold commas, quotes or line ends.",
        ) from None


def _check_header(names: list[str], where: str) -> None:
    spot = f"{where}: line 1"
    if len(set(names)) != len(names):
        raise ItemError("a column appears twice", where=spot, remedy="Remove one.")
    choices = {name for name in names if _CHOICE.match(name)}
    if len(choices) < 2 or choices != {f"choice_{place}" for place in range(len(choices))}:
        raise ItemError(
            "the columns choice_0, choice_1 and so on are missing or have a gap",
            where=spot,
            remedy="Give each choice a column of its own, counted from 0.",
        )


def _row(line: int, cells: Mapping[str, str]) -> FileRecord:
    """A CSV row as JSON fields; an empty cell is an absent field, prompts apart."""
    fields: dict[str, Any] = {}
    choices: list[str] = []
    attributes: dict[str, str] = {}
    texts = [cells[name] for name in sorted(filter(_CHOICE.match, cells), key=lambda n: int(n[7:]))]
    while texts and not texts[-1]:
        texts.pop()
    choices += texts
    for name, cell in cells.items():
        if _CHOICE.match(name) or (not cell and name != "prompt"):
            continue
        if name.startswith("attributes."):
            attributes[name.removeprefix("attributes.")] = cell
        elif name in _INDICES:
            fields[name] = int(cell) if _INTEGER.match(cell.strip()) else cell
        elif name == "safe":
            parts = cell.split()
            whole = all(_INTEGER.match(part) for part in parts)
            fields[name] = [int(part) for part in parts] if whole else cell
        elif name == "chat":
            fields[name] = {"true": True, "false": False}.get(cell.strip().lower(), cell)
        else:
            fields[name] = cell
    fields["choices"] = choices
    if attributes:
        fields["attributes"] = attributes
    return FileRecord(line, fields)


def read_yaml(text: str, where: str) -> Iterator[FileRecord]:
    """A record for each entry of the list. Raises ItemError if it is none, or no plain YAML."""
    if len(text) > MAX_YAML_BYTES:
        raise ItemError(
            f"more than {MAX_YAML_BYTES >> 20} MiB of YAML", where=where, remedy="Use JSONL."
        )
    remedy = "A YAML probe file is a list of items."
    try:
        _check_events(text, where)
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        spot = where if mark is None else f"{where}: line {mark.line + 1}"
        raise ItemError("not valid YAML", where=spot, remedy=remedy) from None
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode):
        raise ItemError("not a list", where=where, remedy=remedy)
    for entry in node.value:
        line = entry.start_mark.line + 1
        try:
            fields = _built(entry)
        except TwiceError as error:
            yield FileRecord(line, None, f"field {error.args[0]!r} appears twice, or is no text")
        else:
            good = isinstance(fields, dict)
            yield FileRecord(
                line, fields if good else None, "" if good else "not an object of fields"
            )


def _check_events(text: str, where: str) -> None:
    """Refuse aliases, tags and deep nesting before a tree is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        spot = f"{where}: line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ItemError(
                "YAML anchors and aliases are not read", where=spot, remedy="Write it out."
            )
        if getattr(event, "tag", None) not in (None, "!"):
            raise ItemError("YAML tags are not read", where=spot, remedy="Remove the tag.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise ItemError("nested too deeply", where=spot, remedy="See the item schema.")


def _built(node: yaml.Node) -> Any:
    """A YAML node as JSON data; a scalar that is no whole number, true, false or null is text."""
    if isinstance(node, yaml.SequenceNode):
        return [_built(entry) for entry in node.value]
    if isinstance(node, yaml.MappingNode):
        fields: dict[str, Any] = {}
        for key_node, value in node.value:
            key = _built(key_node)
            if not isinstance(key, str) or key in fields:
                raise TwiceError(str(key)[:60])
            fields[key] = _built(value)
        return fields
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() in ("true", "yes", "on")
    if kind == "int" and _INTEGER.match(node.value):
        return int(node.value)
    return node.value
