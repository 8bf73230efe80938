"""From an image file's bytes to upright RGB pixels, or one line that says why not.

What would change the picture without a word is refused: missing rows, transparency, more than
eight bits, other colours than red, green and blue. What has one meaning is done: a palette and
grey become RGB, and the camera's orientation is applied.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from unsilent.errors import AssetError, ItemError
from unsilent.images.pixels import MAX_FILE_BYTES, MAX_PIXELS, Pixels

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_GREY = ("1", "L")
_CLEAR = ("LA", "La", "PA", "RGBA", "RGBa")
_SAVE = "Save it as PNG or JPEG, with 8 bits of red, green and blue."


def decoded(data: bytes, *, where: str) -> Pixels:
    """(height, width, 3) pixels of an encoded image.

    Args:
        data: A PNG, JPEG, WebP, BMP, GIF, TIFF or PPM file of one frame.
        where: Named in errors.

    Raises:
        ItemError: It is none of them, damaged, too large, or would not mean the same in RGB.
        AssetError: Pillow is not installed.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ItemError(
            f"its image has more than {MAX_FILE_BYTES >> 20} MiB",
            where=where,
            remedy="Save it smaller.",
        )
    image, ops = pillow()
    with _strict():
        try:
            with image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                _check(opened, where)
                opened.load()
                upright = ops.exif_transpose(opened)
                return np.array(_rgb(upright, where), np.uint8)
        except ItemError:
            raise
        except image.DecompressionBombError:
            raise _too_large(where) from None
        except MemoryError:
            raise
        except Exception:
            # Its decoders raise whatever a damaged file leads them to.
            raise ItemError(
                "its image is damaged, cut short, or of a kind that is not read",
                where=where,
                remedy=_SAVE,
            ) from None


def pillow() -> tuple[Any, Any]:
    """Pillow's modules ``Image`` and ``ImageOps``. Raises AssetError if it is not installed."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise AssetError(
            "images are read by Pillow, which is not installed",
            where="images",
            remedy='Install it: pip install "unsilent[vision]".',
        ) from None
    return Image, ImageOps


@contextmanager
def _strict() -> Iterator[None]:
    """Pillow without the app's leave to fill up files that are cut short."""
    from PIL import ImageFile

    kept = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # Of size: checked below. Of odd metadata: no pixel depends on it.
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = kept


def _check(opened: Any, where: str) -> None:
    """Refuse by what the header says, before anything is unpacked."""
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise _too_large(where)
    if getattr(opened, "n_frames", 1) != 1:
        raise ItemError(
            f"its image has {opened.n_frames} frames", where=where, remedy="Save one of them."
        )


def _too_large(where: str) -> ItemError:
    return ItemError(
        f"its image has more than {MAX_PIXELS // 10**6} million pixels",
        where=where,
        remedy="Save it smaller.",
    )


def _rgb(picture: Any, where: str) -> Any:
    """The picture in RGB, if that says all that it shows."""
    mode = picture.mode
    if mode in _CLEAR or "transparency" in picture.info:
        alpha = picture.convert("RGBA").getchannel("A")
        if alpha.getextrema()[0] < 255:
            raise ItemError(
                "its image has transparent pixels, and nothing says what lies behind them",
                where=where,
                remedy="Save it on the background that the model is to see.",
            )
        return picture.convert("RGBA").convert("RGB")
    if mode == "RGB":
        return picture
    if mode in _GREY or mode == "P":
        return picture.convert("RGB")
    if mode.startswith(("I", "F")):
        raise ItemError("its image has more than 8 bits a channel", where=where, remedy=_SAVE)
    raise ItemError(f"its image holds {mode} colours, not RGB", where=where, remedy=_SAVE)
