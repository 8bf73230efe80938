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


class ArrayFiles:
    """Arrays as a safetensors file."""

    def save(self, path: Path, arrays: Mapping[str, Any]) -> None:
        """Write arrays, whole or not at all."""
        plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_whole(path, save(plain))

    def load(self, path: Path) -> Mapping[str, NDArray[Any]]:
        """Read arrays. Raises ModelError if the file is damaged or not there."""
        try:
            return load(path.read_bytes())
        except FileNotFoundError:
            raise ModelError("no such arrays", where=path.name) from None
        except (OSError, SafetensorError):
            raise ModelError("arrays that cannot be read", where=path.name) from None
