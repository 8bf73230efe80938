"""Ground-truth files become clean, distinct texts, each in exactly one part."""

from __future__ import annotations

import pytest

from unsilent.errors import AssetError
from unsilent.probes.sentiment import Text, clean, distinct, parse_texts, part_of, usable


def test_documents_come_from_the_id() -> None:
    data = b"1_2\t-0.9\tno  picture.\r\n12\t2.5\tGreat &amp; ''fun''!\r\n"
    first, second = parse_texts("product", data, where="f")
    assert first == Text("product/1_2", "product/1", "product", "no picture.", -0.9)
    assert second.document == "product/12"
    assert second.text == 'Great & "fun"!'
    assert second.positive and not first.positive


def test_odd_characters_and_line_ends() -> None:
    data = "\ufeff1\t0.5\tcaf\u00e9\u2028au lait\x85now\n\n2\t-1\ta\tb".encode()
    first, second = parse_texts("film", data, where="f")
    assert first.text == "café au lait now"
    assert second.text == "a b"
    assert clean("a\tb\u00a0c") == "a b c"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1\t0.5\tok\n2\t0.5", "f: line 2: expected id, rating and text"),
        (b"x\t0.5\tok", "line 1: expected id"),
        (b"1\tgood\tok", "not a number"),
        (b"1\tnan\tok", "outside -4 to 4"),
        (b"1\t4.5\tok", "outside -4 to 4"),
        (b"1\t1\t\xff", "not UTF-8"),
    ],
)
def test_bad_line_is_named(data: bytes, message: str) -> None:
    with pytest.raises(AssetError) as caught:
        parse_texts("film", data, where="f")
    assert message in caught.value.line()


def text(number: int, words: str, valence: float = 1.0, document: int | None = None) -> Text:
    return Text(f"film/{number}", f"film/{document or number}", "film", words, valence)


def test_repeats_count_once() -> None:
    texts = (text(1, "So good!"), text(2, "so good"), text(3, ":)"), text(4, ":("))
    assert [t.id for t in distinct(texts)] == ["film/1", "film/3", "film/4"]


def test_parts_go_by_document_in_the_stated_shares() -> None:
    assert len({part_of(text(i, f"w{i}", document=7)) for i in range(1, 50)}) == 1
    parts = [part_of(text(i, "w")) for i in range(20_000)]
    # Standard errors are .0021 and .0015; five of them.
    assert parts.count("probes") / 20_000 == pytest.approx(0.10, abs=0.011)
    assert parts.count("heads") / 20_000 == pytest.approx(0.05, abs=0.008)


@pytest.mark.parametrize(
    ("words", "valence", "fit"),
    [(5, 0.3, True), (4, 0.3, False), (24, -1.5, True), (25, 1.0, False), (9, 1.6, False)],
)
def test_usable_range_includes_its_ends(words: int, valence: float, fit: bool) -> None:
    assert usable(text(1, "w " * words, valence), (0.3, 1.5)) is fit


def test_neutral_text_has_no_label() -> None:
    assert not usable(text(1, "one two three four five", 0.0))
