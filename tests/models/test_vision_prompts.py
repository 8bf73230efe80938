"""Two towers: choices are texts, compared with the image, and only the image's tower is adapted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    ViTImageProcessorPil,
)

from tests.small_vision import SIDE, load, pictures
from unsilent.errors import ItemError, ModelError
from unsilent.items import ItemSet
from unsilent.models.base import Training
from unsilent.models.vision import Vision

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
PROMPTS = ("a photo of a cat", "a photo of a dog", "dog")
_TOWER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.2,
}
_IMAGES = {**_TOWER, "image_size": SIDE, "patch_size": 4}
_TEXTS = {
    **_TOWER,
    "vocab_size": 16,
    "max_position_embeddings": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def save(folder: Path, kind: str) -> Path:
    """A small CLIP or SigLIP with a tokenizer of whole words."""
    torch.manual_seed(1)
    if kind == "clip":
        sizes = {"projection_dim": 24}
        config: Any = CLIPConfig(vision_config=_IMAGES, text_config=_TEXTS, **sizes)
        CLIPModel(config).save_pretrained(folder)
    else:
        texts = {**_TEXTS, "projection_size": 32}
        SiglipModel(SiglipConfig(vision_config=_IMAGES, text_config=texts)).save_pretrained(folder)
    words = ["<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", "cat", "dog"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"] if kind == "clip" else ["input_ids"],
    ).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("towers"), request.param)


@pytest.fixture(scope="module")
def model(folder: Path) -> Vision:
    return load(folder)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> ItemSet:
    found = pictures(tmp_path_factory.mktemp("pictures"), 6)
    return replace(found, items=tuple(replace(item, choices=PROMPTS) for item in found))


@torch.no_grad()
def test_scores_are_those_of_the_models_own_forward_pass(
    folder: Path, model: Vision, items: ItemSet
) -> None:
    own = AutoModel.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert items.folder is not None
    pixels = np.load(items.folder / "images-0.npz")["images"]
    whole = own.config.model_type == "siglip"
    how = {"padding": "max_length", "max_length": 8} if whole else {"padding": True}
    texts = tokenizer(list(PROMPTS), return_tensors="pt", **how)
    given = processor(images=[Image.fromarray(one) for one in pixels], return_tensors="pt")
    texts = {name: texts[name] for name in tokenizer.model_input_names}
    logits = own(**given, **texts).logits_per_image.double().numpy()
    np.testing.assert_allclose(model.score(items, None), softmax(logits, axis=1), atol=1e-6)


def test_only_the_images_tower_is_adapted(model: Vision, items: ItemSet) -> None:
    start = model.new_adapter(0)
    assert start.tensors
    assert not [name for name in start.tensors if "text" in name or "head" in name]
    before = model.logits(items, None)
    how = Training(epochs=12, learning_rate=1e-2, batch=3, seed=0)
    trained, report = model.train(start, items, how)
    assert report.loss < -np.log(softmax(before, axis=1)[range(6), [0, 1, 2, 0, 1, 2]]).mean()
    assert np.abs(model.logits(items, trained) - before).max() > 1e-3
    np.testing.assert_array_equal(model.logits(items, None), before)


def test_a_text_beyond_the_window_is_refused_by_the_items_name(
    model: Vision, items: ItemSet
) -> None:
    long = replace(items.items[0], choices=("a cat", "a photo of a cat of a cat of a cat"))
    with pytest.raises(ItemError, match=r"item p0: a choice of 11 tokens.*reads 8"):
        model.score(replace(items, items=(long,)), None)


def test_choices_that_are_one_to_the_tokenizer_are_refused(model: Vision, items: ItemSet) -> None:
    alike = replace(items.items[0], choices=("a photo of a heron", "a photo of a stork"))
    with pytest.raises(ItemError, match="item p0: two of its choices are the same tokens"):
        model.score(replace(items, items=(alike,)), None)


def test_nothing_to_train_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="nothing would be trained"):
        load(folder, adapter={"targets": []})


def test_without_its_tokenizer_it_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if "token" not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="tokenizer of its text tower"):
        load(tmp_path)
