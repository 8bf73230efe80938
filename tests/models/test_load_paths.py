"""What a plan names as its model, and what is said where it cannot be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models import load_model, prepare_model
from unsilent.models.causal_lm import CausalLM
from unsilent.models.load import depth_of
from unsilent.plan import MonitoringPlan, parse_plan


def plan(place: Path | str, **model: str) -> MonitoringPlan:
    return parse_plan(
        {
            "model": {"id": str(place), **model},
            "adapter": {"rank": 4, "scale": 2.0, "layers": [2, 3]},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
        }
    )


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def refused(place: Path | str, match: str, **model: str) -> ModelError:
    with pytest.raises(ModelError, match=match) as caught:
        load_model(plan(place, **model))
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.line()
    assert caught.value.remedy
    return caught.value


def test_a_saved_folder_is_the_same_model(
    folder: Path, lm_of: Callable[..., CausalLM], mixed: ItemSet
) -> None:
    loaded = load_model(plan(folder))
    np.testing.assert_allclose(
        loaded.score(mixed, loaded.new_adapter(0)), lm_of().score(mixed, None), atol=1e-6
    )
    assert load_model(plan(folder)).digest == loaded.digest


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()
    error = refused(folder, "has no tokenizer")
    assert error.where == f"model.id {folder}"
    with pytest.raises(ModelError, match="has no tokenizer"):
        prepare_model(plan(folder), [], lambda *_: None)


def test_a_folder_without_a_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    refused(folder, "has no config.json")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "gone", "no such model folder")
    refused("./gone", "no such model folder")
    refused("~/gone-model", "no such model folder")
    with pytest.raises(ModelError, match="no such model folder"):
        prepare_model(plan(tmp_path / "gone"), [], lambda *_: None)


@pytest.mark.parametrize("left", [0, 30, -1])
def test_weights_cut_short(left: int, folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:left])
    refused(folder, r"model\.safetensors cannot be read")


def test_a_folder_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refused(folder, "can be loaded")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "no-such-family"}', "{}"])
def test_a_config_that_says_nothing_usable(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    refused(folder, "can be loaded")


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": "4"},
        {"num_attention_heads": 5},
        {"rms_norm_eps": "small"},
        {"dtype": "float99"},
        {"quantization_config": "gptq"},
        {"quantization_config": [1]},
    ],
    ids=str,
)
def test_a_config_with_values_that_are_none(change: dict[str, Any], folder: Path) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    refused(folder, "can be loaded")
    with pytest.raises(ModelError, match="can be loaded"):
        depth_of(str(folder))


def test_a_config_that_does_not_fit_the_weights(folder: Path) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "intermediate_size": 48}))
    refused(folder, r"12 weights have another size .* such as model\.layers\.0\.mlp\.down_proj")


@pytest.mark.parametrize("name", ["banana", "cuda:99"])
def test_a_device_that_is_not_there(name: str, folder: Path) -> None:
    error = refused(folder, "is not available here", device=name)
    assert error.where == "model.device"


@pytest.mark.parametrize("change", ["weights", "config", "chat template"])
def test_a_folder_whose_files_change_is_another_base(change: str, folder: Path) -> None:
    """What was computed for one base is kept by its digest: it must not serve for another."""
    before = load_model(plan(folder)).digest
    if change == "config":
        config = folder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "rms_norm_eps": 1e-3}))
    elif change == "chat template":
        template = folder / "chat_template.jinja"
        template.write_text(template.read_text() + "!")
    else:
        weights = folder / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-2] ^= 1
        weights.write_bytes(data)
    assert load_model(plan(folder)).digest != before


def test_a_home_folder_is_read_like_any_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load_model(plan("~/model")).digest == load_model(plan(folder)).digest
