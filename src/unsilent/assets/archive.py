"""What is in an archive, file by file, whatever its packing: nothing is written anywhere.

Archives are untrusted: names may lead out of a folder, members may be links or grow without end.
Whoever reads one checks names and bounds what it takes.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    gzip.BadGzipFile,
    # An encrypted member of a zip, and a packing that zipfile does not know.
    RuntimeError,
    NotImplementedError,
)
"""What reading a damaged archive raises."""

Opener = Callable[[], IO[bytes] | None]


def members(
    file: IO[bytes], check: Callable[[str], None] = lambda name: None
) -> Iterator[tuple[str, Opener]]:
    """The names in a zip or a tar, and what opens them: None for what is no regular file.

    A member is to be opened before the next is asked for.

    Args:
        file: At its beginning.
        check: Called for every name before it is given, of a zip for all before the first.

    Raises:
        One of ``DAMAGED``.
    """
    is_zip = file.read(4).startswith(b"PK")
    file.seek(0)
    if is_zip:
        with zipfile.ZipFile(file) as packed:
            for name in packed.namelist():
                check(name)
            for each in packed.infolist():
                yield each.filename, (_nothing if each.is_dir() else partial(packed.open, each))
    else:
        with tarfile.open(fileobj=file) as tar:
            for entry in tar:
                check(entry.name)
                yield entry.name, (partial(tar.extractfile, entry) if entry.isreg() else _nothing)


def _nothing() -> None:
    return None
