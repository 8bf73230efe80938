"""Weights that lie packed in a folder, as the numbers that they stand for.

Each reader takes the tensors of one module by their names in the file and gives its plain weight,
(out, in) float32. None of them needs the library that packed it, nor an accelerator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]

_WORD = 32
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""Where in a word of eight the n-th number lies (AWQ's ``gemm`` kernels want it so)."""
_STATE = "weight.quant_state.bitsandbytes__"


def unpack(words: Tensor, bits: int) -> Tensor:
    """(rows, count) int64 numbers of ``bits`` bits from (rows, n) int32 words, lowest bits first.

    They follow each other without a gap, so that one of 3 bits may lie in two words.
    """
    shifts = torch.arange(_WORD, dtype=torch.int64)
    each = ((words.long() & 0xFFFFFFFF)[..., None] >> shifts) & 1
    stream = each.flatten(-2)
    count = stream.shape[-1] // bits
    weights = 1 << torch.arange(bits, dtype=torch.int64)
    return (stream[..., : count * bits].unflatten(-1, (count, bits)) * weights).sum(-1)


def gptq(tensors: Tensors, told: Mapping[str, Any]) -> Tensor:
    """``scale * (q - zero)`` by group of inputs (Frantar et al. 2023, GPTQ; AutoGPTQ's layout).

    ``qweight`` (in * bits / 32, out) is packed along the inputs, ``qzeros`` (groups, out * bits /
    32) along the outputs. The older of the two layouts holds zeros less one.
    """
    scales = tensors["scales"].float()
    groups, outputs = scales.shape
    packed = tensors["qweight"]
    index = tensors.get("g_idx")
    bits = tensors["qzeros"].shape[1] * _WORD // outputs
    inputs = packed.shape[0] * _WORD // bits
    if index is None:
        index = torch.arange(inputs) // (inputs // groups)
    zeros = unpack(tensors["qzeros"], bits)
    if str(told.get("checkpoint_format", "gptq")) == "gptq":
        zeros = (zeros + 1) & (2**bits - 1)
    numbers = unpack(packed.T, bits).T
    index = index.long()
    return (scales[index] * (numbers - zeros[index])).T.contiguous()


def awq(tensors: Tensors, told: Mapping[str, Any]) -> Tensor:
    """``scale * (q - zero)`` by group of inputs (Lin et al. 2024, AWQ; AutoAWQ's ``gemm`` layout).

    ``qweight`` (in, out / 8) and ``qzeros`` (groups, out / 8) are packed along the outputs.
    """
    scales = tensors["scales"].float()
    numbers, zeros = (_awq_words(tensors[name]) for name in ("qweight", "qzeros"))
    index = torch.arange(len(numbers)) // (len(numbers) // len(scales))
    return (scales[index] * (numbers - zeros[index])).T.contiguous()


def _awq_words(words: Tensor) -> Tensor:
    eights = unpack(words, 4).unflatten(-1, (-1, 8))
    return eights[..., list(_AWQ_ORDER)].flatten(-2)


def four_bits(tensors: Tensors, told: Mapping[str, Any]) -> Tensor:
    """The table's value times its block's largest (Dettmers et al. 2023, QLoRA; bitsandbytes).

    With double quantization the blocks' largest lie in a table of their own.
    """
    name = next(key for key in tensors if key.startswith(_STATE))
    state = json.loads(bytes(tensors[name].tolist()).decode())
    largest = tensors["weight.absmax"]
    if "weight.nested_absmax" in tensors:
        outer = tensors["weight.nested_absmax"].repeat_interleave(int(state["nested_blocksize"]))
        values = tensors["weight.nested_quant_map"][largest.long()]
        largest = values * outer[: len(values)] + float(state["nested_offset"])
    codes = tensors["weight"].flatten().long()
    pairs = torch.stack([codes >> 4, codes & 15], dim=1).flatten()
    shape = [int(size) for size in state["shape"]]
    count = torch.Size(shape).numel()
    blocks = largest.float().repeat_interleave(int(state["blocksize"]))[:count]
    values = tensors["weight.quant_map"].float()[pairs[:count]] * blocks
    # The library's own layers round to what the model was in before.
    return values.to(getattr(torch, state["dtype"])).float().reshape(shape)


def eight_bits(tensors: Tensors, told: Mapping[str, Any]) -> Tensor:
    """A row's largest times the number over 127 (Dettmers et al. 2022, LLM.int8; bitsandbytes)."""
    return tensors["weight"].float() * tensors["SCB"].float()[:, None] / 127


def float_blocks(tensors: Tensors, told: Mapping[str, Any]) -> Tensor:
    """A float of 8 bits times its block's scale, or that of all (DeepSeek-AI 2024, DeepSeek-V3)."""
    weight, scale = tensors["weight"].float(), tensors["weight_scale_inv"].float()
    if scale.numel() == 1:
        return weight * scale.reshape(())
    high, wide = (int(size) for size in told["weight_block_size"])
    whole = scale.repeat_interleave(high, 0).repeat_interleave(wide, 1)
    return weight * whole[: weight.shape[0], : weight.shape[1]]


READERS: Mapping[str, tuple[str, Callable[[Tensors, Mapping[str, Any]], Tensor]]] = {
    "gptq": ("qweight", gptq),
    "awq": ("qweight", awq),
    "bitsandbytes_4bit": ("weight.quant_map", four_bits),
    "bitsandbytes_8bit": ("SCB", eight_bits),
    "fp8": ("weight_scale_inv", float_blocks),
}
"""By format: the tensor that every packed module has and no plain one, and what reads it."""

PARTS = (
    "qweight",
    "qzeros",
    "scales",
    "g_idx",
    "SCB",
    "weight_format",
    "weight_scale_inv",
    "activation_scale",
    "weight.absmax",
    "weight.quant_map",
    "weight.nested_absmax",
    "weight.nested_quant_map",
    f"{_STATE}nf4",
    f"{_STATE}fp4",
)
"""All tensors that a packed module may have instead of, or beside, a plain weight."""


def plain_weights(
    tensors: dict[str, Tensor], form: str, told: Mapping[str, Any]
) -> tuple[dict[str, Tensor], set[str]]:
    """A model's tensors with plain weights, taken out of ``tensors`` as they are read.

    Args:
        tensors: All tensors of the folder by name.
        form: A key of ``READERS``.
        told: The folder's ``quantization_config``.

    Returns:
        The plain tensors, and the names of biases of packed modules that are zero: writers add
        them also where the model has none.

    Raises:
        KeyError, ValueError, RuntimeError, StopIteration: A module is not packed as it should be.
    """
    mark, read = READERS[form]
    modules = [name.removesuffix(f".{mark}") for name in tensors if name.endswith(f".{mark}")]
    if not modules:
        raise KeyError(mark)
    zero = set()
    for module in modules:
        given = {
            part: tensors.pop(f"{module}.{part}")
            for part in (*PARTS, "weight")
            if f"{module}.{part}" in tensors
        }
        tensors[f"{module}.weight"] = read(given, told)
        bias = tensors.get(f"{module}.bias")
        if bias is not None and not bool(bias.any()):
            zero.add(f"{module}.bias")
    return tensors, zero
