"""Up to which length a model reads a text alike, whatever stands beside it in a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unsilent.errors import ItemError
from unsilent.items import Item
from unsilent.models.tree import TokenPath

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
    told = getattr(config, "rope_parameters", None) or {}
    for found in (told, *(part for part in told.values() if isinstance(part, Mapping))):
        if found.get("rope_type") == _BY_LENGTH:
            length = found.get("original_max_position_embeddings")
            length = length or getattr(config, "original_max_position_embeddings", None)
            return int(length or config.max_position_embeddings)
    return None


def check_lengths(
    items: Iterable[Item], paths: Sequence[Sequence[TokenPath]], steady: int | None
) -> None:
    """Refuse an item that would change how the texts beside it are read. Raises ItemError."""
    if steady is None:
        return
    for item, group in zip(items, paths, strict=True):
        # The last token is asked for and not seen.
        if max(len(path.tokens) for path in group) - 1 > steady:
            raise ItemError(
                f"it is longer than the {steady} tokens from which on this model reads every text "
                "beside it otherwise",
                where=f"item {item.id}",
                remedy="Shorten its prompt.",
            )
