"""What is loaded as a vision model is whole, the same everywhere, and is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    CLIPVisionConfig,
    CLIPVisionModel,
    ViTConfig,
    ViTModel,
)

from tests.small_vision import load, pictures, plan_of, save_vit
from unsilent.errors import AssetError, ModelError
from unsilent.models import load_model, prepare_model
from unsilent.plan import parse_plan

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 16,
    "patch_size": 4,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_vit(tmp_path / "vit")


def refused(place: Path, word: str, **sections: Any) -> None:
    with pytest.raises(ModelError, match=word) as caught:
        load(place, **sections)
    assert "\n" not in caught.value.line()


def edit(folder: Path, change: Any) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def rewrite(folder: Path, name: str, **values: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_weights_that_are_missing_are_named(folder: Path) -> None:
    edit(folder, lambda weights: weights.pop("classifier.weight"))
    refused(folder, r"missing, such as classifier\.weight")


def test_weights_that_are_left_over_are_named(folder: Path) -> None:
    edit(folder, lambda w: w.update({"vit.layers.7.mlp.fc1.bias": w["classifier.bias"].clone()}))
    refused(folder, "left over.*such as vit")


@pytest.mark.parametrize(
    "change",
    [{"num_hidden_layers": "2"}, {"dtype": "float99"}, {"id2label": {"a": "cat"}}],
    ids=str,
)
def test_a_config_with_values_that_are_none(change: dict[str, Any], folder: Path) -> None:
    rewrite(folder, "config.json", **change)
    refused(folder, "can be loaded")


def test_fewer_layers_than_the_config_says_are_named(folder: Path) -> None:
    rewrite(folder, "config.json", num_hidden_layers=4)
    refused(folder, "missing, such as vit")


def test_a_head_of_another_size_is_named(folder: Path) -> None:
    rewrite(folder, "config.json", id2label={"0": "cat", "1": "dog"}, label2id={"cat": 0, "dog": 1})
    refused(folder, r"another size.*classifier")


def test_a_compiled_model_is_told_to_be_unwrapped(folder: Path) -> None:
    def change(weights: dict[str, Any]) -> None:
        for name in list(weights):
            weights[f"_orig_mod.{name}"] = weights.pop(name)

    edit(folder, change)
    refused(folder, "_orig_mod")


def test_the_image_processor_decides_the_digest_and_the_numbers(
    folder: Path, tmp_path: Path
) -> None:
    items, before = pictures(tmp_path), load(folder)
    rewrite(folder, "preprocessor_config.json", image_mean=[0.1, 0.2, 0.3])
    after = load(folder)
    assert after.digest != before.digest
    assert abs(after.score(items, None) - before.score(items, None)).max() > 1e-4


def test_without_an_image_processor_it_is_refused(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    refused(folder, "no image processor")


def test_a_processor_of_another_size_is_refused(folder: Path) -> None:
    rewrite(folder, "preprocessor_config.json", size={"height": 24, "width": 24})
    refused(folder, "what its image processor makes of an image")


def test_a_processor_that_keeps_sizes_is_refused(folder: Path) -> None:
    rewrite(folder, "preprocessor_config.json", do_resize=False)
    refused(folder, "different sizes")


def test_every_process_gives_the_same_digest_and_numbers(folder: Path, tmp_path: Path) -> None:
    pictures(tmp_path)
    code = (
        "import sys; from pathlib import Path; from tests.small_vision import load, pictures\n"
        "model = load(sys.argv[1]); found = model.score(pictures(Path(sys.argv[2])), None)\n"
        "print(model.digest, model.new_adapter(5).digest, found.tobytes().hex())"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path)]
    where = {"cwd": Path(__file__).parents[2], "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    said = subprocess.run(command, check=True, capture_output=True, text=True, **where).stdout
    model = load(folder)
    found = model.score(pictures(tmp_path), None)
    here = f"{model.digest} {model.new_adapter(5).digest} {found.tobytes().hex()}"
    assert said.split() == here.split()


@pytest.mark.parametrize("name", ["bert", "vit", "clip"])
def test_what_does_not_answer_about_images_is_refused(folder: Path, name: str) -> None:
    text = {key: SMALL[key] for key in list(SMALL)[:4]}
    other = {
        "bert": lambda: BertForSequenceClassification(BertConfig(vocab_size=32, **text)),
        "vit": lambda: ViTModel(ViTConfig(**SMALL)),
        "clip": lambda: CLIPVisionModel(CLIPVisionConfig(**SMALL)),
    }[name]()
    (folder / "model.safetensors").unlink()
    other.save_pretrained(folder)
    refused(folder, "neither classifies images nor compares them with texts")


def test_a_model_of_texts_is_refused_in_one_line(tmp_path: Path) -> None:
    text = {key: SMALL[key] for key in list(SMALL)[:4]}
    BertForSequenceClassification(BertConfig(vocab_size=32, **text)).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    refused(tmp_path, r"no image processor.*another model\.kind")


def test_a_vision_model_is_no_model_of_texts(folder: Path) -> None:
    for kind in ("causal_lm", "encoder"):
        plan = parse_plan(
            {
                "model": {"kind": kind, "id": str(folder)},
                "modes": {"fairness_collapse": {"tolerance": 0.25, "clip": 1.0}},
            }
        )
        with pytest.raises(ModelError, match="tokenizer"):
            load_model(plan)


@pytest.mark.parametrize(
    ("adapter", "word"),
    [
        ({"targets": ["nowhere"]}, r"Its layers have fc1, fc2, k_proj, o_proj, q_proj, v_proj"),
        ({"targets": ["q_proj"], "layers": [-6, -1]}, "outside the model's 3 layers"),
        ({"targets": ["q_proj"], "layers": [2, 1]}, "outside"),
    ],
)
def test_modules_and_layers_that_are_not_there_are_named(
    folder: Path, adapter: dict[str, Any], word: str
) -> None:
    refused(folder, word, adapter={"rank": 2, **adapter})


def test_labels_that_name_nothing_are_refused(folder: Path) -> None:
    rewrite(folder, "config.json", id2label={"0": "cat", "1": "cat", "2": "dog"})
    refused(folder, "two or more classes")


def test_a_classifier_of_several_labels_is_refused(folder: Path) -> None:
    rewrite(folder, "config.json", problem_type="multi_label_classification")
    refused(folder, "multi_label")


def test_damaged_files_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"nothing")
    refused(folder, "not a vision model that can be loaded|safetensors cannot be read")


def test_a_place_is_checked_before_workers_start(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no image processor"):
        prepare_model(plan_of(tmp_path), (), lambda stage, share: None)


def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder") as caught:
        load(tmp_path / "gone")
    assert "embedded" not in caught.value.remedy


def test_without_pillow_one_line_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(AssetError, match="Pillow"):
        load(folder)


def test_a_folder_of_two_models_is_refused(folder: Path) -> None:
    other = {k: v + 0.5 for k, v in load_file(folder / "model.safetensors").items()}
    torch.save(other, folder / "pytorch_model.bin")
    refused(folder, "hold two models, which differ in")


@pytest.mark.parametrize("method", ["fp8", "bitsandbytes", "no-such"])
def test_a_quantized_folder_is_refused(method: str, folder: Path) -> None:
    rewrite(folder, "config.json", quantization_config={"quant_method": method})
    refused(folder, rf"quantized \({method}\).*plain weights")
