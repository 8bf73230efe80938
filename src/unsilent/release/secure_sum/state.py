"""What a client keeps of its secure sums, on its own disk, readable by itself only.

``secure-sum/identity.key`` is the client's signing key; a folder for each plan, named by its whole
digest, holds the current set-up and one file for each monitoring round, so that a round's secrets
go by replacing one small file. Everything is written whole, and is on disk before a message that
rests on it is sent: a client that forgot it had masked a round would mask another vector with the
same keys.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Self, TypeVar, cast

from unsilent.errors import SecureSumError
from unsilent.files import locked, sync_folder
from unsilent.release.secure_sum import primitives

_REMEDY = (
    "Nothing was sent. Secure sums cannot be restored from a backup; remove this plan's folder "
    "and take part from the next round's set-up on."
)
_SIZE = 4
_OLD_DIGITS = 16


class Stage(IntEnum):
    """How far a set-up or a round has come."""

    ADVERTISED = 1
    SHARED = 2
    READY = 3
    MASKED = 4
    ANSWERED = 5
    CLOSED = 6


@dataclass(frozen=True, repr=False)
class Stored:
    """A record of whole numbers and bytes; its fields are written in order."""

    mark: ClassVar[bytes]
    earlier: ClassVar[tuple[bytes, ...]] = ()

    def to_bytes(self) -> bytes:
        """Mark, SHA-256 of the rest, and each field after its length."""
        parts: list[bytes] = []
        for field in fields(self):
            value = cast(int | bytes, getattr(self, field.name))
            data = value.to_bytes(8, "little") if isinstance(value, int) else value
            parts += [len(data).to_bytes(_SIZE, "little"), data]
        body = b"".join(parts)
        return self.mark + hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """The record, or None if this is none. What an earlier version lacks has its default."""
        head = len(cls.mark) + 32
        body = data[head:]
        check = hashlib.sha256(body).digest()
        if data[:head] not in [mark + check for mark in (cls.mark, *cls.earlier)]:
            return None
        values: list[int | bytes] = []
        at = 0
        for field in fields(cls):
            if at == len(body):
                break
            end = at + _SIZE + int.from_bytes(body[at : at + _SIZE], "little")
            value = body[at + _SIZE : end]
            values.append(int.from_bytes(value, "little") if field.type == "int" else value)
            at = end
        return cls(*values)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, repr=False)
class SetUpState(Stored):
    """The current set-up of one plan.

    Attributes:
        stage: ADVERTISED, SHARED or READY.
        terms: Their digest.
        known: Identities seen in this plan's set-ups so far.
        channel: Private channel key, until the boxes are open.
        keys: Private round keys, until each is in its round's file.
        advert: The message.
        roster: H0.
        shares: The message.
        own: This client's number.
        present: How many clients are in the roster.
        identities: Of all of them, or of ``signers``, where survivors sign.
        neighbours: Numbers of the neighbours there are (members only, once READY), 4 bytes each.
        columns: Their columns in this client's row of the graph, 4 bytes each.
        channels: The keys of the boxes from and to each.
        peers: The public round keys of each, all rounds', until READY.
        members: Flags of who takes part.
        session: Digest of the session.
        confirmation: The message.
        value: What the advert commits to for the draw of a sparse graph.
        base: Digest of the roster that it was revealed for, or that was shared in.
        draws: How many values were revealed since a round was last masked.
        enrolment: Size and root of the list of clients that a sparse graph's roster last stood on.
        signers: Numbers of those whose signatures count, 4 bytes each; empty if all do.
    """

    mark: ClassVar[bytes] = b"unsilent secure-sum set-up 2\n"
    earlier: ClassVar[tuple[bytes, ...]] = (b"unsilent secure-sum set-up 1\n",)
    stage: int
    terms: bytes
    known: bytes
    channel: bytes
    keys: bytes
    advert: bytes
    roster: bytes = b""
    shares: bytes = b""
    own: int = 0
    present: int = 0
    identities: bytes = b""
    neighbours: bytes = b""
    columns: bytes = b""
    channels: bytes = b""
    peers: bytes = b""
    members: bytes = b""
    session: bytes = b""
    confirmation: bytes = b""
    value: bytes = b""
    base: bytes = b""
    draws: int = 0
    enrolment: bytes = b""
    signers: bytes = b""


@dataclass(frozen=True, repr=False)
class RoundState(Stored):
    """One monitoring round.

    Attributes:
        stage: READY, MASKED, ANSWERED or CLOSED.
        session: The session it belongs to.
        key: This client's private round key, until the round is over.
        peers: The member neighbours' public round keys, 32 bytes each, until it is masked.
        held: Their shares of their private round keys, 32 bytes each, until it is over.
        vector: SHA-256 of the vector that was masked.
        masked: Message A.
        story: Who survived and who dropped out, as first signed or answered.
        agreement: The message.
        answer: Message B.
    """

    mark: ClassVar[bytes] = b"unsilent secure-sum round 1\n"
    stage: int
    session: bytes
    key: bytes = b""
    peers: bytes = b""
    held: bytes = b""
    vector: bytes = b""
    masked: bytes = b""
    story: bytes = b""
    agreement: bytes = b""
    answer: bytes = b""

    def closed(self) -> RoundState:
        """The round once it has passed: no secret is left, and an answer only if it was given."""
        return RoundState(
            Stage.ANSWERED if self.answer else Stage.CLOSED,
            self.session,
            vector=self.vector,
            masked=self.masked,
            story=self.story,
            agreement=self.agreement,
            answer=self.answer,
        )


_Record = TypeVar("_Record", bound=Stored)


class ClientFiles:
    """A client's files for one plan. Use ``held`` around each change.

    Args:
        folder: The client's own folder.
        plan: Digest of the plan.
        is_ours: Whether a digest is of terms of this plan, given the rounds that files are there
            of: says whose a folder is whose name holds only the digest's beginning.
    """

    def __init__(
        self,
        folder: Path,
        plan: str,
        is_ours: Callable[[bytes, list[int]], bool] = lambda terms, rounds: False,
    ) -> None:
        digits = plan.removeprefix("sha256:")
        self.folder = folder / "secure-sum"
        self._plan = self.folder / digits
        self._old = self.folder / digits[:_OLD_DIGITS]
        self._is_ours = is_ours

    @contextmanager
    def held(self) -> Generator[None, None, None]:
        """Have the files alone; a disk's fault becomes a SecureSumError."""
        try:
            with locked(self.folder):
                if not self._plan.is_dir():
                    self._take_over()
                self._plan.mkdir(mode=0o700, exist_ok=True)
                yield
        except OSError as error:
            raise SecureSumError(
                f"the client's folder cannot be used ({error.strerror})",
                where=str(self.folder),
                remedy="Nothing was sent. Make it writable and free disk space.",
            ) from None

    def _take_over(self) -> None:
        """Go on with a folder of a version that cut the plan's digest, if it is this plan's.

        A round that was masked there must not be masked again under other keys, so one that may
        be this plan's is never passed over.
        """
        if self._old == self._plan or not self._old.is_dir():
            return
        state = self._record(SetUpState, self._old / "set-up.bin")
        if state is not None and self._is_ours(state.terms, self._rounds_in(self._old)):
            self._old.rename(self._plan)
            sync_folder(self.folder)
            return
        raise SecureSumError(
            "a folder of secure sums under a shortened name does not say whether it is this plan's",
            where=str(self._old),
            remedy="Nothing was sent. Give the plan another name; or remove that folder if this "
            "client never took part in the plan.",
        )

    def signing_key(self) -> bytes:
        """The client's private Ed25519 key, made the first time."""
        path = self.folder / "identity.key"
        data = self._read(path)
        if data is None:
            data, _ = primitives.new_signing_key()
            self._write(path, data)
        if len(data) != primitives.KEY_SIZE:
            raise SecureSumError("not a signing key", where=str(path), remedy=_REMEDY)
        return data

    def set_up(self) -> SetUpState | None:
        """The current set-up, None before the first."""
        return self._record(SetUpState, self._plan / "set-up.bin")

    def put_set_up(self, state: SetUpState) -> None:
        """Replace the set-up."""
        self._write(self._plan / "set-up.bin", state.to_bytes())

    def rounds(self) -> list[int]:
        """The rounds there is a file of, of this plan's set-ups so far, rising."""
        return self._rounds_in(self._plan)

    @staticmethod
    def _rounds_in(folder: Path) -> list[int]:
        return sorted(int(path.stem[len("round-") :]) for path in folder.glob("round-*.bin"))

    def round(self, number: int) -> RoundState | None:
        """A round, None if no set-up reached it."""
        return self._record(RoundState, self._round(number))

    def put_round(self, number: int, state: RoundState) -> None:
        """Replace a round."""
        self._write(self._round(number), state.to_bytes())

    def drop_round(self, number: int) -> None:
        """Forget a round that was not begun."""
        self._round(number).unlink(missing_ok=True)
        sync_folder(self._plan)

    def _round(self, number: int) -> Path:
        return self._plan / f"round-{number}.bin"

    def _record(self, kind: type[_Record], path: Path) -> _Record | None:
        data = self._read(path)
        if data is None:
            return None
        record = kind.from_bytes(data)
        if record is None:
            raise SecureSumError(
                "the client's record of its secure sums is damaged",
                where=str(path),
                remedy=_REMEDY,
            )
        return record

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, path: Path, data: bytes) -> None:
        # One name for all processes, of which one holds the lock: what a killed one left behind
        # is written over, and no secret stays in it.
        part = path.with_name(f".{path.name}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)


_BINARY = getattr(os, "O_BINARY", 0)
