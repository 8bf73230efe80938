"""Traces in files: what simulated clients measured before clip and noise, and what was true.

A folder of three Parquet tables, a data card and ``SHA256SUMS``. Anyone can score a method on
them: nothing else of a federation is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.files import write_whole
from unsilent_bench.traces.card import card
from unsilent_bench.traces.federation import (
    CLIENT_COLUMNS,
    CLIENT_TRUTHS,
    CODES,
    META,
    Federation,
)

FEDERATIONS, CLIENTS, TRUTH = "federations.parquet", "clients.parquet", "truth.parquet"
CARD, SUMS = "README.md", "SHA256SUMS"
SUMMED = (FEDERATIONS, CLIENTS, TRUTH, CARD)

_TYPES = {"strength": "float32", "clients": "int32", "rounds": "int32", "seed": "int64"}
_TRUTH_COLUMNS = ("round", "code", "truth", "se")
_DROPPED_BITS = 8
"""Of a float32's 23 fraction bits: an error of at most 1.5e-5 of the value."""
_REMEDY = "Fetch the traces again, or record them with `unsilent bench run`."

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Traces:
    """Recorded federations.

    Attributes:
        federations: In the order of their file; ids are distinct.
        where: The folder they were read from, for messages.
    """

    federations: tuple[Federation, ...]
    where: str


def write(folder: Path, federations: Iterable[Federation]) -> None:
    """Write traces: three tables, a card that describes them, and their checksums.

    Clients' numbers are rounded to 15 bits of fraction, about 5 significant digits.

    Args:
        folder: Created if need be; traces in it are replaced. ``SHA256SUMS`` is written last, so
            that a write that was cut off is noticed.
        federations: With distinct ids.

    Raises:
        InputError: An id is used twice, there is no federation, the folder cannot be written to,
            or pyarrow is missing.
    """
    kept = tuple(federations)
    if not kept:
        raise InputError("no federation to write", where=str(folder))
    _distinct(kept, str(folder))
    try:
        _write_all(folder, kept)
    except OSError as error:
        what = f"cannot be written ({error.strerror or type(error).__name__})"
        raise InputError(what, where=str(folder), remedy="Name another folder.") from None


