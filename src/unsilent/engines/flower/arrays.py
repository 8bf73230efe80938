"""Arrays of a user's app in a file: names, types and bytes as they came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.files import write_whole
from unsilent.messages import Arrays

_RESTORE = "Restore the file from a backup."
_CHANGED = "See that nothing between server and client changes bytes."


class RecordFiles:
    """Flower's records of arrays as files, for a monitored run."""

    def save(self, path: Path, arrays: Arrays) -> None:
        """Write arrays, whole or not at all."""
        save_arrays(path, record_of(arrays))

    def load(self, path: Path) -> ArrayRecord:
        """Read arrays. Raises ModelError if the file is damaged or not there."""
        return load_arrays(path)


def record_of(arrays: Arrays) -> ArrayRecord:
    """Arrays as Flower carries them; a record of its own as it is."""
    if isinstance(arrays, ArrayRecord):
        return arrays
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


class PlainArrays(Mapping[str, "NDArray[Any]"]):
    """A record as NumPy arrays by name, each read when it is looked up.

    Not before: who sent it may lie, and is first asked whether the plan was agreed to.
    """

    def __init__(self, record: ArrayRecord) -> None:
        self._record = record

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Raises ModelError if what was sent is no array."""
        array = self._record[name]
        try:
            found: Any = array.numpy()
        except Exception as error:  # bytes of somebody else's: NumPy raises whatever they lead to
            raise ModelError(
                "arrays that cannot be read",
                where=name[:60],
                remedy=_CHANGED,
            ) from error
        if not isinstance(found, np.ndarray):
            raise ModelError(
                "arrays that cannot be read",
                where=name[:60],
                remedy=_CHANGED,
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)


def save_arrays(path: Path, record: ArrayRecord) -> None:
    """Write arrays, whole or not at all."""
    head = [
        [name, array.dtype, list(array.shape), array.stype, len(array.data)]
        for name, array in record.items()
    ]
    data = b"".join(array.data for array in record.values())
    write_whole(path, json.dumps(head).encode() + b"\n" + data)


def load_arrays(path: Path) -> ArrayRecord:
    """Read arrays. Raises ModelError if the file is damaged or not there."""
    try:
        head, _, data = path.read_bytes().partition(b"\n")
        record, start = {}, 0
        for name, dtype, shape, stype, size in json.loads(head):
            part = data[start : start + size]
            start += size
            record[name] = Array(dtype, tuple(shape), stype, part)
    except FileNotFoundError:
        raise ModelError("no such arrays", where=path.name, remedy=_RESTORE) from None
    except (OSError, ValueError, TypeError):
        raise ModelError("arrays that cannot be read", where=path.name, remedy=_RESTORE) from None
    if start != len(data):
        raise ModelError("arrays that were cut short", where=path.name, remedy=_RESTORE)
    return ArrayRecord(record)
