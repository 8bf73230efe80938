"""Folders of quantized weights: scored by the numbers that the weights stand for, or one line."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from tests.models import packing_maker as maker
from tests.models.test_load_paths import plan, refused
from unsilent.items import ItemSet
from unsilent.models import load_model
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.models.packed import float_blocks

GPTQ = {"quant_method": "gptq", "group_size": 32}
BNB4 = {"quant_method": "bitsandbytes", "load_in_4bit": True}
FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    **{
        f"gptq {bits} bits": (
            partial(maker.gptq, bits=bits, older=True), {**GPTQ, "bits": bits},
        )
        for bits in (2, 3, 4, 8)
    },
    "gptq v2": (
        partial(maker.gptq, bits=4, older=False),
        {**GPTQ, "bits": 4, "checkpoint_format": "gptq_v2"},
    ),
    "gptq, reordered": (
        partial(maker.gptq, bits=4, older=True, order=True), {**GPTQ, "bits": 4, "desc_act": True},
    ),
    "auto-round": (
        partial(maker.gptq, bits=4, older=True),
        {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq"},
    ),
    "awq": (maker.awq, {"quant_method": "awq", "bits": 4, "version": "gemm"}),
    "bitsandbytes nf4": (
        partial(maker.four_bits, twice=False), BNB4,
    ),
    "bitsandbytes nf4, twice": (
        partial(maker.four_bits, twice=True), BNB4,
    ),
    "bitsandbytes int8": (
        maker.eight_bits, {"quant_method": "bitsandbytes", "load_in_8bit": True},
    ),
    "fp8": (
        maker.float_blocks,
        {"quant_method": "fp8", "weight_block_size": [16, 16], "activation_scheme": "dynamic"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def wide(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose layers are as wide as packing needs."""
    folder = tmp_path_factory.mktemp("wide")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, initializer_range=0.1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_is_scored_by_what_its_weights_stand_for(
    form: str,
    wide: Path,
    tmp_path: Path,
    mixed: ItemSet,
    random_adapter: Callable[[CausalLM, int], Adapter],
) -> None:
    pack, told = FORMS[form]
    folder, truth = maker.quantized_folder(wide, tmp_path / "q", pack, told)
    plain: Any = AutoModelForCausalLM.from_pretrained(wide, dtype=torch.float32)
    plain.load_state_dict(truth)
    shutil.copytree(wide, tmp_path / "plain")
    plain.save_pretrained(tmp_path / "plain")
    read, expected = load_model(plan(folder)), load_model(plan(tmp_path / "plain"))
    assert isinstance(read, CausalLM) and isinstance(expected, CausalLM)
    np.testing.assert_allclose(read.score(mixed, None), expected.score(mixed, None), atol=1e-6)
    # A merged adapter too: nothing is rounded back into few bits.
    adapter = random_adapter(expected, 1)
    mine = Adapter(read.digest, adapter.tensors)
    np.testing.assert_allclose(read.score(mixed, mine), expected.score(mixed, adapter), atol=1e-5)
    assert read.digest == load_model(plan(folder)).digest != expected.digest


def test_zero_biases_that_packers_add_are_passed_over(
    wide: Path, tmp_path: Path, mixed: ItemSet
) -> None:
    pack, told = FORMS["gptq 4 bits"]
    bare, _ = maker.quantized_folder(wide, tmp_path / "bare", pack, told)
    full, _ = maker.quantized_folder(wide, tmp_path / "full", pack, told, biases=True)
    assert np.array_equal(
        load_model(plan(bare)).score(mixed, None), load_model(plan(full)).score(mixed, None)
    )


