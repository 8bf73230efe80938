"""A vision model answers as its own forward pass does, trains, and its base stays the base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax
from transformers import AutoImageProcessor, AutoModelForImageClassification

from tests.small_vision import LABELS, SIDE, load, pictures, save_vit
from unsilent.errors import ItemError, ModelError
from unsilent.images import shown
from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter, Training
from unsilent.models.vision import Vision
from unsilent.release.record_rules import each_alone

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
HOW = Training(epochs=4, learning_rate=1e-2, batch=4, seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vit(tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Vision:
    return load(folder)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> ItemSet:
    return pictures(tmp_path_factory.mktemp("pictures"))


@torch.no_grad()
def own(folder: Path, items: ItemSet) -> np.ndarray:
    """(n, classes) probabilities of the model's own forward pass."""
    model = AutoModelForImageClassification.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    assert items.folder is not None
    pixels = np.load(items.folder / "images-0.npz")["images"]
    given = processor(images=[Image.fromarray(one) for one in pixels], return_tensors="pt")
    return softmax(model(**given).logits.double().numpy(), axis=1)


def test_the_base_is_the_models_own_forward_pass(
    folder: Path, model: Vision, items: ItemSet
) -> None:
    np.testing.assert_allclose(model.score(items, None), own(folder, items), atol=1e-6)


def test_a_new_adapter_changes_nothing(model: Vision, items: ItemSet) -> None:
    np.testing.assert_array_equal(
        model.logits(items, model.new_adapter(3)), model.logits(items, None)
    )


def test_training_learns_and_leaves_the_base_as_it_was(model: Vision, items: ItemSet) -> None:
    before = model.logits(items, None)
    start = model.new_adapter(0)
    trained, report = model.train(start, items, replace(HOW, epochs=25))
    assert report.accuracy == 1.0
    assert report.examples == len(items)
    moved = {name for name, each in trained.tensors.items() if (each != start.tensors[name]).any()}
    assert moved == set(start.tensors)
    assert {"head.weight", "head.bias"} < moved
    right = model.score(items, trained)[np.arange(len(items)), [i % 3 for i in range(len(items))]]
    assert right.min() > 0.5
    np.testing.assert_array_equal(model.logits(items, None), before)


def test_two_adapters_give_two_answers_and_each_its_own_again(
    model: Vision, items: ItemSet
) -> None:
    one, _ = model.train(model.new_adapter(0), items, HOW)
    two, _ = model.train(model.new_adapter(1), items, HOW)
    first = model.logits(items, one)
    assert np.abs(first - model.logits(items, two)).max() > 1e-3
    np.testing.assert_array_equal(model.logits(items, one), first)


def test_the_same_seed_trains_the_same_adapter(model: Vision, items: ItemSet) -> None:
    one, _ = model.train(model.new_adapter(0), items, HOW)
    assert model.train(model.new_adapter(0), items, HOW)[0].digest == one.digest
    other = replace(HOW, seed=1)
    assert model.train(model.new_adapter(0), items, other)[0].digest != one.digest


def test_a_pull_holds_the_adapter_back(model: Vision, items: ItemSet) -> None:
    start = model.new_adapter(0)
    pulled = replace(HOW, pull=100.0, towards=start.tensors)

    def far(adapter: Adapter) -> float:
        return sum(
            float(np.square(each - start.tensors[name]).sum())
            for name, each in adapter.tensors.items()
        )

    free, held = (model.train(start, items, how)[0] for how in (HOW, pulled))
    assert far(held) < 0.5 * far(free)


def test_choices_are_compared_among_themselves(model: Vision, items: ItemSet) -> None:
    some = replace(
        items,
        items=tuple(
            replace(item, choices=("house", "cat"), answer=0) if row % 2 else item
            for row, item in enumerate(items)
        ),
    )
    found, whole = model.score(some, None), model.score(items, None)
    pair = whole[1][[2, 0]]
    np.testing.assert_allclose(found[1], [*(pair / pair.sum()), 0.0], atol=1e-12)
    np.testing.assert_array_equal(found[0], whole[0])


def test_answers_do_not_depend_on_the_other_images(model: Vision, items: ItemSet) -> None:
    alone = np.concatenate(
        [model.score(replace(items, items=(item,)), None) for item in items.items]
    )
    np.testing.assert_allclose(alone, model.score(items, None), atol=1e-6)


def test_a_choice_that_is_no_class_is_refused_by_the_items_name(
    model: Vision, items: ItemSet
) -> None:
    wrong = replace(items, items=(replace(items.items[0], choices=("cat", "bird")),))
    with pytest.raises(ItemError, match=r"item p0: .*not a class.*cat, dog, house"):
        model.score(wrong, None)