def _write_all(folder: Path, kept: Sequence[Federation]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    meta = {
        name: np.array([getattr(each, name) for each in kept], dtype=_TYPES.get(name))
        for name in META
    }
    _write(folder / FEDERATIONS, meta)
    truths = [name for name in CLIENT_TRUTHS if any(name in each.numbers for each in kept)]
    _write(folder / CLIENTS, _stacked(kept, lambda each: _client_rows(each, truths)))
    _write(folder / TRUTH, _stacked(kept, _truth_rows))
    write_whole(folder / CARD, card(kept).encode())
    lines = [f"{_digest(folder / name)}  {name}\n" for name in SUMMED]
    write_whole(folder / SUMS, "".join(lines).encode())


def read(folder: Path | None = None) -> Traces:
    """Read traces, after their checksums were verified.

    Args:
        folder: As ``write`` left it, or one that holds such folders, as a run leaves them; None
            for those that ship with the package.

    Raises:
        InputError: A file is missing, is not the one that was written, or has other columns; an
            id is used twice; or pyarrow is missing.
    """
    if folder is not None:
        return together([folder])
    with as_file(files("unsilent_bench.traces") / "data") as shipped:
        if not (shipped / SUMS).is_file():
            raise InputError(
                "none ship with this copy of unsilent",
                where="traces",
                remedy="Name a folder with --traces; `unsilent bench run` records one.",
            )
        return Traces(_read(shipped), str(shipped))


def together(folders: Sequence[Path]) -> Traces:
    """What several folders hold, as one; each, and its errors, as for ``read``."""
    where = ", ".join(str(folder) for folder in folders)
    parts = [part for folder in folders for part in _parted(folder) or [folder]]
    found = tuple(each for part in parts for each in _read(part))
    _distinct(found, where)
    return Traces(found, where)


def verify(folder: Path) -> None:
    """Compare every file of the traces with ``SHA256SUMS``; raises InputError naming the file."""
    sums = folder / SUMS
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("no checksums of traces", where=str(sums), remedy=_REMEDY) from None
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in SUMMED:
        if name not in said:
            raise InputError(f"no checksum of {name}", where=str(sums), remedy=_REMEDY)
        try:
            found = _digest(folder / name)
        except OSError:
            raise InputError("cannot be read", where=str(folder / name), remedy=_REMEDY) from None
        if found != said[name]:
            what = "is not the file that was recorded: its checksum differs"
            raise InputError(what, where=str(folder / name), remedy=_REMEDY)


def _parted(folder: Path) -> list[Path]:
    """The folders of traces in one that is none itself, by name."""
    if (folder / SUMS).exists():
        return []
    return sorted(path.parent for path in folder.glob(f"*/{SUMS}"))


def _distinct(federations: Iterable[Federation], where: str) -> None:
    ids = sorted(each.federation for each in federations)
    twice = next((name for name, other in pairwise(ids) if name == other), None)
    if twice is not None:
        raise InputError(f"federation {twice!r} is there twice", where=where)


def _read(folder: Path) -> tuple[Federation, ...]:
    verify(folder)
    listed = _columns(folder / FEDERATIONS, tuple(META))
    rows = _parts(folder / CLIENTS, ("round", "client", *CLIENT_COLUMNS), CLIENT_TRUTHS)
    truths = _parts(folder / TRUTH, _TRUTH_COLUMNS)
    found: list[Federation] = []
    for position, name in enumerate(listed["federation"]):
        for part, path in ((rows, CLIENTS), (truths, TRUTH)):
            if name not in part:
                what = f"no rows of federation {name!r}"
                raise InputError(what, where=str(folder / path), remedy=_REMEDY)
        meta = {key: values[position] for key, values in listed.items()}
        found.append(_federation(meta, rows[name], truths[name]))
    return tuple(found)


def _federation(meta: dict[str, Any], rows: Columns, true: Columns) -> Federation:
    plain = {key: value.item() if hasattr(value, "item") else value for key, value in meta.items()}
    rounds, clients = plain["rounds"], plain["clients"]
    numbers: dict[str, NDArray[np.float32]] = {}
    for column in (*CLIENT_COLUMNS, *CLIENT_TRUTHS):
        # Of federations in one file, some may have been recorded without a truth of each client.
        if column in CLIENT_TRUTHS and (column not in rows or np.isnan(rows[column]).all()):
            continue
        numbers[column] = np.full((rounds, clients), np.nan, dtype=np.float32)
        numbers[column][rows["round"] - 1, rows["client"]] = rows[column]
    truth, errors = np.full((2, rounds, len(CODES)), np.nan)
    spot = (true["round"] - 1, np.array([CODES.index(code) for code in true["code"]]))
    truth[spot], errors[spot] = true["truth"], true["se"]
    return Federation(**plain, numbers=numbers, truth=truth, truth_se=errors)


def _client_rows(federation: Federation, truths: Sequence[str]) -> Columns:
    moment, client = np.nonzero(federation.present)
    unknown = np.full(federation.present.shape, np.nan, np.float32)
    numbers = {
        name: _rounded(federation.numbers.get(name, unknown)[moment, client])
        for name in (*CLIENT_COLUMNS, *truths)
    }
    return {
        "round": (moment + 1).astype(np.int16),
        "client": client.astype(np.int16),
        **numbers,
    }


def _truth_rows(federation: Federation) -> Columns:
    moment, code = np.indices(federation.truth.shape).reshape(2, -1)
    return {
        "round": (moment + 1).astype(np.int16),
        "code": np.array(CODES)[code],
        "truth": federation.truth.reshape(-1).astype(np.float32),
        "se": federation.truth_se.reshape(-1).astype(np.float32),
    }


def _stacked(
    federations: Sequence[Federation], rows_of: Callable[[Federation], Columns]
) -> Columns:
    """The rows of all federations, one after the other, with their id before them."""
    parts = [rows_of(each) for each in federations]
    ids = [each.federation for each in federations]
    lengths = [len(part["round"]) for part in parts]
    return {
        "federation": np.repeat(np.array(ids), lengths),
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
    }


def _parts(
    path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Columns]:
    """Federation to its rows, by column; the rows of one federation follow one another."""
    whole = _columns(path, ("federation", *names), optional)
    ids = whole.pop("federation")
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else []
    return {
        ids[start]: {name: values[start:stop] for name, values in whole.items()}
        for start, stop in pairwise([*starts, len(ids)])
    }


def _write(path: Path, columns: Columns) -> None:
    arrow, parquet = _arrow()
    floats = [name for name, values in columns.items() if values.dtype == np.float32]
    parquet.write_table(
        arrow.table(columns),
        path,
        compression="zstd",
        compression_level=15,
        use_dictionary=[name for name in columns if name not in floats],
        use_byte_stream_split=floats,
        write_statistics=False,
    )


def _columns(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> Columns:
    _, parquet = _arrow()
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        what = f"is not a Parquet table ({type(error).__name__})"
        raise InputError(what, where=str(path), remedy=_REMEDY) from None
    there = set(table.column_names)
    odd = set(names) ^ (there - set(optional))
    if odd:
        what = f"column {min(odd)!r} is missing or unknown"
        remedy = "These traces are of another version of unsilent; record them again."
        raise InputError(what, where=str(path), remedy=remedy)
    return {name: table.column(name).to_numpy() for name in (*names, *optional) if name in there}


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Nearest floats whose last bits are 0; NaN and infinities stay."""
    bits = values.astype(np.float32).view(np.uint32)
    half = np.uint32(1 << (_DROPPED_BITS - 1))
    kept = ((bits + half) >> np.uint32(_DROPPED_BITS)) << np.uint32(_DROPPED_BITS)
    return np.where(np.isfinite(values), kept.view(np.float32), values).astype(np.float32)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            "reading and writing traces needs the package pyarrow",
            where="traces",
            remedy="From a checkout: pip install ./bench.",
        ) from None
    return pyarrow, parquet