def test_files_beside_the_model_take_no_part(wide: Path, tmp_path: Path, mixed: ItemSet) -> None:
    """Another model's file would else have the last word, as the last one that is read."""
    pack, told = FORMS["gptq 4 bits"]
    folder, _ = maker.quantized_folder(wide, tmp_path / "q", pack, told)
    expected = load_model(plan(folder)).score(mixed, None)
    weights = load_file(folder / "model.safetensors")
    other = {name: 3 * w if name.endswith("scales") else w for name, w in weights.items()}
    save_file(other, folder / "other.safetensors", metadata={"format": "pt"})
    assert np.array_equal(load_model(plan(folder)).score(mixed, None), expected)
    # As its library once named it.
    (folder / "model.safetensors").rename(folder / "gptq_model-4bit.safetensors")
    refused(folder, "there are 2 safetensors files")
    (folder / "other.safetensors").unlink()
    assert np.array_equal(load_model(plan(folder)).score(mixed, None), expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_half_precision_weights_are_computed_in_what_the_plan_says(
    dtype: str, wide: Path, tmp_path: Path, mixed: ItemSet, tokenizer: Any
) -> None:
    half: Any = AutoModelForCausalLM.from_pretrained(wide, dtype=torch.float16)
    half.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    read = load_model(plan(tmp_path, dtype=dtype))
    assert isinstance(read, CausalLM)
    assert read.model.dtype is getattr(torch, dtype)
    np.testing.assert_allclose(
        read.score(mixed, None), load_model(plan(wide)).score(mixed, None), atol=0.02
    )


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"quant_method": "hqq"}, r"\(hqq\), and cannot be dequantized here"),
        ({"quant_method": "quanto", "weights": "int8"}, r"\(quanto\)"),
        ({"quant_method": "torchao", "quant_type": "int8_weight_only"}, r"\(torchao\)"),
        ({"quant_method": "awq", "version": "gemv"}, r"\(awq\)"),
        ({"quant_method": "gptq", "checkpoint_format": "marlin"}, r"\(gptq\)"),
        ({"quant_method": "gptq", "bits": 4}, r"\(gptq\)"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, r"\(bitsandbytes\)"),
        ({"quant_method": "no-such"}, r"\(no-such\)"),
        ({"bits": 4}, "cannot be dequantized"),
    ],
)
def test_what_nothing_here_reads_is_refused_in_a_line(
    told: dict[str, Any], match: str, wide: Path, tmp_path: Path
) -> None:
    """Plain weights under a word that says otherwise are no folder to trust either."""
    folder, _ = maker.quantized_folder(
        wide, tmp_path / "q", lambda t: {"weight": t, "truth": t}, told
    )
    refused(folder, match)


def test_a_packed_module_that_lacks_a_part_is_refused(wide: Path, tmp_path: Path) -> None:
    def without(tensor: torch.Tensor) -> dict[str, Any]:
        packed = maker.awq(tensor)
        del packed["scales"]
        return packed

    folder, _ = maker.quantized_folder(wide, tmp_path / "q", without, FORMS["awq"][1])
    refused(folder, r"\(awq\), and cannot be dequantized here \(KeyError\)")


@pytest.mark.skipif(
    importlib.util.find_spec("compressed_tensors") is not None, reason="the extra is installed"
)
def test_a_missing_extra_is_named(wide: Path, tmp_path: Path) -> None:
    told = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {}}
    folder, _ = maker.quantized_folder(wide, tmp_path / "q", maker.awq, told)
    assert "unsilent[quantized]" in refused(folder, r"\(compressed-tensors\)").remedy


def test_activations_that_an_engine_rounds_are_told(
    wide: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for form, said in (("bitsandbytes int8", True), ("fp8", True), ("awq", False)):
        caplog.clear()
        folder, _ = maker.quantized_folder(wide, tmp_path / form, *FORMS[form])
        load_model(plan(folder))
        assert ("rounds activations" in caplog.text) is said
        assert json.loads((folder / "config.json").read_text())["quantization_config"]


def test_one_scale_for_all_of_a_weight() -> None:
    weight = torch.tensor([[1.0, -2.0], [0.5, 4.0]])
    packed = {"weight": weight.to(torch.float8_e4m3fn), "weight_scale_inv": torch.tensor(0.25)}
    assert torch.equal(float_blocks(packed, {"weight_block_size": None}), 0.25 * weight)