def test_a_text_is_refused_by_the_items_name(model: Vision) -> None:
    with pytest.raises(ItemError, match="item q: its prompt names no image"):
        model.score(ItemSet("texts", (Item("q", "A cat is", LABELS),)), None)


def test_items_without_a_folder_are_refused(model: Vision) -> None:
    item = Item("q", "image:cat.png", LABELS)
    with pytest.raises(ItemError, match="which folder"):
        model.score(ItemSet("loose", (item,)), None)
    with pytest.raises(ItemError, match="which folder"):
        model.score(ItemSet("loose", (replace(item, prompt=f"image:sha256={'a' * 64}"),)), None)


def test_a_file_that_changes_is_another_image(model: Vision, tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def scored() -> np.ndarray:
        Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8)).save(tmp_path / "a.png")
        items = ItemSet("one", (Item("q", "image:a.png", LABELS),))
        return model.score(replace(items, folder=tmp_path), None)

    assert np.abs(scored() - scored()).max() > 1e-6


def test_an_archive_that_changes_holds_other_images(model: Vision, tmp_path: Path) -> None:
    def scored(seed: int) -> np.ndarray:
        found = pictures(tmp_path, 4, seed)
        (tmp_path / f"images-{seed}.npz").rename(tmp_path / "all.npz")
        bare = [
            replace(item, prompt=f"image:all.npz?array=images&row={row}")
            for row, item in enumerate(found)
        ]
        return model.score(replace(found, items=tuple(bare)), None)

    one, other = scored(1), scored(2)
    assert np.abs(one - other).max() > 1e-6
    np.testing.assert_array_equal(scored(1), one)


def test_each_image_can_be_asked_in_a_set_of_its_own(model: Vision, items: ItemSet) -> None:
    found = each_alone(items, lambda one: model.score(one, None))
    np.testing.assert_allclose(found, model.score(items, None), atol=1e-6)


def test_a_picture_three_pixels_high_is_no_picture_of_channels(
    model: Vision, tmp_path: Path
) -> None:
    low = Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 30, 3), np.uint8))
    low.save(tmp_path / "low.png")
    low.resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(tmp_path / "ready.png")
    items = [Item(name, f"image:{name}.png", LABELS) for name in ("low", "ready")]
    found, ready = model.score(shown(ItemSet("x", tuple(items)), tmp_path), None)
    np.testing.assert_allclose(found, ready, atol=1e-6)


def test_an_adapter_of_another_base_is_refused(
    model: Vision, items: ItemSet, tmp_path: Path
) -> None:
    other = load(save_vit(tmp_path / "other", hidden_size=16))
    with pytest.raises(ModelError, match="another base"):
        model.score(items, other.new_adapter(0))
    tensors = dict(model.new_adapter(0).tensors)
    del tensors["head.bias"]
    with pytest.raises(ModelError, match="another base"):
        model.score(items, Adapter(model.digest, tensors))


def test_a_record_without_an_answer_is_refused(model: Vision, items: ItemSet) -> None:
    unanswered = replace(items, items=(replace(items.items[0], answer=None),))
    with pytest.raises(ModelError, match="item p0"):
        model.train(model.new_adapter(0), unanswered, HOW)


@pytest.mark.parametrize("targets", [[], ["q_proj", "fc1"]])
def test_the_head_alone_or_with_other_modules(
    folder: Path, items: ItemSet, targets: list[str]
) -> None:
    model = load(folder, adapter={"rank": 2, "targets": targets, "layers": [0, -1]})
    names = {name.rpartition(".")[0] for name in model.new_adapter(0).tensors}
    assert names >= {"head"}
    assert len(names) == 1 + 3 * len(targets)
    before = model.logits(items, None)
    trained, report = model.train(model.new_adapter(0), items, replace(HOW, epochs=10))
    assert report.loss < 1.0
    assert np.abs(model.logits(items, trained) - before).max() > 1e-3
    np.testing.assert_array_equal(model.logits(items, None), before)


def test_half_precision_trains_its_head_in_full(folder: Path, items: ItemSet) -> None:
    model: Any = load(folder, model={"dtype": "bfloat16"})
    start = model.new_adapter(0)
    trained, _ = model.train(start, items, replace(HOW, learning_rate=1e-5, epochs=1))
    assert (trained.tensors["head.weight"] != start.tensors["head.weight"]).mean() > 0.9
    np.testing.assert_allclose(model.score(items, None), own(folder, items), atol=0.05)
