"""Up to which length a model reads a text alike, whatever stands beside it in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_LENGTH = "longrope"


def steady_length(config: Any) -> int | None:
    """Tokens of the longest text that is read alike in every batch; None if all are.

    Where rotary frequencies are two sets (LongRoPE, Ding et al. 2024), transformers takes the long
    ones for all texts of a batch as soon as one of them is longer than this.
    """
    try:
        config = config.get_text_config(decoder=True)
    except ValueError:
        # Several of its parts read text.
        return None
    told = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    for found in (told, *(part for part in told.values() if isinstance(part, Mapping))):
        if _BY_LENGTH in (found.get("rope_type"), found.get("type")):
            length = found.get("original_max_position_embeddings")
            length = length or getattr(config, "original_max_position_embeddings", None)
            return int(length or config.max_position_embeddings)
    return None
