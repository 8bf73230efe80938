"""Products by oneDNN are the default's but for rounding, with the same gradients."""

from __future__ import annotations

import torch
from torch import nn
from unsilent_bench.lm.products import faster_products


def test_numbers_and_gradients_are_the_defaults() -> None:
    torch.manual_seed(1)
    layer = nn.Linear(320, 400, bias=False).requires_grad_(False)
    x = torch.randn(3, 7, 320, requires_grad=True)
    expected = layer(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    with faster_products():
        found = layer(x)
        (other,) = torch.autograd.grad(found.square().sum(), x)
        with torch.no_grad():
            assert torch.allclose(layer(x), expected, atol=1e-4)
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.allclose(other, gradient, atol=1e-3)


def test_trainable_weights_keep_their_gradient_and_torch_is_left_as_it_was() -> None:
    usual = nn.functional.linear
    layer = nn.Linear(320, 400, bias=False)
    with faster_products():
        assert nn.functional.linear is not usual or not torch.backends.mkldnn.is_available()
        layer(torch.ones(2, 320)).sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad, torch.full((400, 320), 2.0))
    assert nn.functional.linear is usual
