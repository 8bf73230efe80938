"""From items to what a vision model is given: their images, made ready by its own processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unsilent.errors import ItemError
from unsilent.images import ImageReader, Pixels, parse_image, shown
from unsilent.items import Item, ItemSet
from unsilent.models.recent import Recent
from unsilent.models.vision_answers import Shown

_PIXEL_BYTES = 512 * 2**20

Prepare = Callable[[Pixels], dict[str, Tensor]]
"""A model's own image processor, for one image: (1, …) of each input."""


class Inputs:
    """Images made ready; those that were asked for last are kept.

    Args:
        prepare: The model's image processor.
        device, dtype: Where and in what the model computes.
    """

    def __init__(self, prepare: Prepare, device: torch.device, dtype: torch.dtype) -> None:
        self._prepare = prepare
        self.device = device
        self.dtype = dtype
        self._pixels: Recent[dict[str, Tensor]] = Recent(_PIXEL_BYTES, _bytes)
        self._reader: ImageReader | None = None

    def look_again(self) -> None:
        """Let archives that were opened be opened anew: they may have changed since."""
        self._reader = None

    def of(self, items: ItemSet, rows: Sequence[int]) -> Shown:
        """The model's inputs for some items' images."""
        return self.joined([self._pixels_of(items, items.items[row]) for row in rows])

    def joined(self, each: Sequence[dict[str, Tensor]]) -> Shown:
        """What ``prepared`` gave, as one batch, where and in what the model computes."""
        joined = {name: torch.cat([one[name] for one in each]) for name in each[0]}
        return {
            name: tensor.to(self.device, self.dtype if tensor.is_floating_point() else None)
            for name, tensor in joined.items()
        }

    def _pixels_of(self, items: ItemSet, item: Item) -> dict[str, Tensor]:
        return self._pixels.get(item.prompt, lambda: self._read(items, item))

    def _read(self, items: ItemSet, item: Item) -> dict[str, Tensor]:
        where = f"item {item.id}"
        if items.folder is None:
            raise _no_folder(where)
        if self._reader is None or self._reader.folder != items.folder:
            self._reader = ImageReader(items.folder)
        pixels = self._reader.pixels(parse_image(item), where=where)
        return self.prepared(pixels, where=where)

    def prepared(self, pixels: Pixels, *, where: str) -> dict[str, Tensor]:
        """The model's inputs for one image. Raises ItemError naming the item."""
        try:
            return self._prepare(pixels)
        except (ValueError, ZeroDivisionError, RuntimeError, TypeError) as error:
            raise ItemError(
                f"the model's image processor cannot take its image of {pixels.shape[1]} by "
                f"{pixels.shape[0]} pixels ({type(error).__name__})",
                where=where,
                remedy="Give a larger image, of a common shape.",
            ) from None


def bound(items: ItemSet) -> ItemSet:
    """The items, each image named by its content, so that what is kept by digest is kept right."""
    if all(parse_image(item).sha256 is not None for item in items):
        return items
    if items.folder is None:
        raise _no_folder(f"item {items.items[0].id}")
    return shown(items, items.folder)


def _no_folder(where: str) -> ItemError:
    return ItemError(
        "nothing says from which folder its image may be read",
        where=where,
        remedy="Bind the items to one: unsilent.images.shown(items, folder).",
    )


def _bytes(prepared: dict[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in prepared.values())
