"""A model's parameters as FLARE hands them about, as NumPy arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ModelError


def plain(params: object) -> dict[str, NDArray[Any]]:
    """Parameters as NumPy arrays; tensors share their memory where they can.

    Types that NumPy has not, bfloat16 above all, become float32, which holds their every value.

    Args:
        params: By name, each an array, a tensor or a number.

    Raises:
        ModelError: They are no such thing: encrypted, on a disk, or not by name.
    """
    if not isinstance(params, Mapping):
        raise _wrong(type(params).__name__)
    return {str(name): _array(value) for name, value in params.items()}


def added(start: Mapping[str, NDArray[Any]], change: object) -> dict[str, NDArray[Any]]:
    """What parameters came to, where a script sends by how much they changed.

    Raises:
        ModelError: As ``plain``, or the change is of others.
    """
    found = plain(change)
    if found.keys() != start.keys():
        raise _wrong("a change of other parameters")
    return {name: start[name] + value for name, value in found.items()}


def _array(value: Any) -> NDArray[Any]:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        try:
            value = value.numpy()
        except TypeError:
            value = value.float().numpy()
    found = np.asarray(value)
    if found.dtype.kind not in "biuf":
        raise _wrong(type(value).__name__)
    return found


def _wrong(what: str) -> ModelError:
    return ModelError(
        f"the model's parameters cannot be read as arrays ({what[:60]})",
        where="FLModel.params",
        remedy="Send plain arrays or tensors by name; encrypted ones cannot be monitored.",
    )
