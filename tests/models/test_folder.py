"""A folder whose files contradict each other is refused by what lies where."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models import load_model
from unsilent.models.causal_lm import CausalLM
from unsilent.models.embedder import Embedder
from unsilent.plan import parse_plan

NAME = "model.layers.2.mlp.up_proj.weight"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def save(tmp_path: Path, tokenizer: Any) -> Callable[..., Path]:
    """Writes a model's folder, in shards if asked to."""

    def write(model: Any, *, shards: str = "1GB", folder: str = "model") -> Path:
        place = tmp_path / folder
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save_pretrained(place, max_shard_size=shards)
            tokenizer.save_pretrained(place)
        return place

    return write


def load(folder: Path) -> CausalLM:
    adapter = {"rank": 4, "scale": 2.0, "layers": [1, 1]}
    modes = {"amplified_bias": {"tolerance": 0.1}}
    found = load_model(
        parse_plan({"model": {"id": str(folder)}, "adapter": adapter, "modes": modes})
    )
    assert isinstance(found, CausalLM)
    return found


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        load(folder)
    assert caught.value.where == f"model.id {folder}"
    assert caught.value.remedy
    assert "\n" not in caught.value.line()


def reindex(folder: Path, change: Callable[[dict[str, str]], object]) -> None:
    index = folder / INDEX
    told = json.loads(index.read_text())
    change(told["weight_map"])
    index.write_text(json.dumps(told))


def rewrite(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def test_shards_are_the_same_model_as_one_file(
    tiny: Callable[..., Any], save: Callable[..., Path], mixed: ItemSet
) -> None:
    one = load(save(tiny("qwen2"))).log_likelihoods(mixed, None)
    shards = save(tiny("qwen2"), shards="40KB", folder="shards")
    assert len(list(shards.glob("*.safetensors"))) > 2
    np.testing.assert_allclose(load(shards).log_likelihoods(mixed, None), one, atol=1e-6)


def test_a_missing_shard_is_named(tiny: Callable[..., Any], save: Callable[..., Path]) -> None:
    folder = save(tiny("qwen2"), shards="40KB")
    lost = sorted(folder.glob("model-*.safetensors"))[1]
    lost.unlink()
    refused(folder, f"{INDEX} names {lost.name}, which is not there")


@pytest.mark.parametrize("place", ["../elsewhere.safetensors", "gone.safetensors"])
def test_a_file_that_is_not_there_is_named(
    place: str, tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny("qwen2"), shards="40KB")
    shutil.copy(next(folder.glob("model-*.safetensors")), folder.parent / "elsewhere.safetensors")
    reindex(folder, lambda told: told.update({NAME: place}))
    refused(folder, f"names {place}, which is not there")


@pytest.mark.parametrize("name", [NAME, "model.layers.9.mlp.up_proj.weight"])
def test_an_index_that_says_more_than_its_shards_hold_is_refused(
    name: str, tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny("qwen2"), shards="40KB")

    def elsewhere(told: dict[str, str]) -> None:
        told[name] = next(file for file in told.values() if file != told.get(name))

    reindex(folder, elsewhere)
    refused(folder, rf"the index says that .* holds {name}, and it does not")


def test_an_index_that_is_none_is_refused(
    tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny("qwen2"), shards="40KB")
    (folder / INDEX).write_text("[]")
    refused(folder, f"{INDEX} cannot be read")


def test_a_weight_that_is_there_twice_is_refused(
    tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny("qwen2"), shards="40KB")
    told = json.loads((folder / INDEX).read_text())["weight_map"]
    other = next(file for file in told.values() if file != told[NAME])
    rewrite(folder / other, lambda state: {**state, NAME: torch.zeros(64, 32)})
    refused(folder, f"{NAME} is in .* and in ")


def test_a_whole_file_beside_shards_is_refused(
    tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    """transformers reads the one, other engines the others."""
    folder = save(tiny("qwen2"), shards="40KB")
    shutil.copy(
        save(tiny("qwen2", seed=5), folder="old") / "model.safetensors",
        folder / "model.safetensors",
    )
    refused(folder, "a model.safetensors and an index of other files")


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("how", ["same", "half", "old format", "another", "another size"])
def test_pickled_weights_beside_safetensors_have_to_be_the_same(
    how: str, family: str, tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    model = tiny(family, seed=7 if how == "another" else 0)
    folder = save(tiny(family))
    state = model.state_dict()
    if how == "another size":
        state[NAME] = state[NAME][:-1]
    if how == "half":
        state = {name: tensor.half() for name, tensor in state.items()}
    pickled = folder / "pytorch_model.bin"
    torch.save(state, pickled, _use_new_zipfile_serialization=how != "old format")
    if how.startswith("another"):
        refused(
            folder, r"model\.safetensors and pytorch_model\.bin hold two models.* differ in mod"
        )
    else:
        load(folder)


def test_a_head_of_its_own_under_a_config_that_ties_it_is_refused(
    tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny("qwen2"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    refused(folder, "the weights hold another head")
    # One that is equal says the same.
    rewrite(
        folder / "model.safetensors",
        lambda state: {**state, "lm_head.weight": state["model.embed_tokens.weight"].clone()},
    )
    load(folder)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_numbers_in_a_form_that_nothing_explains_are_refused(
    kind: torch.dtype, tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    """Read as they are, they would be weights of another scale."""
    folder = save(tiny())
    rewrite(
        folder / "model.safetensors",
        lambda state: {**state, NAME: (10 * state[NAME]).to(kind)},
    )
    refused(folder, rf"{NAME} in model\.safetensors is stored as [IUF]8")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_weight_that_is_no_number_is_refused_by_name(
    value: float, tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny())

    def spoil(state: dict[str, Any]) -> dict[str, Any]:
        state["model.embed_tokens.weight"][300, 3] = value
        return state

    rewrite(folder / "model.safetensors", spoil)
    refused(folder, r"model\.embed_tokens\.weight holds what is no finite number")


def test_links_as_the_hubs_cache_has_them_are_the_files_they_lead_to(
    tiny: Callable[..., Any], save: Callable[..., Path], tmp_path: Path
) -> None:
    folder = save(tiny())
    linked = tmp_path / "snapshot"
    blobs = tmp_path / "blobs"
    linked.mkdir()
    blobs.mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        shutil.copy(file, blobs / f"{number}")
        (linked / file.name).symlink_to(blobs / f"{number}")
    assert load(linked).digest == load(folder).digest


def test_an_adapters_folder_is_told_from_a_models(
    tiny: Callable[..., Any], save: Callable[..., Path]
) -> None:
    folder = save(tiny())
    (folder / "config.json").rename(folder / "adapter_config.json")
    refused(folder, "this folder holds an adapter, and no model")


def test_an_encoders_folder_is_looked_at_too(save: Callable[..., Path]) -> None:
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=320, num_attention_heads=2, **sizes))
    folder = save(model)
    torch.save({k: v + 1 for k, v in model.state_dict().items()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="hold two models"):
        Embedder(folder).embed(["a text"])
