"""GGUF files by path: the numbers of the model that they were made of, or one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

from tests.models.gguf_maker import write_gguf
from tests.models.test_load_paths import plan, refused
from unsilent.items import ItemSet
from unsilent.models import load_model, prepare_model
from unsilent.models.causal_lm import CausalLM
from unsilent.models.gguf_file import load_gguf
from unsilent.models.load import depth_of

SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
IDS: dict[str, Any] = {"pad_token_id": 0, "eos_token_id": 0, "bos_token_id": 0}
NEAR: dict[str, Any] = {"head_dim": 8, "sliding_window": 6, "query_pre_attn_scalar": 8}
EXPERTS: dict[str, Any] = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "norm_topk_prob": True,
}


def ropes(kind: str, **more: float) -> dict[str, Any]:
    return {"rope_type": kind, "rope_theta": 1e4, "factor": 4.0, **more}


LLAMA3 = ropes(
    "llama3", low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64
)
FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "llama 3": lambda: LlamaForCausalLM(
        LlamaConfig(**SHAPE, head_dim=8, rope_parameters=LLAMA3, tie_word_embeddings=True)
    ),
    "llama, stretched": lambda: LlamaForCausalLM(
        LlamaConfig(**SHAPE, rope_parameters=ropes("linear"))
    ),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=16)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SHAPE, **NEAR, **IDS)),
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**SHAPE, **NEAR, **IDS)),
    "phi3": lambda: Phi3ForCausalLM(Phi3Config(**SHAPE, sliding_window=6, **IDS)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=512)
    ),
    "starcoder2": lambda: Starcoder2ForCausalLM(Starcoder2Config(**SHAPE, use_bias=True, **IDS)),
    "qwen2moe": lambda: Qwen2MoeForCausalLM(
        Qwen2MoeConfig(**SHAPE, **{**EXPERTS, "norm_topk_prob": False},
                       shared_expert_intermediate_size=32)
    ),
    "qwen3moe": lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**SHAPE, **EXPERTS, head_dim=16)),
}  # fmt: skip


@pytest.fixture
def file(tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", tiny("qwen2"), tokenizer)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_gives_the_logits_of_the_model_it_was_made_of(
    family: str, tokenizer: Any, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]().eval()
    stretched = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    settings = stretched if "stretched" in family else {}
    path = write_gguf(tmp_path / "a.gguf", model, tokenizer, settings=settings)
    loaded, _ = load_gguf(path, torch.float32)
    # Longer than the window, and than what the positions were stretched from.
    tokens = torch.randint(320, (1, 80), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            loaded.eval()(tokens).logits, model(tokens).logits, rtol=0, atol=1e-5
        )


def test_a_plan_names_a_file_or_a_folder_with_one(
    file: Path, lm_of: Callable[..., CausalLM], mixed: ItemSet
) -> None:
    expected = lm_of("qwen2").score(mixed, None)
    before = sorted(file.parent.iterdir())
    digests = set()
    for place in (file, file.parent):
        prepare_model(plan(place), [], lambda *_: None)
        loaded = load_model(plan(place))
        np.testing.assert_allclose(loaded.score(mixed, None), expected, atol=1e-6)
        digests.add(loaded.digest)
    assert len(digests) == 1
    assert sorted(file.parent.iterdir()) == before


def test_nothing_of_a_process_is_in_the_digest_or_the_numbers(file: Path, mixed: ItemSet) -> None:
    found = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        loaded = load_model(plan(file))
        found.add((loaded.digest, loaded.score(mixed, None).tobytes()))
    assert len(found) == 1


def test_text_is_cut_and_a_request_asked_as_the_folders_tokenizer_does(
    file: Path, tokenizer: Any
) -> None:
    _, own = load_gguf(file, torch.float32)
    for text in ("the movie was bad 1234", "  Привет\n\nyou're <u>", ""):
        assert own(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert own.chat_template == tokenizer.chat_template


@pytest.mark.parametrize("pre", ["smollm", "starcoder"])
def test_digits_are_cut_where_the_file_says_so(
    pre: str, tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    _, own = load_gguf(write_gguf(tmp_path / "a.gguf", tiny(), tokenizer, pre=pre), torch.float32)
    cut = own.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 1234")
    assert [piece for piece, _ in cut] == ["in", "Ġ", "1", "2", "3", "4"]


def test_texts_begin_with_bos_where_llama_cpp_lets_them(
    tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    bos = {".tokenizer.ggml.bos_token_id": 1}
    for number, (pre, flag, begins) in enumerate(
        (("llama-bpe", None, True), ("llama-bpe", False, False), ("gpt-2", None, False),
         ("gpt-2", True, True))
    ):  # fmt: skip
        told = bos if flag is None else {**bos, ".tokenizer.ggml.add_bos_token": flag}
        path = tmp_path / f"{number}.gguf"
        write_gguf(path, tiny(), tokenizer, pre=pre, settings=told)
        _, own = load_gguf(path, torch.float32)
        assert (own("the")["input_ids"][0] == 1) is begins


@pytest.mark.parametrize("kind", ["Q4_0", "Q5_1", "Q8_0", "F16", "BF16"])
def test_blocks_become_the_numbers_that_they_stand_for(
    kind: str, tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    model, block = tiny("qwen2"), GGMLQuantizationType[kind]
    path = write_gguf(tmp_path / "a.gguf", model, tokenizer, kind=block)
    loaded, _ = load_gguf(path, torch.float32)
    weight = model.model.layers[1].mlp.up_proj.weight.detach().numpy()
    expected = quants.dequantize(quants.quantize(weight, block), block)
    np.testing.assert_array_equal(
        loaded.model.layers[1].mlp.up_proj.weight.detach().numpy(), expected
    )


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}, r"scaled \(yarn\)"),
        ({"attention.scale": 0.5}, "'attention.scale' is not known"),
        ({"expert_count": 8}, "expert_count = 8, and the model made of it has None"),
        ({"attention.sliding_window": 6}, "sliding_window = 6, and the model made of it has None"),
        ({"rope.dimension_count": 4}, "dimension_count = 4, and the model made of it has 8"),
        ({".split.count": 3}, "one part of a model"),
        ({".tokenizer.ggml.model": "rwkv"}, "of the kind 'rwkv'|cannot read"),
        ({"block_count": 6}, "weights are missing"),
    ],
)
def test_what_would_give_other_numbers_is_refused(
    settings: dict[str, Any],
    match: str,
    tiny: Callable[..., Any],
    tokenizer: Any,
    tmp_path: Path,
) -> None:
    path = write_gguf(tmp_path / "a.gguf", tiny("qwen2"), tokenizer, settings=settings)
    refused(path, match)


def test_a_weight_without_a_place_is_refused(
    tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    for number, name in enumerate(("rope_factors_long.weight", "blk.0.attn_sinks.weight")):
        more = {name: np.ones(4, np.float32)}
        path = tmp_path / f"{number}.gguf"
        refused(write_gguf(path, tiny("qwen2"), tokenizer, tensors=more), "the file holds")


def test_a_way_of_cutting_text_that_nobody_knows_is_refused(
    tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "a.gguf", tiny("qwen2"), tokenizer, pre="default")
    refused(path, r"how its tokenizer cuts text \('default'\)")


def test_files_that_are_no_model(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for number, data in enumerate((b"", b"GGUF", whole[:100], whole[:-1000])):
        damaged = tmp_path / f"damaged-{number}.gguf"
        damaged.write_bytes(data)
        refused(damaged, "not a readable GGUF file|cannot read")
    other = tmp_path / "other.gguf"
    other.write_bytes(whole.replace(b"qwen2", b"rwkv7"))
    refused(other, "GGUF files of rwkv7 models have not been checked")
    refused(tmp_path, "holds 6 GGUF files")
    refused("gone.gguf", "no such model file")


def test_a_weight_that_is_no_finite_number_is_refused(
    tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    """A row of a token that no trial asks for: what is scored later would be no number."""
    model = tiny("qwen2")
    with torch.no_grad():
        model.model.embed_tokens.weight[200] = torch.inf
    refused(write_gguf(tmp_path / "a.gguf", model, tokenizer), "no finite number")


def test_the_depth_of_a_file_is_known_without_its_weights(file: Path) -> None:
    model, _ = load_gguf(file, torch.float32)
    assert depth_of(str(file)) == depth_of(str(file.parent)) == model.config.num_hidden_layers


def test_the_hash_of_a_file_is_of_its_content_alone(file: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    away = tmp_path / "away" / "renamed.gguf"
    away.write_bytes(file.read_bytes())
    found = [load_model(plan(place, dtype=d)).hashes for place, d in
             ((file, "float32"), (away, "bfloat16"))]  # fmt: skip
    assert found[0]["base"] == found[1]["base"]
    assert found[0]["tokenizer"] == found[1]["tokenizer"]
    assert found[0]["engine"] != found[1]["engine"]
