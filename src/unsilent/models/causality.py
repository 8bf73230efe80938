"""Whether a model is a causal one, tried on a few tokens: a later token changes no earlier logit.

A bidirectional model (BERT) sees the token that it is asked about, an encoder-decoder reads the
whole text before it answers. Both run, and give numbers that are no likelihoods.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from unsilent.errors import ModelError

NO_NUMBERS = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    TypeError,
    ValueError,
    RuntimeError,
)
"""What a model raises that does not take tokens alone."""

_TOKENS = 8
_LATER = 3
_SEED = 11
_ROUNDING, _LEAST = 4.0, 1e-5
_FULL = (torch.float32, torch.float64)
_AGREE, _AGREE_HALF = 1e-4, 2e-2
"""How far logits may lie apart, as a share of the largest: rounding does not reach it."""


@torch.no_grad()
def check_causal(model: Any, *, kind: str) -> None:
    """Refuse a model whose logits depend on what comes after them.

    Args:
        model: From transformers, in evaluation mode.
        kind: What errors call it.

    Raises:
        ModelError: It does, or it gives no numbers for tokens alone, or other ones each time.
    """
    try:
        tokens = few_tokens(model)
        other = tokens.clone()
        other[:, -_LATER:] = (other[:, -_LATER:] + 1) % rows_of(model)
        again = model(input_ids=torch.cat([tokens, tokens])).logits
        one = model(input_ids=torch.cat([tokens, tokens])).logits
        two = model(input_ids=torch.cat([tokens, other])).logits
        early = (one[:, :-_LATER] - two[:, :-_LATER]).abs().float().amax(dim=(1, 2)).tolist()
    except NO_NUMBERS as error:
        raise cannot_be_scored(kind, error) from None
    if differ(one, again, allowed(model)):
        raise ModelError(
            f"models of type {kind} give other numbers each time",
            where="model.id",
            remedy="Use a model that computes the same for the same text.",
        )
    if early[0] > allowed(model) * finite(one):
        raise ModelError(
            f"the numbers of models of type {kind} for a text depend on those that are asked with "
            "it",
            where="model.id",
            remedy="Use a model that reads each text by itself.",
        )
    # The first rows are the same text: what they differ by is the rounding of another batch.
    rounding = _ROUNDING * early[0] + _LEAST * finite(one)
    if one.shape[1] != tokens.shape[1] or not early[1] <= rounding:
        raise ModelError(
            f"models of type {kind} see the tokens that come after the one they are asked about, "
            "so that they are no causal language model",
            where="model.id",
            remedy='Use a causal language model, or kind = "encoder" for a text encoder.',
        )


def cannot_be_scored(kind: str, error: Exception) -> ModelError:
    """What is said of a model that does not take tokens alone."""
    return ModelError(
        f"models of type {kind} cannot be scored ({type(error).__name__})",
        where="model.id",
        remedy="Use a causal language model of transformers.",
    )


def few_tokens(model: Any) -> Tensor:
    """(1, 8) tokens that the model has embeddings for, the same each time."""
    table = model.get_input_embeddings().weight
    picked = np.random.default_rng(_SEED).integers(rows_of(model), size=(1, _TOKENS))
    return torch.from_numpy(picked).to(table.device)


def rows_of(model: Any) -> int:
    """How many tokens the model has embeddings, and logits, for."""
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    rows = [getattr(table, "num_embeddings", None) for table in tables]
    rows += [getattr(table, "out_features", None) for table in tables]
    return min(int(count) for count in rows if count is not None)


def allowed(model: Any) -> float:
    """The share of the largest logit by which the model's own rounding may move one."""
    kinds = {parameter.dtype for parameter in model.parameters()}
    return _AGREE if kinds <= set(_FULL) else _AGREE_HALF


def differ(one: Tensor, other: Tensor, share: float) -> bool:
    """Whether logits differ by more than a share of the largest.

    Raises:
        ModelError: They are no finite numbers.
    """
    most = finite(one)
    return not float((one.float() - other.float().to(one.device)).abs().max()) <= share * most


def finite(logits: Tensor) -> float:
    """The largest absolute logit. Raises ModelError if one is no finite number."""
    most = float(logits.float().abs().max())
    if not np.isfinite(most):
        raise ModelError(
            "the model gives no finite numbers",
            where="model.id",
            remedy="Check its weights, and the precision that it computes in.",
        )
    return most
