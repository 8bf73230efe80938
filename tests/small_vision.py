"""A tiny random ViT in a folder, and images beside the items that show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

from unsilent.images import shown
from unsilent.items import Item, ItemSet
from unsilent.models.vision import Vision
from unsilent.plan import MonitoringPlan, parse_plan

LABELS = ("cat", "dog", "house")
SIDE = 16


def save_vit(folder: Path, **changes: Any) -> Path:
    """A ViT of three layers with a head of ``LABELS``, and its image processor."""
    torch.manual_seed(1)
    arguments = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "image_size": SIDE,
        "patch_size": 4,
        "initializer_range": 0.2,
        "id2label": dict(enumerate(LABELS)),
        "label2id": {label: place for place, label in enumerate(LABELS)},
    }
    ViTForImageClassification(ViTConfig(**{**arguments, **changes})).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def plan_of(place: Path | str, **sections: Any) -> MonitoringPlan:
    """A plan of a vision model."""
    model = {"kind": "vision", "id": str(place), **sections.pop("model", {})}
    adapter = {"rank": 2, "targets": ["q_proj", "v_proj"], "layers": [-2, -1]}
    modes = {"fairness_collapse": {"tolerance": 0.25, "clip": 1.0}}
    return parse_plan({"modes": modes, "adapter": adapter, **sections, "model": model})


def load(place: Path | str, **sections: Any) -> Vision:
    """The model as a plan names it."""
    from unsilent.models import load_model

    model = load_model(plan_of(place, **sections))
    assert isinstance(model, Vision)
    return model


def pictures(folder: Path, count: int = 9, seed: int = 0) -> ItemSet:
    """Items that show random images of an npz, each with an answer and one of two domains."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 20, 24, 3), np.uint8)
    np.savez(folder / f"images-{seed}.npz", images=pixels)
    items = [
        Item(
            f"p{row}",
            f"image:images-{seed}.npz?array=images&row={row}",
            LABELS,
            answer=row % 3,
            domain="ab"[row % 2],
        )
        for row in range(count)
    ]
    return shown(ItemSet("pictures", tuple(items)), folder)
