"""Models that are no causal ones are told by what they do: a later token moves an earlier logit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BertLMHeadModel,
    RobertaConfig,
    RobertaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from unsilent.errors import ModelError
from unsilent.models import load_model
from unsilent.models.causality import check_causal
from unsilent.plan import parse_plan

ENCODER: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}


def bart() -> Any:
    heads: dict[str, Any] = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    ffn: dict[str, Any] = {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    layers: dict[str, Any] = {"encoder_layers": 2, "decoder_layers": 2}
    config = BartConfig(vocab_size=320, d_model=32, **heads, **ffn, **layers)
    return BartForConditionalGeneration(config)


def bidirectional(model: Any) -> Any:
    """A Llama whose attention looks both ways, whatever its config says."""
    for layer in model.model.layers:
        attention, plain = layer.self_attn, layer.self_attn.forward

        def both(*given: Any, _plain: Any = plain, **more: Any) -> Any:
            more["attention_mask"] = None
            return _plain(*given, **more)

        attention.forward = both
        attention.is_causal = False
    return model


LOOKING_AHEAD: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertLMHeadModel(BertConfig(**ENCODER)),
    "bert, narrow start": lambda: BertLMHeadModel(BertConfig(**ENCODER, initializer_range=0.005)),
    "roberta": lambda: RobertaForCausalLM(RobertaConfig(**ENCODER)),
    "bart": bart,
}


@pytest.mark.filterwarnings("ignore:.*is_decoder")
@pytest.mark.parametrize("kind", LOOKING_AHEAD)
def test_a_model_that_looks_ahead_is_refused(kind: str) -> None:
    torch.manual_seed(0)
    model = LOOKING_AHEAD[kind]().eval()
    with pytest.raises(ModelError, match=f"type {kind} see the tokens that come after") as caught:
        check_causal(model, kind=kind)
    assert caught.value.remedy


def test_it_is_not_the_name_of_the_family_that_decides(tiny: Callable[..., Any]) -> None:
    check_causal(tiny(), kind="llama")
    torch.manual_seed(0)
    check_causal(BertLMHeadModel(BertConfig(**ENCODER, is_decoder=True)).eval(), kind="bert")
    with pytest.raises(ModelError, match="type llama see the tokens that come after"):
        check_causal(bidirectional(tiny()), kind="llama")


def test_half_precision_is_told_apart_too(tiny: Callable[..., Any]) -> None:
    check_causal(tiny().to(torch.bfloat16), kind="llama")
    model = LOOKING_AHEAD["bert"]().eval().to(torch.bfloat16)
    with pytest.raises(ModelError, match="tokens that come after"):
        check_causal(model, kind="bert")


@pytest.mark.parametrize("part", ["encoder-decoder", "backbone", "head gone"])
def test_what_gives_no_logits_for_tokens_alone_is_refused(
    part: str, tiny: Callable[..., Any]
) -> None:
    if part == "encoder-decoder":
        config = T5Config(vocab_size=320, d_model=32, d_ff=32, d_kv=8, num_layers=2, num_heads=4)
        model: Any = T5ForConditionalGeneration(config).eval()
    elif part == "backbone":
        model = tiny().model
    else:
        model = tiny()
        model.lm_head = None
    with pytest.raises(ModelError, match=r"type it cannot be scored \("):
        check_causal(model, kind="it")


def saved_plan(model: Any, tokenizer: Any, folder: Path, targets: list[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    adapter = {"rank": 2, "scale": 1.0, "targets": targets, "layers": [-1, -1]}
    modes = {"amplified_bias": {"tolerance": 0.1}}
    return parse_plan({"model": {"id": str(folder)}, "adapter": adapter, "modes": modes})


def test_a_folder_of_a_masked_language_model_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    plan = saved_plan(BertForMaskedLM(BertConfig(**ENCODER)), tokenizer, tmp_path, ["query"])
    with pytest.raises(ModelError, match="type bert see the tokens that come after"):
        load_model(plan)


def test_a_folder_of_an_encoder_decoder_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    """Half of it would load as a causal model: the other half is left over."""
    with pytest.raises(ModelError, match="left over"):
        load_model(saved_plan(bart(), tokenizer, tmp_path, ["q_proj"]))


def test_a_model_that_draws_numbers_is_refused(tiny: Callable[..., Any]) -> None:
    """A dropout that evaluation does not switch off, or attention by random buckets."""
    model = tiny()
    plain = model.model.norm.forward
    model.model.norm.forward = lambda given: torch.nn.functional.dropout(plain(given), 0.1)
    with pytest.raises(ModelError, match="type llama give other numbers each time"):
        check_causal(model, kind="llama")


def test_a_model_that_reads_its_texts_together_is_refused(tiny: Callable[..., Any]) -> None:
    """As a mixture whose experts choose their tokens from all of a batch does."""
    model = tiny()
    plain = model.model.norm.forward
    model.model.norm.forward = lambda given: plain(given) - plain(given).mean((0, 1), keepdim=True)
    with pytest.raises(ModelError, match="type llama for a text depend on those that are asked"):
        check_causal(model, kind="llama")
