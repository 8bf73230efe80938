"""What a plan's model is computed on and in."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from unsilent.device import device_named
from unsilent.errors import ModelError

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""By the word of a plan's ``model.dtype``."""


def device_of(planned: str) -> torch.device:
    """The device to compute on: this machine's own word, else the plan's ``model.device``.

    Raises:
        ModelError: It is not available here; says who named it.
    """
    name, where = device_named(planned)
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise ModelError(
            f"device {name!r} is not available here", where=where, remedy='Use "cpu".'
        ) from None
    return device
