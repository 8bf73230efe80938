"""The links of a ledger's chain, and whether rows of the table are linked as they must be.

A year of rounds is a hundred megabytes of entries, and a server that goes on with its run checks
them all. So each row's hash is taken of its text as it lies there, which is the canonical form, and
nothing is parsed that need not be. No mark says how far a chain was checked before: whoever can
change a row could set it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from unsilent.files import digest_json
from unsilent.ledger.table import round_of

GENESIS = "sha256:" + "0" * 64
"""What the first entry holds as the hash of the one before."""

Row = tuple[int, str, str, str, str, str, int | None]
"""Position, time, kind, payload, hash of the one before, own hash, round."""

_PLAIN = re.compile(r"[0-9A-Za-z.:+_-]*")
"""Text that is the same in JSON, but for the quotes around it."""

_LAST_ROUND = re.compile(r'[,{]"round":(-?[0-9]{1,18})(?:,"[a-z_]+":[-+.0-9eE\[\],]+)*\}')
"""The end of a payload after whose round come numbers and rows of numbers alone.

No brace lies between, so what closes is the payload itself, and the ``round`` is its own and none
further in.
"""


@dataclass(frozen=True)
class Verified:
    """How far a chain was checked: its first ``count`` entries, the last with the hash ``head``."""

    count: int = 0
    head: str = GENESIS


START = Verified()
"""Nothing checked yet."""


def content_hash(index: int, time: str, kind: str, payload: Any, previous: str) -> str:
    """``sha256:…`` of the canonical JSON of an entry's content."""
    return digest_json(
        {"index": index, "time": time, "kind": kind, "payload": payload, "previous": previous}
    )


def follow(
    since: Verified,
    rows: Iterable[Row],
    fault: Callable[[int, str], Exception],
    head: str | None = None,
) -> tuple[Verified, bool]:
    """Check rows that come after those checked before.

    Args:
        since: How far the chain was checked.
        rows: The next ones, in order.
        fault: Makes the error of an entry, by its index and what is wrong with it.
        head: A hash to look out for.

    Returns:
        How far it is checked now, and whether ``head`` was among these, if given.

    Raises:
        Exception: As ``fault`` makes it, for the first entry that was changed, removed or inserted.
    """
    count, previous, found = since.count, since.head, head is None
    for row in rows:
        count += 1
        if row[0] != count:
            raise fault(count, "is missing")
        if row[4] != previous:
            raise fault(count, "does not follow the one before")
        if not _holds(row, fault):
            raise fault(count, "was changed")
        previous = row[5]
        found = found or previous == head
    return Verified(count, previous), found


def _holds(row: Row, fault: Callable[[int, str], Exception]) -> bool:
    """Whether a row's hash is that of its content, and its round the one that its payload names."""
    position, time, kind, text, previous, own, number = row
    # A database keeps in a column of text whatever someone put there.
    if not all(isinstance(each, str) for each in (time, kind, text)):
        return False
    if _PLAIN.fullmatch(time) and _PLAIN.fullmatch(kind):
        whole = (
            f'{{"index":{position},"kind":"{kind}","payload":{text},'
            f'"previous":"{previous}","time":"{time}"}}'
        )
        if f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}" == own:
            named = _LAST_ROUND.fullmatch(text, max(text.rfind('"round":') - 1, 0))
            if named is not None:
                return int(named[1]) == number
            return round_of(_parsed(position, text, fault)) == number
    # Written down in another form than ours, it may still say the same.
    payload = _parsed(position, text, fault)
    return (content_hash(position, time, kind, payload, previous), round_of(payload)) == (
        own,
        number,
    )


def _parsed(position: int, text: str, fault: Callable[[int, str], Exception]) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise fault(position, "was changed: its payload is not JSON") from None
