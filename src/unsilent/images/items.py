"""Item sets that show images: bound to a folder, each image named by its content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from unsilent.errors import ItemError
from unsilent.images.read import ImageReader
from unsilent.images.reference import IMAGE, ImageRef, parse_image
from unsilent.items import Item, ItemSet


def shown(items: ItemSet, folder: Path) -> ItemSet:
    """The items with their images' digests in their prompts, bound to the folder they lie in.

    The set's own digest, and with it a plan's pin, then covers what is seen.

    Args:
        items: Each shows an image.
        folder: The probe file's, from which all of them are read, and nothing else is.

    Raises:
        ItemError: An item shows no image, or one that is not there or not the one it names.
    """
    reader = ImageReader(folder)
    return replace(items, items=tuple(named(item, reader) for item in items), folder=folder)


def shows_images(items: Iterable[Item]) -> bool:
    """Whether the items' prompts name images, rather than being texts."""
    return all(item.prompt.startswith(IMAGE) for item in items)


def check_pinned(items: ItemSet, *, where: str) -> None:
    """Raise ItemError, naming the item, if one's prompt does not say what its image holds."""
    for item in items:
        if parse_image(item).sha256 is None:
            raise ItemError(
                f"item {item.id!r} names its image without its SHA-256",
                where=where,
                remedy="Refused: it could be any image.",
            )


def by_content(item: Item) -> Item:
    """The item with its image named by content alone: one picture has one name.

    Raises ItemError if its prompt does not say what its image holds.
    """
    check_pinned(ItemSet("one", (item,)), where=f"item {item.id}")
    return replace(item, prompt=str(ImageRef("", sha256=parse_image(item).sha256)))


def named(item: Item, reader: ImageReader) -> Item:
    """The item with its image's digest in its prompt. Raises ItemError as ``shown``."""
    ref = parse_image(item)
    digest = reader.digest(ref, where=f"item {item.id}")
    return replace(item, prompt=str(ref.of(digest)))
