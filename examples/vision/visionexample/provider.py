"""What the provider does once: train a small ViT on its own images, and lay out everybody's.

The images are scikit-learn's: 1,797 handwritten digits of 8 by 8 pixels, by 43 people (Alpaydin and
Kaynak 1998, CC BY 4.0). They are dealt from a fixed seed: to the provider, to the probes, and to
the clients.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

from unsilent.files import locked
from unsilent.images import shown
from unsilent.items import Item, ItemSet, write_items

CLASSES = tuple(str(digit) for digit in range(10))
PROVIDER, PROBES = 500, 200
SIDE = 8


def deal() -> tuple[np.ndarray, np.ndarray]:
    """(n, 8, 8) grey pixels from 0 to 255 and (n,) digits, in a fixed random order."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return np.round(found.images[order] * (255 / 16)).astype(np.uint8), found.target[order]


def train(pixels: np.ndarray, digits: np.ndarray, epochs: int) -> ViTForImageClassification:
    """A ViT of four layers, from a fixed seed; nobody else's random numbers are moved."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _train(pixels, digits, epochs)


def _train(pixels: np.ndarray, digits: np.ndarray, epochs: int) -> ViTForImageClassification:
    config = ViTConfig(
        hidden_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=96,
        image_size=SIDE,
        patch_size=2,
        id2label=dict(enumerate(CLASSES)),
        label2id={label: place for place, label in enumerate(CLASSES)},
    )
    model = ViTForImageClassification(config)
    x = torch.from_numpy(pixels).float()[:, None].repeat(1, 3, 1, 1) / 127.5 - 1
    y = torch.from_numpy(digits)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(50):
            optimizer.zero_grad()
            model(pixel_values=x[rows], labels=y[rows]).loss.backward()
            optimizer.step()
    return model.eval()


def domain_of(digit: int) -> str:
    """Which half of the digits one is in: a client's home is one of them."""
    return "5-9" if digit >= 5 else "0-4"


def provided(folder: Path) -> Path:
    """The folder, with what the provider lays out; whoever comes first waits half a minute."""
    made = [folder / name for name in ("base/model.safetensors", "images.npz", "probes.jsonl")]
    with locked(folder):
        if not all(path.is_file() for path in made):
            provide(folder, epochs=40)
    return folder


def provide(folder: Path, epochs: int) -> None:
    """Write base, images and probes into the folder, the probes last."""
    pixels, digits = deal()
    train(pixels[:PROVIDER], digits[:PROVIDER], epochs).save_pretrained(folder / "base")
    size = {"height": SIDE, "width": SIDE}
    ViTImageProcessorPil(size=size).save_pretrained(folder / "base")
    asked = slice(PROVIDER, PROVIDER + PROBES)
    rest = slice(PROVIDER + PROBES, None)
    np.savez_compressed(
        folder / "images.npz", probes=pixels[asked], clients=pixels[rest], digits=digits[rest]
    )
    items = [
        Item(
            f"probe-{row}",
            f"image:images.npz?array=probes&row={row}",
            CLASSES,
            answer=int(digit),
            domain=domain_of(digit),
        )
        for row, digit in enumerate(digits[asked])
    ]
    write_items(folder / "probes.jsonl", shown(ItemSet("probes", tuple(items)), folder))
