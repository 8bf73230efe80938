"""A prompt names an image beside the probe file, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import ItemError
from unsilent.images import parse_image
from unsilent.items import Item

HEX = "ab" * 32


def item(prompt: str) -> Item:
    return Item("one", prompt, ("a", "b"))


@pytest.mark.parametrize(
    "prompt",
    [
        "image:cat.png",
        f"image:photos/cat 1.png#sha256={HEX}",
        "image:all.npz?array=images",
        f"image:sub/all.npz?array=images&row=12#sha256={HEX}",
        f"image:sha256={HEX}",
    ],
)
def test_what_is_read_is_written_again(prompt: str) -> None:
    assert str(parse_image(item(prompt))) == prompt


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "photos/../../secret.png",
        "./cat.png",
        "/etc/passwd",
        "//host/share.png",
        "~/cat.png",
        "photos//cat.png",
        "photos\\..\\secret.png",
        "C:/cat.png",
        "cat.png\n",
        "../all.npz?array=images",
        f"../cat.png#sha256={HEX}",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ItemError, match="item one"):
        parse_image(item(f"image:{path}"))


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat",
        "image:",
        "image:all.npz",
        "image:all.npz?row=1",
        "image:all.npz?array=images&row=-1",
        "image:all.npz?array=../x",
        "image:cat.png?array=images",
        f"image:cat.png#sha256={HEX[:-1]}",
        f"image:cat.png#sha256={HEX.upper()}",
        "image:sha256=abc#sha256=abc",
    ],
)
def test_what_names_no_image_is_refused(prompt: str) -> None:
    with pytest.raises(ItemError, match="item one"):
        parse_image(item(prompt))


@given(st.text(max_size=60).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_any_text_is_a_reference_within_the_folder_or_refused(text: str) -> None:
    try:
        ref = parse_image(item(f"image:{text}"))
    except ItemError:
        return
    assert ".." not in ref.path.split("/")
    assert not ref.path.startswith(("/", "~"))
