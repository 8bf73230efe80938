"""The files of known sets, plain or packed, in memory.

What is unpacked is untrusted: it is bounded in size, archives are never written to disk, and a
fault is an ItemError that names the file.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from unsilent.assets.archive import DAMAGED, members
from unsilent.errors import ItemError
from unsilent.probes.known.row import Part

MAX_BYTES = 256 << 20
"""Bytes of one set, unpacked; the largest known one has 60 MB."""

MAX_FILES = 1000
_TOO_LARGE = f"more than {MAX_BYTES >> 20} MiB once unpacked"


@dataclass(frozen=True)
class Files:
    """The unpacked files of a set, in order of their names.

    Attributes:
        parts: Those that hold rows.
        beside: Others that belong to them, such as labels, by bare name.
    """

    parts: tuple[Part, ...]
    beside: Mapping[str, Part]


def open_files(path: Path, patterns: Sequence[str], beside: Sequence[str] = ()) -> Files:
    """The files of a set at a path: one file, or those of a folder that fit the patterns.

    Args:
        path: A file (read whatever its name), or a folder, searched with all below it.
        patterns: File names with ``*``, without packing; the first that any file fits counts.
        beside: Names of other files of the set, looked for in the same folder.

    Raises:
        ItemError: Nothing there, nothing that fits, damaged, or too large.
    """
    try:
        if path.is_dir():
            return _of_folder(path, patterns, beside)
        if not path.is_file():
            raise ItemError("no such file or folder", where=str(path), remedy="Check the path.")
        parts = list(_parts(path))
        fit = _fitting(parts, patterns) if len(parts) > 1 else parts
        if not fit:
            raise ItemError(f"no file {_shown(patterns)} in it", where=str(path))
        others = [part for part in parts if _fits(part.name, beside)]
        for near in sorted(path.parent.iterdir()):
            if near != path and near.is_file() and _fits(_unpacked(near.name), beside):
                others += _parts(near)
        return Files(tuple(fit), {part.name.rpartition("/")[2]: part for part in others})
    except (OSError, ValueError) as error:
        # ValueError: a path with a NUL character.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such path"
        raise ItemError(f"cannot be read ({reason})", where=str(path)) from None


def _fits(name: str, patterns: Iterable[str]) -> bool:
    bare = name.rpartition("/")[2]
    return any(fnmatch(bare, pattern) or fnmatch(name, pattern) for pattern in patterns)


def _fitting(parts: Sequence[Part], patterns: Sequence[str]) -> list[Part]:
    """The parts that fit the first pattern that any of them fits."""
    for pattern in patterns:
        fit = [part for part in parts if _fits(part.name, (pattern,))]
        if fit:
            return sorted(fit, key=lambda part: part.name)
    return []


def _shown(patterns: Sequence[str]) -> str:
    return " or ".join(patterns)


def _of_folder(folder: Path, patterns: Sequence[str], beside: Sequence[str]) -> Files:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(p.startswith(".") for p in name.split("/")):
            found[name] = path
        if len(found) > MAX_FILES:
            raise ItemError(f"more than {MAX_FILES} files", where=str(folder))
    for pattern in patterns:
        chosen = [name for name in found if _fits(_unpacked(name), (pattern,))]
        if chosen:
            parts = [
                Part(_inside(name, part.name), part.data)
                for name in chosen
                for part in _parts(found[name])
                if _fits(part.name, (pattern,))
            ]
            others = [
                part
                for name in found
                if _fits(_unpacked(name), beside)
                for part in _parts(found[name])
            ]
            if sum(len(part.data) for part in parts) > MAX_BYTES:
                raise ItemError(_TOO_LARGE, where=str(folder))
            return Files(tuple(parts), {part.name.rpartition("/")[2]: part for part in others})
    raise ItemError(f"no file {_shown(patterns)} in the folder", where=str(folder))


def _inside(name: str, bare: str) -> str:
    folder = name.rpartition("/")[0]
    return f"{folder}/{bare}" if folder else bare


def _unpacked(name: str) -> str:
    for packing in (".tar.gz", ".tgz", ".gz"):
        if name.lower().endswith(packing):
            return name[: -len(packing)]
    return name


def _parts(path: Path) -> Iterator[Part]:
    """The file or files in one file on disk."""
    name = path.name.lower()
    try:
        if name.endswith((".tar.gz", ".tgz", ".tar", ".zip")):
            with path.open("rb") as stream:
                yield from _members(stream, str(path))
        elif name.endswith(".gz"):
            with gzip.open(path) as stream:
                yield Part(path.name[:-3], _bounded(stream, MAX_BYTES, str(path)))
        else:
            with path.open("rb") as stream:
                yield Part(path.name, _bounded(stream, MAX_BYTES, str(path)))
    except DAMAGED as error:
        raise ItemError(
            f"the file is damaged or cannot be unpacked ({type(error).__name__})",
            where=str(path),
            remedy="Get it again.",
        ) from None


def _members(file: IO[bytes], where: str) -> Iterator[Part]:
    left = MAX_BYTES
    for count, (name, opener) in enumerate(members(file)):
        if count >= MAX_FILES:
            raise ItemError(f"more than {MAX_FILES} files", where=where)
        stream = opener()
        if stream is None:
            continue
        if name.endswith(".gz"):
            with gzip.open(stream) as plain:
                data = _bounded(plain, left, where)
        else:
            data = _bounded(stream, left, where)
        left -= len(data)
        yield Part(_unpacked(name), data)


def _bounded(stream: IO[bytes] | gzip.GzipFile, most: int, where: str) -> bytes:
    data = stream.read(most + 1)
    if len(data) > most:
        raise ItemError(_TOO_LARGE, where=where)
    return data
