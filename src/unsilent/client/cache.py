"""What a client keeps of a release: its bytes, and for which plan, run and round they were made.

``release-ROUND-PLAN.bin`` in the client's folder, ``PLAN`` being all 64 digits of the plan's
digest. What lies there is given out again only under the same plan, run and round, and that is
read in the file: a name can be met by another plan, the content cannot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unsilent.client.budget import Spent
from unsilent.errors import BudgetError, OtherRunError, ReleaseError
from unsilent.files import write_whole
from unsilent.release.release import Release

KEPT_SCHEMA = "unsilent/kept-release/1"
_HEAD = b'{"plan":'
_OLD_DIGITS = 12
_REMEDY = "It is not made a second time. Restore the client's folder from a backup."


@dataclass(frozen=True)
class Kept:
    """A release as it is kept.

    Attributes:
        plan: Digest of the plan that it was made for.
        run: The run of it; empty if the caller named none.
        round: The monitoring round.
        data: The release's bytes.
    """

    plan: str
    run: str
    round: int
    data: bytes

    @property
    def digest(self) -> str:
        """``sha256:…`` of the release's bytes, as in the budget's book."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    def release(self) -> Release:
        """The release. Raises ReleaseError if the bytes are none."""
        return Release.from_bytes(self.data)

    def to_bytes(self) -> bytes:
        """One line of JSON that says what it is, then the release."""
        head = {
            "schema": KEPT_SCHEMA,
            "plan": self.plan,
            "run": self.run,
            "round": self.round,
            "release": self.digest,
        }
        return json.dumps(head, sort_keys=True, separators=(",", ":")).encode() + b"\n" + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Kept:
        """Read a kept release. Raises ReleaseError if it is damaged, or none."""
        head, _, body = data.partition(b"\n")
        try:
            if not head.startswith(_HEAD):
                raise ValueError
            told = cast("dict[str, Any]", json.loads(head))
            kept = cls(str(told["plan"]), str(told["run"]), int(told["round"]), body)
            fits = (told["schema"], told["release"]) == (KEPT_SCHEMA, kept.digest)
        except (ValueError, KeyError, TypeError):
            raise ReleaseError("not a kept release") from None
        if not fits:
            raise ReleaseError("a damaged kept release")
        return kept


class KeptReleases:
    """A client's kept releases of one plan and one run.

    Args:
        folder: The client's own folder.
        plan: The plan's digest.
        run: The run of it.
    """

    def __init__(self, folder: Path, plan: str, run: str) -> None:
        self._folder = folder
        self._plan = plan
        self._run = run

    def path(self, round_number: int) -> Path:
        """Where the release of a round lies."""
        return self._folder / f"release-{round_number}-{self._digits}.bin"

    def write(self, release: Release) -> Kept:
        """Keep a release, whole or not at all."""
        kept = Kept(self._plan, self._run, release.round, release.to_bytes())
        write_whole(self.path(release.round), kept.to_bytes())
        return kept

    def booked(self, round_number: int, digest: str) -> Kept:
        """The release that the client's book names, by the digest there.

        Raises:
            BudgetError: It is gone, damaged, or not the one that was made.
            OtherRunError: It was made for another run.
        """
        found = self._read(round_number)
        if found is None:
            found = self._read_old(round_number)
        if found is None:
            raise self._lost(round_number)
        if found.digest != digest:
            raise self._other(round_number)
        return found

    def unbooked(self, round_number: int, book: Iterable[Spent]) -> Kept | None:
        """What the last attempt wrote before it could book the cost; None if nothing.

        Args:
            round_number: A round of which the book names no release under this plan.
            book: All that the client has booked, under any plan.

        Raises:
            BudgetError: What lies there is damaged or of another plan, or does not say of which
                plan it is.
            OtherRunError: It was made for another run.
        """
        found = self._read(round_number)
        if found is not None:
            return found
        old = self._read_old(round_number)
        # One that is booked is another plan's, whose digest begins alike.
        if old is not None and all(made.release != old.digest for made in book):
            raise BudgetError(
                "a release of this round lies here under a shortened name, and the client's book "
                "does not say of which plan it is",
                where=str(self._old_path(round_number)),
                remedy="Nothing was sent. If the client's folder was never restored from a "
                "backup, that file was not sent either: remove it, and the round is released.",
            )
        return None

    @property
    def _digits(self) -> str:
        return self._plan.removeprefix("sha256:")

    def _old_path(self, round_number: int) -> Path:
        """Its name in folders of versions up to 0.1, which cut the digest."""
        return self._folder / f"release-{round_number}-{self._digits[:_OLD_DIGITS]}.bin"

    def _read(self, round_number: int) -> Kept | None:
        try:
            found = Kept.from_bytes(self.path(round_number).read_bytes())
        except FileNotFoundError:
            return None
        except ReleaseError:
            raise self._lost(round_number) from None
        if (found.plan, found.round) != (self._plan, round_number):
            raise self._other(round_number)
        if found.run != self._run:
            raise other_run(self.path(round_number))
        return found

    def _read_old(self, round_number: int) -> Kept | None:
        """A bare release: of which plan and run it is, only the book can say."""
        try:
            data = self._old_path(round_number).read_bytes()
        except FileNotFoundError:
            return None
        return Kept(self._plan, self._run, round_number, data)

    def _lost(self, round_number: int) -> BudgetError:
        return BudgetError(
            "the release of this round was made and is gone or damaged",
            where=str(self.path(round_number)),
            remedy=_REMEDY,
        )

    def _other(self, round_number: int) -> BudgetError:
        return BudgetError(
            "the stored release is not the one that was made",
            where=str(self.path(round_number)),
            remedy=_REMEDY,
        )


def run_of(folder: Path, plan: str, book: Iterable[Spent]) -> str | None:
    """The run to which a plan's rounds are released; None before the first.

    Entries of versions that did not note the run are of the one in ``run-….txt`` beside them.

    Raises:
        BudgetError: The book names two runs of one plan.
    """
    noted = {made.run for made in book if made.plan == plan}
    if None in noted:
        old = folder / f"run-{plan.removeprefix('sha256:')[:_OLD_DIGITS]}.txt"
        noted.discard(None)
        noted.add(old.read_text(encoding="utf-8", errors="replace") if old.is_file() else "")
    if len(noted) > 1:
        raise BudgetError(
            "the client's book names two runs of one plan",
            where=str(folder),
            remedy="Nothing was sent. Give the next run a plan with another name.",
        )
    return noted.pop() if noted else None


def other_run(where: Path) -> OtherRunError:
    """That a plan's rounds were released to another run."""
    return OtherRunError(
        "this client has answered for another run of the same plan, and a plan's rounds are "
        "released once",
        where=str(where),
        remedy="Give the new run a plan with another name, or go on with the first run's "
        "folder on the server.",
    )
