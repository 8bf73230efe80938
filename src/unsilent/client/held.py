"""A client's folder, had alone: a disk's fault becomes an error that says what to do."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from unsilent.errors import BudgetError
from unsilent.files import locked


@contextmanager
def held(folder: Path, *, remedy: str = "Make it writable.") -> Generator[None, None, None]:
    """Have a client's folder alone.

    Args:
        folder: The client's own.
        remedy: What its owner does where the disk fails.

    Raises:
        BudgetError: The folder cannot be read or written.
    """
    try:
        with locked(folder):
            yield
    except OSError as error:
        raise BudgetError(
            f"the client's folder cannot be used ({error.strerror})",
            where=str(folder),
            remedy=remedy,
        ) from None
