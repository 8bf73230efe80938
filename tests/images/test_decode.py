"""An image is its upright RGB pixels, or one line says why it is none."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from unsilent.errors import AssetError, ItemError
from unsilent.images import decoded
from unsilent.images.pixels import MAX_PIXELS

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header promises more than the file holds."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_pixels_come_back_as_they_were_saved(kind: str) -> None:
    found = decoded(encoded(Image.fromarray(PIXELS), kind), where="item one")
    np.testing.assert_array_equal(found, PIXELS)


def test_grey_and_palettes_become_rgb() -> None:
    grey = Image.fromarray(PIXELS[:, :, 0])
    found = decoded(encoded(grey), where="item one")
    np.testing.assert_array_equal(found, np.repeat(PIXELS[:, :, :1], 3, axis=2))
    palette = Image.fromarray(PIXELS).quantize(16)
    found = decoded(encoded(palette), where="item one")
    np.testing.assert_array_equal(found, np.array(palette.convert("RGB")))


def test_the_cameras_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(PIXELS), "PNG", exif=exif)
    np.testing.assert_array_equal(decoded(data, where="item one"), np.rot90(PIXELS, -1))


def test_alpha_that_hides_nothing_is_left_out() -> None:
    solid = Image.fromarray(PIXELS).convert("RGBA")
    np.testing.assert_array_equal(decoded(encoded(solid), where="item one"), PIXELS)


def _clear() -> bytes:
    image = Image.fromarray(PIXELS).convert("RGBA")
    image.putpixel((0, 0), (1, 2, 3, 0))
    return encoded(image)


def _frames() -> bytes:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


REFUSED = {
    "transparent": (_clear(), "transparent"),
    "a clear palette entry": (
        encoded(Image.fromarray(PIXELS).quantize(4), "PNG", transparency=0),
        "transparent",
    ),
    "16 bits": (
        encoded(Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257)),
        "more than 8 bits",
    ),
    "floats": (encoded(Image.fromarray(PIXELS[:, :, 0].astype(np.float32)), "TIFF"), "8 bits"),
    "cmyk": (encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"), "CMYK"),
    "frames": (_frames(), "2 frames"),
    "cut short": (encoded(Image.fromarray(PIXELS), "JPEG")[:-40], "damaged"),
    "cut short png": (encoded(Image.fromarray(PIXELS))[:-40], "damaged"),
    "no image": (b"GIF89a", "damaged"),
    "empty": (b"", "damaged"),
    "text": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "damaged"),
    "a bomb": (png_claiming(60_000, 60_000), "million pixels"),
    "a small bomb": (png_claiming(MAX_PIXELS // 1000 + 1, 1000), "million pixels"),
    "less than it claims": (png_claiming(300, 300), "damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_not_mean_the_same_is_refused_in_one_line(name: str) -> None:
    data, word = REFUSED[name]
    with pytest.raises(ItemError, match=word) as caught:
        decoded(data, where="item one")
    assert caught.value.line().startswith("item one: ")
    assert "\n" not in caught.value.line()


def test_an_app_that_lets_pillow_fill_up_files_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ItemError, match="damaged"):
        decoded(REFUSED["cut short"][0], where="item one")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_without_pillow_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(PIXELS))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(AssetError, match=r"pip install \"unsilent\[vision\]\""):
        decoded(data, where="item one")


def test_any_damage_is_refused_or_harmless() -> None:
    random = np.random.default_rng(1)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        whole = encoded(Image.fromarray(PIXELS), kind)
        for _ in range(60):
            data = bytearray(whole)
            for place in random.integers(0, len(data), 3):
                data[place] = random.integers(0, 256)
            try:
                found = decoded(bytes(data[: random.integers(1, len(data) + 1)]), where="item one")
            except ItemError:
                continue
            assert found.dtype == np.uint8
            assert found.ndim == 3
            assert found.shape[2] == 3
