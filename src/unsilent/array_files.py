"""Named NumPy arrays in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from unsilent.errors import ModelError
from unsilent.files import write_whole

_RESTORE = "Restore the file from a backup."

UNREADABLE = (SafetensorError, ValueError, KeyError, TypeError)
"""What safetensors raises for bytes that are none of its own, or of types that NumPy has not."""


class ArrayFiles:
    """Arrays as a safetensors file."""

    def save(self, path: Path, arrays: Mapping[str, Any]) -> None:
        """Write arrays, whole or not at all. Raises ModelError as ``array_bytes``."""
        write_whole(path, array_bytes(arrays))

    def load(self, path: Path) -> Mapping[str, NDArray[Any]]:
        """Read arrays. Raises ModelError if the file is damaged or not there."""
        try:
            return load(path.read_bytes())
        except FileNotFoundError:
            raise ModelError("no such arrays", where=path.name, remedy=_RESTORE) from None
        except (OSError, *UNREADABLE):
            raise ModelError(
                "arrays that cannot be read",
                where=path.name,
                remedy=_RESTORE,
            ) from None


def array_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as safetensors, each in its shape: a number alone keeps having none.

    Raises:
        ModelError: One is of a type that safetensors has no name for.
    """
    # Not by ``ascontiguousarray``: it makes a list of a number.
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        return save(plain)
    except SafetensorError:
        kinds = ", ".join(sorted({str(array.dtype) for array in plain.values()}))
        raise ModelError(
            f"arrays of a type that cannot be kept or sent ({kinds})",
            remedy="Use plain numbers of at most 8 bytes, float32 for one.",
        ) from None
