"""The client's own record of what it has released, on its own disk.

Written whole or not at all, checked by a digest, and never reset by itself: a client that cannot
read what it spent has nothing left to spend.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unsilent.errors import BudgetError, ReleaseError
from unsilent.files import digest_json, write_whole
from unsilent.release.accountant import PrivacyEvent

BUDGET_SCHEMA = "unsilent/budget/1"
_REMEDY = (
    "Restore the client's folder from a backup. Without one, what it spent is unknown: "
    "enrol it under a new budget only if the plan allows that."
)


@dataclass(frozen=True)
class Spent:
    """One release that this client made.

    Attributes:
        plan: Digest of the plan it was made for.
        event: What it cost.
        release: ``sha256:…`` of its bytes.
        run: The run of the plan it was made for; empty if the caller named none, None in entries
            of versions that did not note it.
        time: When, in whole seconds of the client's clock since 1970; None in entries of versions
            that did not note it, and of plans that bound no year.
    """

    plan: str
    event: PrivacyEvent
    release: str
    run: str | None = None
    time: int | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data, as in the file."""
        data = {"plan": self.plan, "event": self.event.to_json(), "release": self.release}
        later = {"run": self.run, "time": self.time}
        return data | {key: value for key, value in later.items() if value is not None}

    @classmethod
    def from_json(cls, data: Any) -> Spent:
        """Read an entry. Raises KeyError, TypeError or ReleaseError if it is none."""
        run, time = data.get("run"), data.get("time")
        if time is not None and type(time) is not int:
            raise TypeError
        return cls(
            str(data["plan"]),
            PrivacyEvent.from_json(data["event"]),
            str(data["release"]),
            None if run is None else str(run),
            time,
        )


class BudgetFile:
    """``budget.json`` in a client's folder.

    Args:
        folder: The client's own folder.
        client: The client's name; a file of another client is refused.
    """

    def __init__(self, folder: Path, client: str) -> None:
        self.path = folder / "budget.json"
        self.client = client

    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.path.exists()

    def read(self) -> tuple[Spent, ...]:
        """All releases this client made, of any plan, oldest first; none in a new folder.

        Raises BudgetError if the file is damaged, of another client, or gone although releases
        are there.
        """
        try:
            text = self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            if any(self.path.parent.glob("release-*.bin")):
                raise self._fault("is gone, although this client has released") from None
            return ()
        except (OSError, UnicodeDecodeError):
            raise self._fault("cannot be read") from None
        try:
            data: Any = json.loads(text)
        except ValueError:
            raise self._fault("is not JSON") from None
        if not isinstance(data, dict):
            raise self._fault("is damaged")
        record = cast(dict[str, Any], data)
        check = record.pop("check", None)
        if check != digest_json(record):
            raise self._fault("is damaged: its check digest does not match")
        if record.get("schema") != BUDGET_SCHEMA:
            raise self._fault("has an unknown schema")
        if record.get("client") != self.client:
            raise self._fault("belongs to another client")
        return self._spent(record.get("releases"))

    def write(self, releases: Sequence[Spent]) -> None:
        """Replace the file, whole or not at all, and reach the disk before returning."""
        record: dict[str, Any] = {
            "schema": BUDGET_SCHEMA,
            "client": self.client,
            "releases": [made.to_json() for made in releases],
        }
        record["check"] = digest_json(record)
        write_whole(self.path, (json.dumps(record, indent=1) + "\n").encode())

    def _spent(self, releases: Any) -> tuple[Spent, ...]:
        try:
            return tuple(map(Spent.from_json, releases))
        except (AttributeError, KeyError, TypeError, ReleaseError):
            raise self._fault("lists a release that is not one") from None

    def _fault(self, what: str) -> BudgetError:
        return BudgetError(f"the client's budget file {what}", where=str(self.path), remedy=_REMEDY)
