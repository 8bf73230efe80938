"""What typed events have in common: fields that are their payload's keys, checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import Field, TypeAdapter, ValidationError

from unsilent.errors import LedgerError

Count = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
Number = Annotated[float, Field(strict=True, gt=-1e300, lt=1e300)]
Text = Annotated[str, Field(strict=True, min_length=1)]


# Made once for a kind, since that is slow. What is read is checked by it, not what is written.
_reader = cache(TypeAdapter)


class TypedEvent:
    """An event whose fields are its payload's keys."""

    kind: ClassVar[str]

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry."""
        return asdict(cast("Any", self))

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Read an entry's payload. Raises LedgerError naming the key that is amiss."""
        try:
            return cast("Self", _reader(cls).validate_python(payload))
        except ValidationError as error:
            place = error.errors(include_url=False, include_input=False)[0]["loc"]
            key = place[0] if place else "payload"
            raise LedgerError(f"not a {cls.kind} entry: its {key}") from None
