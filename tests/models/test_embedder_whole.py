"""An encoder that its files do not give whole is refused, but for what its mean does not ask."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    T5Config,
    T5ForConditionalGeneration,
)

from unsilent.errors import ModelError
from unsilent.models.embedder import Embedder

SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}
TEXTS = ["the movie was good", "and bad"]


@pytest.fixture
def save(tmp_path: Path, tokenizer: Any) -> Callable[[Any], Path]:
    """Writes a model's folder."""

    def write(model: Any) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save_pretrained(tmp_path)
            tokenizer.save_pretrained(tmp_path)
        return tmp_path

    return write


@pytest.mark.parametrize("kind", [BertForMaskedLM, BertForSequenceClassification, "no pooler"])
def test_a_head_or_a_pooler_takes_no_part(kind: Any, save: Callable[[Any], Path]) -> None:
    torch.manual_seed(0)
    if kind == "no pooler":
        model: Any = BertModel(BertConfig(**SIZES), add_pooling_layer=False)
        inner = model
    else:
        model = kind(BertConfig(**SIZES))
        inner = model.bert
    expected = Embedder(save(BertModel(BertConfig(**SIZES)))).embed(TEXTS)
    found = Embedder(save(model)).embed(TEXTS)
    assert np.abs(found - expected).max() > 1e-3
    again = Embedder(save(inner)).embed(TEXTS)
    np.testing.assert_allclose(found, again, atol=1e-6)


@pytest.mark.parametrize("layers", [2, 5])
def test_another_number_of_layers_is_refused(layers: int, save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": layers}))
    with pytest.raises(ModelError, match="left over" if layers == 2 else "are missing"):
        Embedder(folder).embed(TEXTS)


def test_names_behind_a_prefix_are_refused(save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    weights = folder / "model.safetensors"
    state = {f"_orig_mod.{name}": tensor for name, tensor in load_file(weights).items()}
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"begin with '_orig_mod\.'") as caught:
        Embedder(folder).embed(TEXTS)
    assert caught.value.where == str(folder)


def test_other_sizes_are_refused(save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "intermediate_size": 48}))
    with pytest.raises(ModelError, match="another size"):
        Embedder(folder).embed(TEXTS)


@pytest.mark.parametrize("text", ["{", '{"version": "9"}'])
def test_a_tokenizer_that_cannot_be_read_is_refused(text: str, save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match="cannot load it"):
        Embedder(folder).embed(TEXTS)


@pytest.mark.parametrize(
    "told",
    [
        {"quant_method": "bitsandbytes", "load_in_4bit": True},
        {"quant_method": "fp8", "weight_block_size": [16, 16]},
    ],
)
def test_quantized_weights_are_refused(told: dict[str, Any], save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "quantization_config": told}))
    with pytest.raises(ModelError, match=r"are quantized \((bitsandbytes|fp8)\).*plain weights"):
        Embedder(folder).embed(TEXTS)


def test_a_token_without_an_embedding_is_refused(save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**{**SIZES, "vocab_size": 100})))
    with pytest.raises(ModelError, match="has no embedding for") as caught:
        Embedder(folder).embed(TEXTS)
    assert TEXTS[0] not in caught.value.line()


def test_a_text_without_a_token_is_refused(save: Callable[[Any], Path]) -> None:
    with pytest.raises(ModelError, match="makes no token"):
        Embedder(save(BertModel(BertConfig(**SIZES)))).embed(["good", ""])


def test_a_text_beyond_the_encoders_positions_is_cut(save: Callable[[Any], Path]) -> None:
    folder = save(BertModel(BertConfig(**SIZES, max_position_embeddings=34)))
    long = Embedder(folder).embed(["xz" * 50])
    np.testing.assert_allclose(long, Embedder(folder).embed(["xz" * 16]), atol=1e-6)


def test_an_encoder_decoder_is_refused(save: Callable[[Any], Path]) -> None:
    config = T5Config(vocab_size=320, d_model=32, d_ff=32, d_kv=8, num_layers=2, num_heads=4)
    folder = save(T5ForConditionalGeneration(config))
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**described, "hidden_size": 32}))
    with pytest.raises(ModelError, match="an encoder-decoder"):
        Embedder(folder).embed(TEXTS)


