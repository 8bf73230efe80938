"""One text encoder through the project: its folder's embeddings beside its own forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_models import letters, small_model
from transformers import AutoModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from unsilent.models.embedder import Embedder

TEXTS = ("the film was good", "it was", "a film that was neither good nor bad, and too long")
_SHARDS = 25_000


def encoder_kinds() -> list[str]:
    """Every family for which transformers has a masked language model."""
    return sorted(MODEL_FOR_MASKED_LM_MAPPING_NAMES)


def encoder_row(kind: str, folder: Path) -> dict[str, Any]:
    """The largest relative difference of one family's embeddings.

    Raises:
        ModelError: The project refuses it.
    """
    model, tokenizer = small_model(kind, AutoModel), letters()
    model.save_pretrained(folder, max_shard_size=_SHARDS)
    tokenizer.save_pretrained(folder)
    try:
        expected = alone(model, tokenizer)
    except Exception as error:
        # Some families run on more than tokens: they have to be refused.
        Embedder(folder).embed(TEXTS)
        raise RuntimeError("numbers of a model that gives none") from error
    found = Embedder(folder).embed(TEXTS)
    apart = float(np.abs(found - expected).max() / np.abs(expected).max())
    return {"difference": apart, "path": "mean of the last states"}


@torch.no_grad()
def alone(model: Any, tokenizer: Any) -> NDArray[np.float32]:
    """(n, width) mean over a text's tokens, each text by itself and without a mask."""
    rows = []
    for text in TEXTS:
        tokens = torch.tensor([tokenizer(text)["input_ids"]])
        rows.append(model(input_ids=tokens).last_hidden_state[0].mean(0).numpy())
    return np.stack(rows)
