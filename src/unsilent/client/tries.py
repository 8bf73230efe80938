"""How often a client has measured a round that was not released: each failure tells something.

Whether a measurement fails can depend on private data, and a server chooses the adapters that are
measured: with ones that fail for some data only, it would learn a little by each failure, without
end and without a release that costs. So a round is measured a few times at most.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from unsilent.errors import BudgetError
from unsilent.files import write_whole

MOST_TRIES = 3
"""Measurements of one round of a plan: a server sees after how many of them it was released, if
it was, which is one of four outcomes."""

_FILE = "tries.json"
_MOST_KEPT = 3000
_REMEDY = f"Nothing was sent. Find out why measuring failed; removing {_FILE} allows more tries."


def begin_try(folder: Path, plan: str, round_number: int) -> None:
    """Note that a round is about to be measured. The caller holds the folder.

    Args:
        folder: The client's own.
        plan: The plan's digest.
        round_number: The monitoring round.

    Raises:
        BudgetError: It was measured as often as may be, or the file is damaged.
    """
    path = folder / _FILE
    made = _read(path)
    this = [plan, round_number]
    if made.count(this) >= MOST_TRIES:
        raise BudgetError(
            f"round {round_number} was measured {MOST_TRIES} times and not released",
            where=str(path),
            remedy=_REMEDY,
        )
    write_whole(path, json.dumps([*made, this][-_MOST_KEPT:]).encode())


def _read(path: Path) -> list[Any]:
    try:
        made: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        made = None
    if not isinstance(made, list):
        raise BudgetError("not a list of measurements", where=str(path), remedy=_REMEDY)
    return cast("list[Any]", made)
