"""Records copied out of a set that must not be trained on are refused, under any name."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.errors import PlanError
from unsilent.items import Item, ItemSet
from unsilent.probes.catalog import KNOWN, refuse_as_training
from unsilent.probes.counterfactuals import counterfactual_pairs
from unsilent.probes.everyday import everyday_requests
from unsilent.probes.fingerprints import (
    copied_from,
    fingerprints,
    packed,
    recorded,
)
from unsilent.probes.known.load import load_known
from unsilent.probes.known.spec import parse_source
from unsilent.probes.sentiment import public_texts

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = {
    "bbq": DATA / "bbq",
    "crows_pairs": DATA / "crows_pairs" / "crows_pairs_anonymized.csv.gz",
}
real = pytest.mark.skipif(not DATA.is_dir(), reason="the sets' real files are not here")


def texts(name: str, *prompts: str) -> ItemSet:
    return ItemSet(
        name, tuple(Item(f"r{n}", text, (" no", " yes"), 1) for n, text in enumerate(prompts))
    )


@pytest.mark.parametrize("name", ["crows_pairs", "known:CrowS-Pairs:x.csv?items=40", "bbq"])
def test_a_set_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(PlanError, match="not for training"):
        refuse_as_training(texts(name, "a", "b"))


@pytest.mark.parametrize("name", ["mmlu", "known:boolq", "own.jsonl", "embedded"])
def test_other_names_pass(name: str) -> None:
    refuse_as_training(texts(name, "a", "b"))


def test_a_set_that_passed_is_refused_under_a_forbidden_name() -> None:
    refuse_as_training(texts("own", "a", "b"))
    with pytest.raises(PlanError):
        refuse_as_training(texts("bbq", "a", "b"))


def test_every_set_that_is_not_for_training_is_on_record() -> None:
    assert set(recorded()) == {name for name, known in KNOWN.items() if known.no_training}


@real
@pytest.mark.parametrize("name", FILES)
def test_copies_under_another_name_and_in_another_form_are_refused(name: str) -> None:
    items = load_known(parse_source(f"known:{name}:{FILES[name]}")).items.items[50:150]
    copied = ItemSet("own", items)
    assert copied_from(copied) == name
    whole = [f"{item.prompt.partition(chr(10))[0]}{item.choices[0]}".upper() for item in items]
    reshaped = texts("own", *(f"Is this so? «{text}!»" for text in whole))
    assert copied_from(reshaped) == name
    with pytest.raises(PlanError, match=f"{name} is not for training"):
        refuse_as_training(reshaped)
    # As a text to be written, not to be read.
    answers = (Item(f"a{n}", "Go on.", (text, "Other")) for n, text in enumerate(whole))
    assert copied_from(ItemSet("own", tuple(answers))) == name


@real
@pytest.mark.parametrize("name", FILES)
def test_what_is_on_record_is_of_the_published_files(name: str) -> None:
    from unsilent.probes import fingerprints as module

    items = load_known(parse_source(f"known:{name}:{FILES[name]}")).items
    of_files = set[int]()
    for item in items:
        # Without its answers to a question: "Answer: cannot be determined" is anybody's.
        question = "\n" in item.prompt
        of_files |= module._prints([item.prompt] if question else module._run_on(item))
    assert of_files <= module._known(name)
    assert len(of_files) > 3000


@real
def test_one_sentence_or_two_may_be_chance() -> None:
    items = load_known(parse_source(f"known:crows_pairs:{FILES['crows_pairs']}")).items.items
    own = texts("own", *(f"Some sentence of {n} own words." for n in range(50))).items
    assert copied_from(ItemSet("own", (*items[:2], *own))) is None
    assert copied_from(ItemSet("own", (*items[:3], *own))) == "crows_pairs"


def test_own_data_is_no_copy() -> None:
    pairs = counterfactual_pairs(64, 3)
    assert copied_from(pairs) is None
    assert copied_from(texts("everyday", *(text for *_, text in everyday_requests()))) is None


def test_the_embedded_texts_are_no_copy() -> None:
    found = [record.text for record in public_texts()]
    assert len(found) > 1000
    assert copied_from(texts("sentiment", *found[:4000])) is None


def test_sentences_are_told_without_case_punctuation_and_choices_order() -> None:
    one = Item("1", "The old man", (" met the young woman.", " saw the young woman."))
    other = Item("2", "THE OLD MAN, saw the  young woman!", ("x", "y"))
    assert fingerprints(one) & fingerprints(other)
    assert not fingerprints(Item("3", "Too short a text", ("x", "y"))) & fingerprints(other)
    assert packed([258, 1, 258]) == bytes([0, 0, 0, 0, 1, 0, 0, 0, 1, 2])
