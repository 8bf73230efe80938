"""A file of a known set and a row of it, with getters that name what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsilent.errors import ItemError

_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{0,15})?\Z", re.ASCII)


@dataclass(frozen=True)
class Part:
    """One unpacked file: its name without packing (``Age.jsonl``) and its bytes."""

    name: str
    data: bytes

    @property
    def stem(self) -> str:
        """The name without folders and last suffix, as items are named by it."""
        return self.name.rpartition("/")[2].rsplit(".", 1)[0]

    @property
    def suffix(self) -> str:
        """The last suffix in lower case, such as ``.jsonl``."""
        return Path(self.name).suffix.lower()


@dataclass(frozen=True)
class FileRow:
    """One row of a file; the getters raise ItemError, naming file, row and field.

    Attributes:
        part: The file.
        number: From 0 within the file.
        fields: By name; for a headless CSV the columns are ``0``, ``1`` and so on.
        where: File and line, for errors.
    """

    part: Part
    number: int
    fields: Mapping[str, Any]
    where: str

    def fault(self, what: str) -> ItemError:
        """An error about this row."""
        return ItemError(what, where=self.where, remedy="Is it the authors' own file?")

    def has(self, *keys: str) -> bool:
        """Whether all of the fields are there and hold something."""
        return all(self.fields.get(key) is not None for key in keys)

    def text(self, key: str, *, empty: bool = False) -> str:
        """A field's text with blanks at the ends removed."""
        value = self.fields.get(key)
        if value is None and not empty:
            raise self.fault(f"field {key!r} is missing")
        text = "" if value is None else str(value).strip() if _is_plain(value) else None
        if text is None:
            raise self.fault(f"field {key!r} is not text")
        if not text and not empty:
            raise self.fault(f"field {key!r} is empty")
        return text

    def texts(self, key: str) -> list[str]:
        """A field that is a list of texts."""
        value = self.fields.get(key)
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self.fault(f"field {key!r} is not a list of texts")
        return [entry.strip() for entry in value]

    def entries(self, key: str) -> list[Any]:
        """A field that is a list of anything."""
        value = self.fields.get(key)
        if not isinstance(value, list):
            raise self.fault(f"field {key!r} is not a list")
        return value

    def inner(self, key: str) -> FileRow:
        """A field that is an object, as a row of its own."""
        value = self.fields.get(key)
        if not isinstance(value, Mapping):
            raise self.fault(f"field {key!r} is not an object")
        return FileRow(self.part, self.number, value, self.where)

    def rows(self, key: str) -> list[FileRow]:
        """A field that is a list of objects, or (parquet) an object of lists of one length."""
        value = self.fields.get(key)
        if isinstance(value, Mapping):
            columns = list(value.values())
            lists = [column for column in columns if isinstance(column, list)]
            if len(lists) < len(columns) or len({len(column) for column in lists}) > 1:
                raise self.fault(f"field {key!r} is not an object of equally long lists")
            value = [dict(zip(value, entries, strict=True)) for entries in zip(*lists, strict=True)]
        if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
            raise self.fault(f"field {key!r} is not a list of objects")
        return [FileRow(self.part, self.number, entry, self.where) for entry in value]

    def integer(self, key: str) -> int:
        """A field that is a whole number, or text of one."""
        text = self.text(key)
        try:
            return int(text)
        except ValueError:
            raise self.fault(f"field {key!r} is not a whole number") from None

    def decimal(self, key: str) -> float:
        """A field that is a finite number, or text of one."""
        text = self.text(key)
        if not _DECIMAL.match(text):
            raise self.fault(f"field {key!r} is not a number")
        return float(text)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
