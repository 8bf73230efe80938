"""Mean-pooled embeddings of token sequences, and whether a model gives one for each text.

Padding is hidden from attention. Some families read it all the same: by a convolution over
neighbours, or by landmarks in the whole row. Which is tried, not looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unsilent.errors import ModelError
from unsilent.models.causality import NO_NUMBERS, allowed, differ

_SEED = 17
_SHORT, _LONG = 4, 9
_BERT = "Use an encoder of the BERT family."


def pooled(model: Any, encoded: Sequence[Sequence[int]]) -> Tensor:
    """(n, width) float32 mean of the last states of each text's tokens, in one forward pass."""
    device = next(model.parameters()).device
    ids = torch.zeros((len(encoded), max(map(len, encoded))), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, tokens in enumerate(encoded):
        ids[place, : len(tokens)] = torch.tensor(tokens)
        mask[place, : len(tokens)] = 1
    ids, mask = ids.to(device), mask.to(device)
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    weight = mask.unsqueeze(-1).float()
    return (hidden * weight).sum(1) / weight.sum(1)


def rows_of_table(model: Any) -> int:
    """How many tokens the model has embeddings for."""
    table = model.get_input_embeddings()
    return int(getattr(table, "num_embeddings", None) or table.weight.shape[0])


@torch.inference_mode()
def hides_padding(model: Any, width: int, *, where: str) -> bool:
    """Whether a text's embedding is the same beside a longer one, tried on a few tokens.

    Args:
        model: An encoder of transformers, in evaluation mode.
        width: Numbers that an embedding has to have.
        where: What errors call its folder.

    Raises:
        ModelError: The model gives no embeddings of tokens alone, or other ones each time.
    """
    kind = model.config.model_type
    random = np.random.default_rng(_SEED)
    try:
        rows = rows_of_table(model)
        long, short = (random.integers(rows, size=n).tolist() for n in (_LONG, _SHORT))
        alone, again = (pooled(model, [short])[0] for _ in range(2))
        beside = pooled(model, [long, short])[1]
    except NO_NUMBERS as error:
        raise ModelError(
            f"models of type {kind} give no embeddings of tokens alone ({type(error).__name__})",
            where=where,
            remedy=_BERT,
        ) from None
    if alone.shape != (width,):
        raise ModelError(
            f"its embeddings have {alone.shape[-1]} numbers, and config.json says {width}",
            where=where,
            remedy=_BERT,
        )
    share = allowed(model)
    if differ(alone, again, share):
        raise ModelError(
            f"models of type {kind} give another embedding of a text each time",
            where=where,
            remedy=_BERT,
        )
    return not differ(alone, beside, share)
