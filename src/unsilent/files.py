"""Writing files and naming content: whole or not at all, and by SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part.

    A ``private`` one can be read by this user only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(part, flags, 0o600 if private else 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def locked(folder: Path) -> Generator[None, None, None]:
    """Hold a folder alone, made if need be; the lock goes with the process that held it."""
    # Only here: it is dear to import, and most commands hold nothing.
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


def sync_folder(folder: Path) -> None:
    """Put the names of new files on disk, so that they outlive a power cut.

    Windows writes names through, and opens no folder.
    """
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_json(value: object) -> str:
    """``sha256:…`` of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def find(path: str | Path) -> Path:
    """A file of an app: beside the app's modules, else in the current folder.

    An installed app runs in whatever folder its process was started in, with its own folder first
    on the path on which modules are found.
    """
    given = Path(path).expanduser()
    for folder in (*map(Path, sys.path), Path()):
        if (folder / given).is_file():
            return (folder / given).absolute()
    return given
