"""JSON Lines: the records of a text one by one, sound or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NO_OBJECT = "not a JSON object"
"""Fault of a line that is JSON, but no object."""


@dataclass(frozen=True)
class FileRecord:
    """One record as a file has it: its line, and its fields or what is wrong already."""

    line: int
    fields: Mapping[str, Any] | None
    fault: str = ""


def read_jsonl(text: str) -> Iterator[FileRecord]:
    """A record for each line that is not blank. Raises nothing."""
    # Not splitlines: JSON text may hold other line separators, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line, object_pairs_hook=_once)
        except TwiceError as error:
            yield FileRecord(number, None, f"field {error.args[0]!r} appears twice")
        except (ValueError, RecursionError):
            yield FileRecord(number, None, "not valid JSON")
        else:
            if isinstance(fields, dict):
                yield FileRecord(number, fields)
            else:
                yield FileRecord(number, None, NO_OBJECT)


class TwiceError(Exception):
    """A key that an object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise TwiceError(key[:60])
        fields[key] = value
    return fields