@pytest.mark.parametrize("family", ["fnet", "convbert", "mobilebert", "nystromformer"])
def test_a_text_beside_a_longer_one_keeps_its_embedding(
    family: str, save: Callable[[Any], Path]
) -> None:
    """Some families read padding that is hidden from attention."""
    kinds = {
        "fnet": "FNet",
        "convbert": "ConvBert",
        "mobilebert": "MobileBert",
        "nystromformer": "Nystromformer",
    }
    sizes = {**SIZES, "embedding_size": 16, "true_hidden_size": 16, "intra_bottleneck_size": 16}
    config = getattr(transformers, f"{kinds[family]}Config")(**sizes)
    torch.manual_seed(0)
    folder = save(getattr(transformers, f"{kinds[family]}Model")(config))
    short, long = "good", "a much longer text than that"
    alone = Embedder(folder).embed([short])
    np.testing.assert_allclose(Embedder(folder).embed([long, short])[1:], alone, atol=1e-5)


def test_distilbert_says_its_width_in_a_word_of_its_own(save: Callable[[Any], Path]) -> None:
    config = transformers.DistilBertConfig(
        vocab_size=320, dim=24, hidden_dim=32, n_layers=2, n_heads=2
    )
    torch.manual_seed(0)
    found = Embedder(save(transformers.DistilBertModel(config)))
    assert found.width == 24
    assert found.embed(TEXTS).shape == (len(TEXTS), 24)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "spm.model"])
def test_every_file_that_makes_tokens_is_in_the_digest(
    name: str, save: Callable[[Any], Path]
) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    before = Embedder(folder).digest
    file = folder / name
    text = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps({**text, "do_lower_case": False}))
    assert Embedder(folder).digest != before


def test_an_encoder_of_random_numbers_is_refused(
    save: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(BertModel(BertConfig(**SIZES)))
    plain = BertModel.forward

    def noisy(self: Any, **given: Any) -> Any:
        found = plain(self, **given)
        found.last_hidden_state = found.last_hidden_state + torch.randn(())
        return found

    monkeypatch.setattr(BertModel, "forward", noisy)
    with pytest.raises(ModelError, match="another embedding of a text each time"):
        Embedder(folder).embed(TEXTS)


def test_a_sentencepiece_tokenizer_without_the_library_says_what_to_install(
    save: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DeBERTa-v3 comes as config.json, pytorch_model.bin, spm.model and tokenizer_config.json."""
    sizes = {**SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
    torch.manual_seed(0)
    model = transformers.DebertaV2Model(transformers.DebertaV2Config(**sizes))
    folder = save(model)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).unlink()
    (folder / "spm.model").write_bytes(b"pieces")
    (folder / "tokenizer_config.json").write_text("{}")
    monkeypatch.setattr("unsilent.models.embedder.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"install unsilent\[sentencepiece\]"):
        Embedder(folder).embed(TEXTS)


def test_a_device_that_is_not_there_is_named(save: Callable[[Any], Path]) -> None:
    with pytest.raises(ModelError, match="device 'nowhere' is not available"):
        Embedder(save(BertModel(BertConfig(**SIZES))), device="nowhere").embed(TEXTS)


@pytest.mark.parametrize(
    ("pooling", "kinds", "said"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, ["Normalize"], ""),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, [], "cls_token"),
        ({"pooling_mode": "lasttoken"}, [], "lasttoken"),
        ({"pooling_mode": "mean"}, ["Dense"], "Dense"),
        ([1], [], ""),
    ],
)
def test_a_folder_that_pools_otherwise_is_said(
    pooling: Any,
    kinds: list[str],
    said: str,
    save: Callable[[Any], Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its embeddings are others than those that sentence-transformers serves."""
    folder = save(BertModel(BertConfig(**SIZES)))
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), *((kind, kind) for kind in kinds)]
    modules = [
        {"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in parts
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    Embedder(folder).embed(TEXTS)
    assert ("pool otherwise" in caplog.text) == bool(said)
    assert said in caplog.text
