"""A client's own statistics, kept in its own folder for itself alone.

They are exact: neither clipped nor noised, and a personalized adapter depends on every record it
was trained on. Whoever reads this file learns what no release tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unsilent.errors import InputError
from unsilent.files import write_whole
from unsilent.modes.base import Statistic

OWN_FILE = "own.json"
OWN_SCHEMA = "unsilent/own/1"


@dataclass(frozen=True)
class OwnStatistic:
    """One mode's statistic, as in ``Statistic``: positive is worse.

    Attributes:
        value: The effect on this client.
        spread: Its standard deviation over the choice of items.
        items: How many independent items it rests on.
        subgroups: The same by domain.
    """

    value: float
    spread: float
    items: int
    subgroups: Mapping[str, float]


@dataclass(frozen=True)
class OwnRound:
    """One monitoring round.

    Attributes:
        plan: The plan's digest.
        round: The training round, counted from 1.
        loss, accuracy: Growth of the loss (nats) and drop of the accuracy on held-out records.
        statistics: By the mode's code.
        model: Why the measured model could not be shown to be this client's own, and where to
            look; empty if it could.
    """

    plan: str
    round: int
    loss: float
    accuracy: float
    statistics: Mapping[str, OwnStatistic]
    model: tuple[str, ...] = ()


def keep_own(
    folder: Path,
    plan: str,
    round_number: int,
    statistics: Sequence[Statistic],
    loss: float,
    accuracy: float,
    model: Sequence[str] = (),
) -> None:
    """Keep a round's statistics, readable by this user only; the same round is replaced.

    A file that is damaged is begun anew: it is for looking at, and nothing rests on it.
    """
    try:
        read_own(folder)
        rounds = _raw(folder)
    except InputError:
        rounds = []
    made = {
        "plan": plan,
        "round": round_number,
        "loss": loss,
        "accuracy": accuracy,
        "model": list(model),
        "statistics": {
            s.code: {
                "value": s.value,
                "spread": s.spread,
                "items": s.items,
                "subgroups": dict(s.subgroups),
            }
            for s in statistics
        },
    }
    others = [r for r in rounds if (r.get("plan"), r.get("round")) != (plan, round_number)]
    data = {"schema": OWN_SCHEMA, "rounds": [*others, made]}
    write_whole(folder / OWN_FILE, (json.dumps(data) + "\n").encode(), private=True)


def read_own(folder: Path) -> tuple[OwnRound, ...]:
    """All rounds kept, oldest first. Raises InputError if there are none or they are damaged."""
    try:
        return tuple(
            OwnRound(
                str(data["plan"]),
                int(data["round"]),
                float(data["loss"]),
                float(data["accuracy"]),
                {code: OwnStatistic(**each) for code, each in data["statistics"].items()},
                tuple(str(note) for note in data.get("model", ())),
            )
            for data in _raw(folder)
        )
    except (KeyError, TypeError, ValueError):
        raise _fault(folder) from None


def _raw(folder: Path) -> list[dict[str, Any]]:
    try:
        if not folder.is_dir():
            raise InputError(
                "a file, not a folder" if folder.exists() else "no such folder",
                where=str(folder),
                remedy="Name a client's own folder, as RUN/clients/0 in a simulated run.",
            )
        data: Any = json.loads((folder / OWN_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            "this client has measured nothing yet",
            where=str(folder),
            remedy="Name the folder of a client that took part in a monitoring round.",
        ) from None
    except (OSError, ValueError):
        raise _fault(folder) from None
    if not isinstance(data, dict) or data.get("schema") != OWN_SCHEMA:
        raise _fault(folder)
    return cast("list[dict[str, Any]]", data["rounds"])


def _fault(folder: Path) -> InputError:
    return InputError(
        "not readable",
        where=str(folder / OWN_FILE),
        remedy="The next monitoring round begins it anew.",
    )
