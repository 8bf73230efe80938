"""Files of known sets as rows: JSONL, JSON, CSV, TSV, text and parquet.

What is read is untrusted: a fault is an ItemError that names file and row.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from unsilent.errors import ItemError
from unsilent.jsonl import read_jsonl
from unsilent.probes.known.row import FileRow, Part


def rows(part: Part, *, header: bool = True) -> Iterator[FileRow]:
    """The rows of a file by its suffix.

    ``.jsonl``: one object a line. ``.json``: a list of objects, or one a line. ``.csv``, ``.tsv``:
    with a header line, or without. ``.parquet``: needs pyarrow. Others: one line a row, in field
    ``line``.
    """
    if part.suffix == ".parquet":
        return _parquet(part)
    text = decoded(part)
    if part.suffix == ".jsonl" or (part.suffix == ".json" and text.lstrip()[:1] == "{"):
        return _jsonl(part, text)
    if part.suffix == ".json":
        return _json(part)
    if part.suffix in (".csv", ".tsv"):
        return _table(part, text, header=header)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return (
        FileRow(part, number, {"line": line}, f"{part.name}: line {number + 1}")
        for number, line in enumerate(lines)
        if line.strip()
    )


def decoded(part: Part) -> str:
    """The file as text. Raises ItemError unless it is UTF-8."""
    try:
        return part.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ItemError("not UTF-8 text", where=part.name) from None


def whole_of(part: Part) -> dict[str, Any]:
    """The whole file as one JSON object. Raises ItemError."""
    data = _json_of(part)
    if not isinstance(data, dict):
        raise ItemError("not a JSON object", where=part.name)
    return data


def _json_of(part: Part) -> Any:
    try:
        return json.loads(decoded(part))
    except (ValueError, RecursionError):
        raise ItemError("not valid JSON", where=part.name) from None


def _jsonl(part: Part, text: str) -> Iterator[FileRow]:
    for number, record in enumerate(read_jsonl(text)):
        where = f"{part.name}: line {record.line}"
        if record.fields is None:
            raise ItemError(record.fault, where=where)
        yield FileRow(part, number, dict(record.fields), where)


def _json(part: Part) -> Iterator[FileRow]:
    data = _json_of(part)
    if not isinstance(data, list):
        raise ItemError("not a list of objects", where=part.name)
    for number, record in enumerate(data):
        where = f"{part.name}: element {number}"
        if not isinstance(record, dict):
            raise ItemError("not a JSON object", where=where)
        yield FileRow(part, number, record, where)


def _table(part: Part, text: str, *, header: bool) -> Iterator[FileRow]:
    tabs = part.suffix == ".tsv"
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        strict=not tabs,
    )
    try:
        names = [name.strip() for name in next(reader, [])] if header else None
        if header and (not names or len(set(names)) != len(names)):
            raise ItemError("no header line, or a column twice", where=f"{part.name}: line 1")
        number = 0
        for cells in reader:
            if not cells:
                continue
            where = f"{part.name}: line {reader.line_num}"
            keys = names or [str(place) for place in range(len(cells))]
            if len(cells) != len(keys):
                raise ItemError(f"{len(cells)} cells for {len(keys)} columns", where=where)
            yield FileRow(part, number, dict(zip(keys, cells, strict=True)), where)
            number += 1
    except csv.Error as error:
        raise ItemError(
            f"not a table ({error})", where=f"{part.name}: line {reader.line_num}"
        ) from None


def _parquet(part: Part) -> Iterator[FileRow]:
    try:
        import pyarrow  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ItemError(
            "parquet files need pyarrow",
            where=part.name,
            remedy="Run `pip install unsilent[hub]`, or give a JSONL, JSON or CSV file.",
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(part.data))
        kinds = _features(file.schema_arrow.metadata or {})
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for record in batch.to_pylist():
                fields = {key: _named(value, kinds.get(key)) for key, value in record.items()}
                yield FileRow(part, number, fields, f"{part.name}: row {number}")
                number += 1
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ItemError(
            f"the parquet file is damaged ({type(error).__name__})", where=part.name
        ) from None


def _features(metadata: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """What `datasets` wrote about the columns; empty if another program wrote the file."""
    try:
        found = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(value: Any, kind: Any) -> Any:
    """A value with class numbers as their names, at any depth; else as it is."""
    if isinstance(value, list):
        inner = kind.get("feature", kind) if isinstance(kind, dict) else kind
        inner = inner[0] if isinstance(inner, list) and inner else inner
        return [_named(entry, inner) for entry in value]
    if isinstance(kind, dict) and kind.get("_type") == "ClassLabel":
        names = kind.get("names")
        if isinstance(names, list) and isinstance(value, int) and 0 <= value < len(names):
            return names[value]
        return None if value == -1 else value
    if isinstance(kind, dict) and isinstance(value, dict):
        inner = kind.get("feature", kind)
        inner = inner if isinstance(inner, dict) else {}
        return {key: _named(entry, inner.get(key)) for key, entry in value.items()}
    return value
