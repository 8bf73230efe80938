"""What a plan's model is computed on and in."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from unsilent.errors import ModelError

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""By the word of a plan's ``model.dtype``."""


def device_of(name: str) -> torch.device:
    """The device of a plan's ``model.device``. Raises ModelError if it is not available here."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise ModelError(
            f"device {name!r} is not available here", where="model.device", remedy='Use "cpu".'
        ) from None
    return device
