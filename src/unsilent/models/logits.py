"""What a model makes of its head's output: found by what it does.

Granite and Cohere scale their logits, MiniCPM what the head is given; each names the number in a
way of its own. Here it is measured on a few tokens, and the config is asked for the exact value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from unsilent.models.causality import NO_NUMBERS, few_tokens

_NEAR = {torch.float32: 1e-3, torch.float64: 1e-3}
_NEAR_HALF = 3e-2
_INSIDE = 0.9


@torch.no_grad()
def scale_of(model: Any, backbone: Any, cap: float | None) -> float:
    """The number by which a model multiplies its head's output; 1 where nothing can be measured.

    Args:
        model: A causal language model of transformers.
        backbone: The part before its head.
        cap: Where its logits are bounded by ``cap * tanh(x / cap)`` after the scale.
    """
    try:
        tokens = few_tokens(model)
        states = backbone(input_ids=tokens).last_hidden_state
        raw = model.get_output_embeddings()(states).double()
        found = model(input_ids=tokens).logits.double()
        if cap is not None:
            inside = found.abs() < _INSIDE * cap
            raw, found = raw[inside], torch.atanh(found[inside] / cap) * cap
        measured = _ratio(raw, found)
    except NO_NUMBERS:
        # Refused, or scored the plain way, by what is tried next.
        return 1.0
    near = _NEAR.get(states.dtype, _NEAR_HALF)
    told = min(_told(model.config), key=lambda value: abs(value / measured - 1))
    return told if abs(told / measured - 1) < near else measured


def _ratio(raw: Tensor, found: Tensor) -> float:
    """The factor between two tensors, by least squares; 1 where it cannot be told."""
    square = float((raw * raw).sum())
    ratio = float((raw * found).sum()) / square if square else 1.0
    return ratio if ratio > 0 else 1.0


def _told(config: Any) -> Iterator[float]:
    """Factors that a config may mean: its numbers, one over each, and a quotient of two."""
    yield 1.0
    try:
        inner = config.get_text_config(decoder=True)
    except ValueError:
        inner = config
    for value in vars(inner).values():
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            yield float(value)
            yield 1 / value
    base = getattr(inner, "dim_model_base", None)
    if base:
        yield base / inner.hidden_size
