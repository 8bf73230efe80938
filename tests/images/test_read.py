"""Only the probe file's folder is read, and only what the item names."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unsilent.errors import ItemError
from unsilent.images import ImageReader, parse_image, shown
from unsilent.images.reference import array_digest
from unsilent.items import Item, ItemSet

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)


def item(prompt: str, name: str = "one") -> Item:
    return Item(name, prompt, ("a", "b"))


def pixels(folder: Path, prompt: str) -> np.ndarray:
    return ImageReader(folder).pixels(parse_image(item(prompt)), where="item one")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image and an npz, and a secret beside it."""
    Image.fromarray(PIXELS[0]).save(tmp_path / "secret.png")
    inside = tmp_path / "probes"
    inside.mkdir()
    Image.fromarray(PIXELS[1]).save(inside / "cat.png")
    file = np.frombuffer((inside / "cat.png").read_bytes(), np.uint8)
    np.savez(inside / "all.npz", images=PIXELS, grey=PIXELS[..., 0], one=PIXELS[0], encoded=file)
    return inside


def test_files_arrays_rows_and_encoded_bytes_are_read(folder: Path) -> None:
    np.testing.assert_array_equal(pixels(folder, "image:cat.png"), PIXELS[1])
    np.testing.assert_array_equal(pixels(folder, "image:all.npz?array=images&row=2"), PIXELS[2])
    np.testing.assert_array_equal(pixels(folder, "image:all.npz?array=one"), PIXELS[0])
    np.testing.assert_array_equal(pixels(folder, "image:all.npz?array=encoded"), PIXELS[1])
    grey = pixels(folder, "image:all.npz?array=grey&row=0")
    np.testing.assert_array_equal(grey, np.repeat(PIXELS[0, :, :, :1], 3, axis=2))


def test_an_image_is_found_by_its_content(folder: Path) -> None:
    digest = hashlib.sha256((folder / "cat.png").read_bytes()).hexdigest()
    (folder / "cat.png").rename(folder / f"{digest}.png")
    np.testing.assert_array_equal(pixels(folder, f"image:sha256={digest}"), PIXELS[1])
    with pytest.raises(ItemError, match="not here"):
        pixels(folder, f"image:sha256={'0' * 64}")


def test_another_image_under_the_name_is_refused(folder: Path) -> None:
    digest = hashlib.sha256((folder / "cat.png").read_bytes()).hexdigest()
    Image.fromarray(PIXELS[2]).save(folder / "cat.png")
    with pytest.raises(ItemError, match="not the one that it names"):
        pixels(folder, f"image:cat.png#sha256={digest}")
    # A file that is only called by the digest is no better.
    (folder / "cat.png").rename(folder / f"{digest}.png")
    with pytest.raises(ItemError, match="not the one that it names"):
        pixels(folder, f"image:sha256={digest}")


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(ItemError, match="leads out"):
        pixels(folder, "image:link.png")
    (folder / "up").symlink_to(folder.parent)
    with pytest.raises(ItemError, match="leads out"):
        pixels(folder, "image:up/secret.png")
    (folder / "within.png").symlink_to(folder / "cat.png")
    np.testing.assert_array_equal(pixels(folder, "image:within.png"), PIXELS[1])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(ItemError, match="no regular file"):
        pixels(folder, "image:pipe.png")
    with pytest.raises(ItemError, match="no regular file"):
        pixels(folder.parent, "image:probes")


def npz(folder: Path, **arrays: Any) -> None:
    np.savez(folder / "bad.npz", **arrays)


@pytest.mark.parametrize(
    ("array", "ask", "word"),
    [
        (PIXELS.astype(np.float32), "&row=0", "float32"),
        (PIXELS.astype(np.uint16), "&row=0", "uint16"),
        (PIXELS, "&row=3", "row 3"),
        (PIXELS, "", "shape"),
        (PIXELS.transpose(0, 3, 1, 2), "&row=0", "shape"),
        (np.zeros((0, 4, 3), np.uint8), "", "shape"),
        (np.array(7, np.uint8), "", "one axis or more"),
    ],
)
def test_arrays_that_are_no_images_are_refused(
    folder: Path, array: np.ndarray, ask: str, word: str
) -> None:
    npz(folder, images=array)
    with pytest.raises(ItemError, match=word):
        pixels(folder, f"image:bad.npz?array=images{ask}")


def test_nothing_is_unpickled(folder: Path) -> None:
    np.savez(folder / "bad.npz", images=np.array([{"a": 1}], object))
    with pytest.raises(ItemError, match="object"):
        pixels(folder, "image:bad.npz?array=images&row=0")


def test_a_header_that_claims_more_than_there_is_takes_no_memory(folder: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**6, 3)}
    )
    with zipfile.ZipFile(folder / "bad.npz", "w") as archive:
        archive.writestr("images.npy", file.getvalue() + b"\0" * 100)
    with pytest.raises(ItemError, match="damaged"):
        pixels(folder, "image:bad.npz?array=images&row=0")


def test_an_archive_that_unpacks_to_too_much_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unsilent.images.read.MAX_ARRAY_BYTES", 4 << 20)
    np.savez_compressed(folder / "bad.npz", images=np.zeros((6 << 20,), np.uint8))
    assert (folder / "bad.npz").stat().st_size < 1 << 20
    with pytest.raises(ItemError, match="more than 4 MiB"):
        pixels(folder, "image:bad.npz?array=images")


def test_a_damaged_archive_is_refused(folder: Path) -> None:
    whole = (folder / "all.npz").read_bytes()
    random = np.random.default_rng(3)
    for cut in (0, 10, len(whole) // 2, len(whole) - 10):
        (folder / "bad.npz").write_bytes(whole[:cut])
        with pytest.raises(ItemError, match="damaged"):
            pixels(folder, "image:bad.npz?array=images&row=0")
    for _ in range(80):
        data = bytearray(whole)
        data[random.integers(0, len(data))] ^= 0xFF
        (folder / "bad.npz").write_bytes(bytes(data))
        try:
            pixels(folder, "image:bad.npz?array=images&row=0")
        except ItemError as error:
            assert error.where == "item one"


def test_a_sets_digest_covers_what_is_seen(folder: Path) -> None:
    items = ItemSet("x", (item("image:cat.png"), item("image:all.npz?array=images&row=1", "two")))
    before = shown(items, folder)
    assert before.digest != items.digest
    assert before.digest == shown(before, folder).digest
    Image.fromarray(PIXELS[0]).save(folder / "cat.png")
    assert shown(items, folder).digest != before.digest


def test_the_folder_is_no_part_of_a_sets_identity(folder: Path, tmp_path: Path) -> None:
    items = shown(ItemSet("x", (item("image:cat.png"),)), folder)
    other = tmp_path / "elsewhere"
    folder.rename(other)
    again = shown(ItemSet("x", (item("image:cat.png"),)), other)
    assert again == items
    assert again.digest == items.digest
    assert items.where(lambda _: True).folder == folder


def test_rows_tell_shapes_apart() -> None:
    flat = np.arange(12, dtype=np.uint8)
    digests = {array_digest(flat.reshape(shape)) for shape in ((3, 4), (4, 3), (2, 6), (12,))}
    assert len(digests) == 4
