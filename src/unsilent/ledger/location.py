"""Which ledger belongs to a run folder: its own file, or a database whose URL is noted there."""

from __future__ import annotations

from pathlib import Path

from unsilent.errors import InputError, LedgerError, RunError
from unsilent.files import write_whole
from unsilent.ledger import Ledger
from unsilent.ledger.store import parse_url, shown

LEDGER_FILE = "ledger.sqlite"
URL_FILE = "ledger.url"
"""In the folder of a run whose ledger is in a database: its URL, which holds no password."""


def open_ledger(folder: Path, url: str | None = None) -> Ledger:
    """The ledger of a run folder, for the run itself.

    Args:
        folder: The run's folder.
        url: Where a new run's ledger is to be; a run that goes on keeps its own.

    Raises:
        RunError: The run has its ledger elsewhere, or another run's ledger is there.
        LedgerError: It cannot be opened.
    """
    note = folder / URL_FILE
    noted = note.read_text(encoding="utf-8").strip() if note.is_file() else None
    if noted is None and url is None:
        return Ledger(folder / LEDGER_FILE)
    if noted is None and (folder / LEDGER_FILE).exists():
        raise RunError(
            f"this run keeps its ledger in {LEDGER_FILE}",
            where=str(folder),
            remedy="Go on without --ledger, or use another --out.",
        )
    if noted is not None:
        if url is not None and parse_url(url) != parse_url(noted):
            raise RunError(
                f"this run keeps its ledger in {shown(parse_url(noted))}",
                where=str(folder),
                remedy="Go on without --ledger, or use another --out.",
            )
        return Ledger(noted)
    ledger = Ledger(str(url))
    if ledger.size:
        raise RunError(
            "another run's ledger is there",
            where=ledger.where,
            remedy="Name a schema of its own, as in postgresql://HOST/DATABASE?schema=NAME, or "
            "the --out of that run, to go on with it.",
        )
    # Nothing is in the ledger before it is noted whose it is.
    write_whole(note, f"{url}\n".encode())
    return ledger


def check_url(url: str) -> None:
    """Raise InputError if no new run's ledger can be at a URL; nothing is connected to."""
    if "://" not in url:
        raise InputError(
            f"{url!r} is no URL of a database",
            where="--ledger",
            remedy="Write postgresql://HOST/DATABASE?schema=NAME, or leave it out for a file.",
        )
    try:
        parse_url(url)
    except LedgerError as error:
        remedy = error.remedy or "Write postgresql://HOST/DATABASE?schema=NAME."
        where = f"--ledger {error.where}".strip()
        raise InputError(error.what, where=where, remedy=remedy) from None


def ledger_of(folder: Path) -> Ledger:
    """The ledger of a run folder, to read. Raises InputError if it has none, and LedgerError."""
    note = folder / URL_FILE
    if note.is_file():
        return Ledger(note.read_text(encoding="utf-8").strip(), read_only=True)
    path = folder / LEDGER_FILE
    if not path.is_file():
        raise InputError(
            "no such file", where=str(path), remedy="Name a run's folder, with its ledger in it."
        )
    return Ledger(path, read_only=True)
