"""Folders of quantized weights, packed bit by bit as their libraries' files are.

Nothing here is shared with what reads them: numbers are written into words one at a time.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

# fmt: off
NF4 = (-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0,
       0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0)
# fmt: on
_LANES = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which number of eight lies in the n-th place of an AWQ word."""


def words(numbers: np.ndarray, bits: int) -> torch.Tensor:
    """Rows of numbers as rows of int32 words, one long number a row."""
    out = []
    for row in numbers.tolist():
        whole = sum(int(number) << (bits * place) for place, number in enumerate(row))
        count = len(row) * bits // 32
        out.append([(whole >> (32 * word)) & 0xFFFFFFFF for word in range(count)])
    return torch.from_numpy(np.array(out, dtype=np.uint32).view(np.int32))


def grouped(weight: torch.Tensor, bits: int, group: int) -> tuple[np.ndarray, ...]:
    """(in, out) numbers, (groups, out) zeros and scales of an (out, in) weight."""
    most = 2**bits - 1
    parts = weight.float().reshape(weight.shape[0], -1, group)
    low, high = parts.amin(-1).clamp(max=0), parts.amax(-1).clamp(min=0)
    scales = ((high - low) / most).half().float()
    zeros = (-low / scales).round().clamp(0, most)
    numbers = (parts / scales[..., None] + zeros[..., None]).round().clamp(0, most)
    return (
        numbers.reshape(weight.shape).T.numpy().astype(np.int64),
        zeros.T.numpy().astype(np.int64),
        scales.T.numpy(),
    )


def gptq(weight: torch.Tensor, bits: int, *, older: bool, order: bool = False) -> dict[str, Any]:
    """A module as AutoGPTQ packs it; ``order`` lets groups hold inputs of all places."""
    inputs = weight.shape[1]
    index = torch.arange(inputs) // 32
    if order:
        index = index[torch.randperm(inputs, generator=torch.Generator().manual_seed(0))]
    numbers, zeros, scales = grouped(weight[:, index.argsort(stable=True)], bits, 32)
    numbers = numbers[index.argsort(stable=True).argsort(stable=True).numpy()]
    stored = (zeros - 1) % 2**bits if older else zeros
    truth = scales[index] * (numbers - zeros[index])
    return {
        "qweight": words(numbers.T, bits).T.contiguous(),
        "qzeros": words(stored, bits),
        "scales": torch.from_numpy(scales).half(),
        "g_idx": index.int(),
        "truth": torch.from_numpy(truth.T.copy()).float(),
    }


def awq(weight: torch.Tensor) -> dict[str, Any]:
    """A module as AutoAWQ's ``gemm`` version packs it."""
    numbers, zeros, scales = grouped(weight, 4, 32)
    lanes = [8 * (place // 8) + _LANES[place % 8] for place in range(numbers.shape[1])]
    truth = np.repeat(scales, 32, axis=0) * (numbers - np.repeat(zeros, 32, axis=0))
    return {
        "qweight": words(numbers[:, lanes], 4),
        "qzeros": words(zeros[:, lanes], 4),
        "scales": torch.from_numpy(scales).half(),
        "truth": torch.from_numpy(truth.T.copy()).float(),
    }


def four_bits(weight: torch.Tensor, *, twice: bool) -> dict[str, Any]:
    """A module as bitsandbytes writes NF4, its largest values quantized again with ``twice``."""
    table = torch.tensor(NF4)
    blocks = weight.float().reshape(-1, 64)
    largest = blocks.abs().amax(1)
    state: dict[str, Any] = {
        "quant_type": "nf4",
        "blocksize": 64,
        "dtype": "bfloat16",
        "shape": list(weight.shape),
    }
    out: dict[str, Any] = {"weight.quant_map": table}
    used = largest
    if twice:
        nested = torch.linspace(-1, 1, 256)
        offset = largest.mean()
        outer = (largest - offset).abs().max().reshape(1)
        codes = ((largest - offset) / outer)[:, None].sub(nested).abs().argmin(1)
        used = nested[codes] * outer + offset
        out |= {
            "weight.absmax": codes.to(torch.uint8),
            "weight.nested_absmax": outer,
            "weight.nested_quant_map": nested,
        }
        state |= {
            "nested_blocksize": 256,
            "nested_dtype": "float32",
            "nested_offset": float(offset),
        }
    else:
        out["weight.absmax"] = largest
    codes = (blocks / used[:, None])[..., None].sub(table).abs().argmin(-1).flatten()
    out["weight"] = (codes[0::2] * 16 + codes[1::2]).to(torch.uint8)[:, None]
    out["weight.quant_state.bitsandbytes__nf4"] = torch.tensor(
        list(json.dumps(state).encode()), dtype=torch.uint8
    )
    truth = table[codes].reshape(-1, 64) * used[:, None]
    return {**out, "truth": truth.reshape(weight.shape).bfloat16().float()}


def eight_bits(weight: torch.Tensor) -> dict[str, Any]:
    """A module as bitsandbytes writes LLM.int8."""
    largest = weight.float().abs().amax(1)
    numbers = (weight.float() * 127 / largest[:, None]).round().to(torch.int8)
    return {
        "weight": numbers,
        "SCB": largest,
        "weight_format": torch.tensor(0, dtype=torch.uint8),
        "truth": numbers.float() * largest[:, None] / 127,
    }


def float_blocks(weight: torch.Tensor) -> dict[str, Any]:
    """A module in 8-bit floats with a scale for each 16 x 16 block."""
    high, wide = weight.shape
    blocks = weight.float().reshape(high // 16, 16, wide // 16, 16)
    scale = blocks.abs().amax((1, 3)) / 448
    small = (blocks / scale[:, None, :, None]).to(torch.float8_e4m3fn)
    return {
        "weight": small.reshape(high, wide),
        "weight_scale_inv": scale,
        "truth": (small.float() * scale[:, None, :, None]).reshape(high, wide),
    }


def quantized_folder(
    plain: Path, folder: Path, pack: Any, told: dict[str, Any], *, biases: bool = False
) -> tuple[Path, dict[str, torch.Tensor]]:
    """A copy of a folder with its linear layers packed, and all weights as they should be read."""
    shutil.copytree(plain, folder)
    tensors, truth = load_file(plain / "model.safetensors"), {}
    out: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        truth[name] = tensor.float()
        if not name.endswith("proj.weight"):
            out[name] = tensor
            continue
        packed = pack(tensor)
        truth[name] = packed.pop("truth")
        out |= {
            name.removesuffix("weight") + key: part.contiguous() for key, part in packed.items()
        }
        if biases:
            out[name.removesuffix("weight") + "bias"] = torch.zeros(len(tensor))
    save_file(out, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = told
    (folder / "config.json").write_text(json.dumps(config))
    return folder, truth
