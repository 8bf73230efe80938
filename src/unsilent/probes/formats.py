"""A user's probe file, in the published item schema: JSONL, CSV or YAML.

Whatever lies in the file, the outcome is all its items or one ItemError: sizes, nesting and YAML's
aliases are bounded before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, set_of
from unsilent.jsonl import FileRecord, read_jsonl
from unsilent.probes.record_readers import read_csv, read_yaml

MAX_BYTES = 64 << 20
MAX_ITEMS = 100_000
MAX_TEXT = 32_768
MAX_CHOICES = 256
SUFFIXES = (".jsonl", ".csv", ".yaml", ".yml")


def read_probe_file(path: Path) -> ItemSet:
    """All items of a file. Raises ItemError naming file, line and field of the first fault."""
    return parse_probes(path.stem, read_bytes(path), suffix_of(path), where=str(path))


def parse_probes(name: str, data: bytes, suffix: str, *, where: str) -> ItemSet:
    """All items of a file's bytes, or an ItemError."""
    items = [item_of(record, where=where) for record in records(data, suffix, where=where)]
    return set_of(name, items, where=where)


def suffix_of(path: Path) -> str:
    """The file's format by its name; JSONL where the name has no known suffix."""
    return path.suffix.lower() if path.suffix.lower() in SUFFIXES else ".jsonl"


def read_bytes(path: Path) -> bytes:
    """A regular file of at most 64 MiB. Raises ItemError."""
    try:
        if path.exists() and not path.is_file():
            raise ItemError(
                "not a readable UTF-8 text file", where=str(path), remedy="Give a regular file."
            )
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ItemError("no such file", where=str(path), remedy="Check the path.") from None
    except (OSError, ValueError):
        raise ItemError(
            "not a readable UTF-8 text file", where=f"{path!s:.200}", remedy="Check the path."
        ) from None
    if len(data) > MAX_BYTES:
        raise ItemError(
            f"larger than {MAX_BYTES >> 20} MiB", where=str(path), remedy="Take fewer items."
        )
    return data


def records(data: bytes, suffix: str, *, where: str) -> Iterator[FileRecord]:
    """The items of a file one by one, sound or not.

    Raises:
        ItemError: The file as a whole cannot be read: encoding, header, YAML syntax, size.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ItemError(
            "not a readable UTF-8 text file", where=where, remedy="Save it as UTF-8."
        ) from None
    read = {".csv": read_csv, ".yaml": read_yaml, ".yml": read_yaml}.get(suffix)
    for count, record in enumerate(read_jsonl(text) if read is None else read(text, where)):
        if count >= MAX_ITEMS:
            raise ItemError(f"more than {MAX_ITEMS} items", where=where, remedy="Take fewer items.")
        yield record


def item_of(record: FileRecord, *, where: str) -> Item:
    """The item of a record. Raises ItemError naming line and field."""
    spot = f"{where}: line {record.line}"
    if record.fields is None:
        raise ItemError(record.fault, where=spot, remedy="See the item schema.")
    item = Item.from_json(record.fields, where=spot)
    check_size(item, where=spot)
    return item


def check_size(item: Item, *, where: str) -> None:
    """Raise ItemError if an item is larger than any honest probe."""
    texts = {"id": item.id, "prompt": item.prompt}
    texts |= {f"choices[{place}]": choice for place, choice in enumerate(item.choices)}
    texts |= {f"attributes.{key}": key + value for key, value in item.attributes.items()}
    texts |= {key: getattr(item, key) or "" for key in ("group", "domain", "pair", "task")}
    for key, text in texts.items():
        if len(text) > MAX_TEXT:
            raise ItemError(
                f"{key} has {len(text)} characters, more than {MAX_TEXT}",
                where=where,
                remedy="Shorten it.",
            )
    if len(item.choices) > MAX_CHOICES or len(item.attributes) > MAX_CHOICES:
        raise ItemError(
            f"more than {MAX_CHOICES} choices or attributes", where=where, remedy="Take fewer."
        )
