"""Products with frozen weights by oneDNN, which some processors do twice as fast as by default.

What comes out differs by rounding alone: it is float32 either way. Small and trainable weights,
such as an adapter's own, stay with the default, which is faster there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_LEAST = 100_000
"""Numbers of a weight for which oneDNN's overhead pays."""


class _Frozen(torch.autograd.Function):
    """``x W'`` with a gradient for x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        ctx.weight = weight
        return _product(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return _product(gradient, ctx.weight.t()), None


def _product(x: Tensor, weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")


@contextmanager
def faster_products() -> Iterator[None]:
    """Let torch's linear layers multiply by frozen weights with oneDNN meanwhile, where it can."""
    usual = nn.functional.linear

    def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        fit = (
            bias is None
            and not weight.requires_grad
            and weight.numel() >= _LEAST
            and x.dtype == weight.dtype == torch.float32
            and x.device.type == weight.device.type == "cpu"
            and x.numel() > 0
        )
        if not fit:
            return usual(x, weight, bias)
        return _Frozen.apply(x, weight) if x.requires_grad else _product(x, weight)  # type: ignore[no-any-return]

    if not _known():
        yield
        return
    nn.functional.linear = linear  # type: ignore[assignment]
    try:
        yield
    finally:
        nn.functional.linear = usual


def _known() -> bool:
    """Whether this build of torch has the operator."""
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        _product(torch.zeros(1, 2), torch.zeros(2, 2))
    except (AttributeError, RuntimeError):
        return False
    return True
