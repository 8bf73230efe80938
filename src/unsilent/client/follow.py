"""What a client holds a plan against that says it follows another: its own book.

A server says which plan follows which, and may lie. So a client that released under the earlier
plan goes on under one later plan only, in the run that it released to, and from the round on that
comes after all that it released; and under the earlier plan it releases nothing more. A client
that never released under the earlier plan knows nothing of it, and joins as any new one.

``followed.json`` in the client's folder: digest of a plan to the digest of the one that followed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from unsilent.client.budget import Spent
from unsilent.client.cache import run_of
from unsilent.errors import BudgetError, OtherVersionError
from unsilent.files import write_whole
from unsilent.plan import MonitoringPlan

FOLLOWED_FILE = "followed.json"


def check_version(plan: MonitoringPlan, run: str, folder: Path, spent: Sequence[Spent]) -> None:
    """Refuse a plan that does not follow what this client released. The caller holds the folder.

    Args:
        plan: Under which a round would be released.
        run: The run that asks.
        folder: The client's own.
        spent: Its book.

    Raises:
        OtherVersionError: Another plan followed this one, or the one that it follows; it follows
            what this client released to another run; or this client released later rounds.
        BudgetError: The client's files are damaged.
    """
    followed = _read(folder)
    if plan.digest in followed:
        raise _fault(
            f"this client released under {followed[plan.digest]}, which followed this plan",
            "A plan that was followed is over. Ask the server's operator which one is in force.",
            folder,
        )
    before = plan.follows
    if before is None or plan.versions is None:
        return
    other = followed.get(before, plan.digest)
    if other != plan.digest:
        raise _fault(
            f"the plan that this one follows was followed by {other}",
            "One plan follows another. Ask the server's operator which one is in force.",
            folder,
        )
    rounds = [made.event.round for made in spent if made.plan == before]
    if not rounds:
        return
    if run_of(folder, before, spent) != run:
        raise _fault(
            "this client released under the plan that this one follows to another run",
            "A plan is followed in the ledger in which it was declared. Ask the server's operator.",
            folder,
        )
    last = plan.versions.last or 0
    if max(rounds) > last:
        raise _fault(
            f"this client released in round {max(rounds)} under the plan that this one follows, "
            f"and this one says that its last round was {last}",
            "Rounds that were released are not forgotten. Ask the server's operator.",
            folder,
        )


def note_version(plan: MonitoringPlan, folder: Path) -> None:
    """Note that this client goes on under a plan that follows another. It holds the folder."""
    if plan.follows is None:
        return
    followed = _read(folder)
    if plan.follows not in followed:
        text = json.dumps({**followed, plan.follows: plan.digest}, indent=1) + "\n"
        write_whole(folder / FOLLOWED_FILE, text.encode())


def _read(folder: Path) -> dict[str, str]:
    path = folder / FOLLOWED_FILE
    try:
        data: Any = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        data = None
    except OSError as error:
        raise BudgetError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="Nothing was sent."
        ) from None
    found = cast("dict[object, object]", data) if isinstance(data, dict) else {None: None}
    if not all(isinstance(part, str) for pair in found.items() for part in pair):
        raise BudgetError(
            "not a list of plans and those that followed them",
            where=str(path),
            remedy="Nothing was sent. Restore the client's folder from a backup.",
        )
    return cast("dict[str, str]", found)


def _fault(what: str, remedy: str, folder: Path) -> OtherVersionError:
    return OtherVersionError(
        what, where=str(folder / FOLLOWED_FILE), remedy=f"Nothing was sent. {remedy}"
    )
