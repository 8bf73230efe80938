"""Packaged questions become keyed items; what has no usable key is left out."""

from __future__ import annotations

from collections import Counter

import pytest

from unsilent.errors import AssetError
from unsilent.probes.general import Source, cloze_items, parse_questions, split_options

SOURCE = Source("set", "f.jsonl", "{passage} {question}\nAnswer:", 1.0)


def test_options_lose_their_letters() -> None:
    assert split_options("A. hit it\nhard. B. no\nB. pop it ") == ("hit it hard. B. no", "pop it")
    assert split_options("\nA. one\nB. two") == ("one", "two")
    assert split_options("A. one\nC. two") == ()
    assert split_options("one or two") == ()


def test_question_has_its_answer_by_text() -> None:
    line = (
        '{"passage": "It rains.", "question": "Take?", '
        '"options": "A. a hat\\nB. an umbrella", "answer": "B. an umbrella"}'
    )
    (item,) = parse_questions(line, SOURCE, where="f")
    assert item.prompt == "It rains. Take?\nAnswer:"
    assert item.choices == (" a hat", " an umbrella") and item.answer == 1


@pytest.mark.parametrize(
    "line",
    [
        '{"question": "q", "options": "A. x\\nB. y"}',
        '{"question": "q", "options": "A. x\\nB. y", "answer": "C. z"}',
        '{"question": "q", "options": "A. x\\nB. x", "answer": "A. x"}',
        '{"question": "", "options": "A. x\\nB. y", "answer": "A. x"}',
        '{"question": "q", "answer": ["x", "y"]}',
        "[]",
    ],
)
def test_question_without_a_key_is_left_out(line: str) -> None:
    assert parse_questions(line, SOURCE, where="f") == ()


def test_broken_line_is_named() -> None:
    with pytest.raises(AssetError, match="f: line 2: not valid JSON"):
        parse_questions("[]\n{", SOURCE, where="f")


def test_cloze_items_are_keyed_evenly() -> None:
    items = cloze_items()
    assert len(items) == 120
    assert all(len(item.choices) == 4 and item.choices[0].startswith(" ") for item in items)
    places = Counter(item.answer for item in items)
    assert set(places) == {0, 1, 2, 3} and min(places.values()) >= 15
    assert len({item.prompt for item in items}) == 120
