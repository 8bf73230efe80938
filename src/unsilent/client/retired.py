"""A client that left for good: from then on it answers no order of monitoring, of any plan.

``retired.json`` in the client's folder, written by whoever owns it (``unsilent privacy retire``).
No server is asked, and none can take it back. What the client has spent stays in its book: a folder
whose owner removes the file goes on with what was left of its limit, and with nothing fresh.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from unsilent.client.held import held
from unsilent.errors import InputError, RetiredError
from unsilent.files import write_whole

RETIRED_FILE = "retired.json"
RETIRED_SCHEMA = "unsilent/retired/1"


def retire(folder: Path, now: float | None = None) -> bool:
    """Retire a client for good; whether it was not retired before.

    Args:
        folder: The client's own folder, which exists.
        now: When, in seconds since 1970; by default the client's clock.

    Raises:
        InputError: There is no such folder.
        BudgetError: The folder cannot be used.
    """
    if not folder.is_dir():
        raise InputError(
            "no such folder", where=str(folder), remedy="Name the client's own folder."
        )
    with held(folder):
        if is_retired(folder):
            return False
        moment = int(time.time() if now is None else now)
        record = {"schema": RETIRED_SCHEMA, "time": moment}
        write_whole(folder / RETIRED_FILE, (json.dumps(record, indent=1) + "\n").encode())
    return True


def is_retired(folder: Path) -> bool:
    """Whether a client left for good. A file that cannot be read says so too."""
    return (folder / RETIRED_FILE).exists() or (folder / RETIRED_FILE).is_symlink()


def refuse_retired(folder: Path) -> None:
    """Raise RetiredError if the client left for good; nothing was sent."""
    if is_retired(folder):
        raise RetiredError(
            "this client has left for good",
            where=str(folder / RETIRED_FILE),
            remedy="Nothing was sent. A client that takes its place has a folder of its own.",
        )
