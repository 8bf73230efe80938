"""Which of several records of arrays is the model: apps send control variates and the like beside.

A record is the model if nothing else is there, if it is named so, or if it alone has the names and
shapes of the model's other side. Where that does not decide, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import ArrayRecord, RecordDict

ARRAYS = "arrays"
"""The name of the model's record by Flower's own default."""


def records_in(content: RecordDict) -> dict[str, ArrayRecord]:
    """A message's records of arrays, by name; a later change of the message is not seen in them."""
    return {name: ArrayRecord(dict(each)) for name, each in content.array_records.items()}


def model_in(
    records: Mapping[str, ArrayRecord],
    *,
    named: str | None = None,
    like: ArrayRecord | None = None,
) -> ArrayRecord | None:
    """The record that is the model; None if that cannot be said.

    Args:
        records: By name.
        named: What the app calls it. Where one is called so, no other is.
        like: The model before or after, if known.
    """
    for name in (named, None if len(records) == 1 else ARRAYS):
        if name is not None and name in records:
            return records[name]
    found = list(records.values())
    if len(found) > 1 and like is not None:
        found = [each for each in found if alike(each, like)]
    return found[0] if len(found) == 1 else None


def alike(one: ArrayRecord, other: ArrayRecord) -> bool:
    """Whether both hold arrays of the same names and shapes."""
    return {name: tuple(array.shape) for name, array in one.items()} == {
        name: tuple(array.shape) for name, array in other.items()
    }


def both_models(
    sent: Mapping[str, ArrayRecord],
    returned: Mapping[str, ArrayRecord],
    named: str | None = None,
) -> tuple[ArrayRecord | None, ArrayRecord | None]:
    """The model that a client was sent and the one that it returned; None where it cannot be said.

    Either side tells the other: by names and shapes, and if several have them, by its own name.
    """
    start = model_in(sent, named=named)
    local = model_in(returned, named=named, like=start)
    if start is None and local is not None:
        start = model_in(sent, named=named, like=local) or sent.get(_name(returned, local))
    if local is None and start is not None:
        local = returned.get(_name(sent, start))
    return start, local


def _name(records: Mapping[str, ArrayRecord], which: ArrayRecord) -> str:
    return next(name for name, each in records.items() if each is which)
