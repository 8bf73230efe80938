"""How an item's prompt names its image.

::

    image:PATH[#sha256=HEX]
    image:PATH.npz?array=NAME[&row=N][#sha256=HEX]
    image:sha256=HEX

PATH is relative to the folder of the probe file, with ``/`` between its parts, and leads nowhere
else. An array of an npz holds one image, or images along its first axis, of which ``row`` is one:
``uint8`` pixels, (height, width) or (height, width, 3); or, of one axis, an encoded file's bytes.
HEX is the SHA-256 of the file's bytes, or of the array's shape and bytes (``array_digest``). Alone
it names the file ``HEX`` or ``HEX.*`` in the folder.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError
from unsilent.items import Item

IMAGE = "image:"
"""What the prompt of an item begins with that shows an image."""

_PIN = re.compile(r"#sha256=([0-9a-f]{64})\Z")
_ALONE = re.compile(r"sha256=([0-9a-f]{64})\Z")
_NPZ = re.compile(r"(.+\.npz)\?array=([A-Za-z0-9_.-]{1,64})(?:&row=(0|[1-9]\d{0,8}))?\Z")
_FORM = (
    "Write image:PATH, image:FILE.npz?array=NAME&row=N or image:sha256=HEX; the first two may end "
    "in #sha256=HEX."
)


@dataclass(frozen=True)
class ImageRef:
    """Where an image lies, and what it is.

    Attributes:
        path: Relative, with ``/``; empty if the image is named by its content alone.
        array: The npz's array; None for a file of its own.
        row: Its row; None for the whole array.
        sha256: 64 hexadecimal digits; None if nothing says what the image holds.
    """

    path: str
    array: str | None = None
    row: int | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        if not self.path:
            return f"{IMAGE}sha256={self.sha256}"
        inside = "" if self.array is None else f"?array={self.array}"
        row = "" if self.row is None else f"&row={self.row}"
        pin = "" if self.sha256 is None else f"#sha256={self.sha256}"
        return f"{IMAGE}{self.path}{inside}{row}{pin}"

    def of(self, sha256: str) -> ImageRef:
        """The same, with the digest of what it holds."""
        return replace(self, sha256=sha256)


def parse_image(item: Item) -> ImageRef:
    """The image that an item shows; nothing is opened.

    Raises:
        ItemError: Its prompt names none, or one outside the probe file's folder; names the item.
    """
    where = f"item {item.id}"
    if not item.prompt.startswith(IMAGE):
        raise ItemError(
            "its prompt names no image, and a vision model is asked nothing else",
            where=where,
            remedy=_FORM,
        )
    text = item.prompt.removeprefix(IMAGE)
    alone = _ALONE.match(text)
    if alone:
        return ImageRef("", sha256=alone[1])
    pin = _PIN.search(text)
    path = text[: pin.start()] if pin else text
    inside = _NPZ.match(path)
    array, row = (inside[2], inside[3]) if inside else (None, None)
    path = inside[1] if inside else path
    if not path or "#" in path or "?" in path or (path.endswith(".npz") and not inside):
        raise ItemError("its prompt does not say which image", where=where, remedy=_FORM)
    _check_path(path, where)
    return ImageRef(path, array, None if row is None else int(row), pin[1] if pin else None)


def array_digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of an array's shape and bytes, as 64 hexadecimal digits."""
    head = "x".join(map(str, pixels.shape))
    return hashlib.sha256(
        head.encode() + b"\n" + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()


def _check_path(path: str, where: str) -> None:
    parts = path.split("/")
    # A backslash and a colon lead elsewhere on Windows.
    bad = set(path) & {"\\", ":", "\0"} or not path.isprintable()
    if bad or path.startswith("~") or not all(parts) or {".", ".."} & set(parts):
        raise ItemError(
            "its image lies outside the probe file's folder, or its path is no plain one",
            where=where,
            remedy="Give a relative path, with / between its parts and without `..`.",
        )
    if PurePosixPath(path).is_absolute():
        raise ItemError("its image has an absolute path", where=where, remedy="Make it relative.")
