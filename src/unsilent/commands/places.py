"""Where a command writes: looked at before the work is done, and written whole."""

from __future__ import annotations

import os
from pathlib import Path

from unsilent.errors import InputError


def check_place(path: Path | None, option: str = "--out", *, folder: bool = False) -> None:
    """Refuse a place at which nothing can be written, and write nothing.

    What cannot be seen beforehand, as of a tree that is read-only for everyone, `write` says.

    Args:
        path: The file to be written; None is fine.
        option: What names it on the command line.
        folder: It is to be a folder, with files in it.

    Raises:
        InputError: It is of the wrong kind, or lies below a file, or may not be written.
    """
    if path is None:
        return
    if path.is_dir() and not folder:
        raise _refused(path, "is a folder", option, "Name a file in it.")
    if path.exists() and folder and not path.is_dir():
        raise _refused(path, "is a file", option, "Name a folder.")
    above = path if folder and path.is_dir() else path.absolute().parent
    while not _there(above):
        above = above.parent
    if not above.is_dir():
        raise _refused(path, f"{above.name} is a file, not a folder", option)
    if not os.access(above, os.W_OK | os.X_OK):
        raise _refused(path, f"{above} may not be written in", option)


def write(path: Path, text: str, option: str = "--out") -> None:
    """Write what was asked for as a file, whole. Raises InputError if that is not possible."""
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, data: bytes, option: str = "--out") -> None:
    """As `write`, of bytes."""
    from unsilent.files import write_whole

    check_place(path, option)
    try:
        write_whole(path, data)
    except OSError as error:
        raise cannot_write(path, error, option) from None


def cannot_write(path: Path, error: OSError, option: str = "--out") -> InputError:
    """What is said where the system refuses to write."""
    return _refused(path, f"cannot be written ({error.strerror or 'refused'})", option)


def _there(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError:
        return False


def _refused(path: Path, what: str, option: str, remedy: str = "Name another path.") -> InputError:
    return InputError(what, where=f"{option} {path}", remedy=remedy)
