"""A model that its files do not give whole is refused by the names of its weights."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForSequenceClassification

from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models import load_model
from unsilent.models.causal_lm import CausalLM
from unsilent.models.whole import check_whole
from unsilent.plan import parse_plan

TIED, UNTIED = "llama", "qwen2"


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


def load(folder: Path, **model: str) -> CausalLM:
    adapter = {"rank": 4, "scale": 2.0, "layers": [1, 1]}
    modes = {"amplified_bias": {"tolerance": 0.1}}
    found = load_model(
        parse_plan({"model": {"id": str(folder), **model}, "adapter": adapter, "modes": modes})
    )
    assert isinstance(found, CausalLM)
    return found


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        load(folder)
    assert caught.value.where == f"model.id {folder}"
    assert caught.value.remedy
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.line()


def rewrite(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    weights = folder / "model.safetensors"
    save_file(change(load_file(weights)), weights, metadata={"format": "pt"})


def configure(folder: Path, **changes: object) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))


@pytest.mark.parametrize("family", [TIED, UNTIED])
@pytest.mark.parametrize("prefix", ["_orig_mod.", "base_model.model.", "module.", "model.module."])
def test_names_behind_a_prefix_are_refused_by_the_prefix(
    prefix: str, family: str, tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny(family))
    rewrite(folder, lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()})
    refused(folder, f"begin with '{prefix}'")


def test_an_unmerged_adapters_weights_are_refused(
    tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny(UNTIED))
    rewrite(
        folder,
        lambda state: {
            name.replace("q_proj.weight", "q_proj.base_layer.weight"): t
            for name, t in state.items()
        },
    )
    refused(folder, r"4 of the model's weights are missing, such as model\.layers\.0\.self_attn\.q")


@pytest.mark.parametrize("tied", [True, False])
def test_a_classifier_is_refused(
    tied: bool, tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    config = tiny().config
    config.tie_word_embeddings = tied
    folder = save(LlamaForSequenceClassification(config))
    refused(folder, r"left over.*score\.weight" if tied else r"missing, such as lm_head\.weight")


def test_a_model_without_its_head_is_refused_unless_the_embeddings_are_its_head(
    tiny: Callable[..., Any], save: Callable[[Any], Path], lm_of: Any, mixed: ItemSet
) -> None:
    refused(save(tiny(UNTIED).model), r"1 of the model's weights are missing, such as lm_head")
    found = load(save(tiny(TIED).model)).log_likelihoods(mixed, None)
    np.testing.assert_allclose(found, lm_of().log_likelihoods(mixed, None), atol=1e-5)


@pytest.mark.parametrize("family", [TIED, UNTIED])
@pytest.mark.parametrize("layers", [3, 6])
def test_another_number_of_layers_is_refused(
    layers: int, family: str, tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny(family))
    configure(folder, num_hidden_layers=layers, layer_types=None)
    refused(folder, r"left over.*layers\.3\." if layers < 4 else r"missing, such as .*layers\.4\.")


@pytest.mark.parametrize(
    "change",
    [{"intermediate_size": 48}, {"vocab_size": 400}, {"num_key_value_heads": 4}],
    ids=str,
)
def test_other_sizes_are_refused(
    change: dict[str, int], tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny(UNTIED))
    configure(folder, **change)
    refused(folder, "another size than config.json says, such as")


def test_biases_that_the_config_knows_nothing_of_are_refused(
    tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny())
    name = "model.layers.0.self_attn.q_proj.bias"
    rewrite(folder, lambda state: {**state, name: torch.ones(32)})
    refused(folder, rf"1 weights are left over .*{name}")


def test_a_lost_tensor_is_refused_by_name(
    tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny())
    lost = "model.layers.2.input_layernorm.weight"
    rewrite(folder, lambda state: {name: t for name, t in state.items() if name != lost})
    refused(folder, rf"1 of the model's weights are missing, such as {lost}")


def test_tables_that_a_model_computes_by_itself_may_be_left_over(
    tiny: Callable[..., Any], save: Callable[[Any], Path], lm_of: Any, mixed: ItemSet
) -> None:
    folder = save(tiny())
    table = "model.layers.0.self_attn.rotary_emb.inv_freq"
    rewrite(folder, lambda state: {**state, table: torch.ones(4)})
    found = load(folder).log_likelihoods(mixed, None)
    np.testing.assert_allclose(found, lm_of().log_likelihoods(mixed, None), atol=1e-5)


@pytest.mark.parametrize("family", [TIED, UNTIED])
def test_a_folder_gives_the_same_numbers_whatever_was_drawn_before(
    family: str, tiny: Callable[..., Any], save: Callable[[Any], Path], mixed: ItemSet
) -> None:
    folder = save(tiny(family))
    loaded = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        loaded.append(load(folder))
    one, other = loaded
    assert one.digest == other.digest
    found = [lm.log_likelihoods(mixed, lm.new_adapter(0)) for lm in loaded]
    np.testing.assert_array_equal(*found)


def test_an_adapter_beside_the_model_is_refused(
    tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny())
    (folder / "adapter_config.json").write_text("{}")
    refused(folder, "holds an adapter beside the model")


QUANTIZED = {
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True},
    "gptq": {"quant_method": "gptq", "bits": 4},
    "awq": {"quant_method": "awq", "bits": 4},
    "compressed-tensors": {"quant_method": "compressed-tensors"},
    "hqq": {"quant_method": "hqq"},
    "aqlm": {"quant_method": "aqlm"},
    "eetq": {"quant_method": "eetq"},
    "no-such": {"quant_method": "no-such"},
    "None": {"bits": 4},
}


@pytest.mark.parametrize("method", QUANTIZED)
def test_quantized_weights_that_nothing_here_reads_are_refused_by_their_kind(
    method: str, tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny())
    configure(folder, quantization_config=QUANTIZED[method])
    refused(folder, rf"its weights are quantized \({method}\)")


@pytest.mark.parametrize("text", ["", "{", '{"version": "9"}', "[]"])
def test_a_tokenizer_that_cannot_be_read_is_refused(
    text: str, tiny: Callable[..., Any], save: Callable[[Any], Path]
) -> None:
    folder = save(tiny())
    (folder / "tokenizer.json").write_text(text)
    refused(folder, "its tokenizer cannot be loaded")


def test_what_transformers_could_not_read_is_refused() -> None:
    with pytest.raises(ModelError, match="could not read all"):
        check_whole({"error_msgs": ["no"]}, where="here")
    check_whole({"missing_keys": ["a.pooler"]}, where="here", missing=lambda name: True)


def test_code_in_a_folder_is_not_run(tiny: Callable[..., Any], save: Callable[[Any], Path]) -> None:
    folder = save(tiny())
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.Own"}
    configure(folder, model_type="own-family", auto_map=names)
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    refused(folder, "can be loaded")
    assert not (folder / "ran").exists()


def test_an_adapter_is_not_merged_into_weights_of_another_kind(lm_of: Any) -> None:
    with pytest.raises(ModelError, match=r"quantized or of another kind .*q_proj") as caught:
        lm_of(dtype=torch.float8_e4m3fn)
    assert caught.value.where == "adapter.targets"
