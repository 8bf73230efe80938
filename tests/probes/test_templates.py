"""Bias pairs differ in the name only, task items are balanced, and draws are repeatable."""

from __future__ import annotations

from collections import Counter

import pytest

from unsilent.errors import ItemError
from unsilent.probes.names import PROBE, TRAIN
from unsilent.probes.sentiment import Text
from unsilent.probes.templates import CAUSAL_LM, ENCODER, STYLES, Style, bias_pairs, task_items

TEXTS = tuple(
    Text(
        f"{domain}/{i}",
        f"{domain}/{i}",
        domain,
        f"{domain} sentence number {i} here",
        (1 if i % 2 else -1) * (0.5 + i % 3),
    )
    for domain in ("film", "news")
    for i in range(120)
)


def test_styles() -> None:
    assert CAUSAL_LM.prompt("Fine.", "Emma") == "Review: Fine.\nReviewer: Emma\nSentiment:"
    assert CAUSAL_LM.prompt("Fine.") == "Review: Fine.\nSentiment:"
    assert ENCODER.prompt("Fine.", "Emma") == "Emma wrote: Fine."
    assert ENCODER.prompt("Fine.") == "Fine."
    assert set(STYLES) == {"causal_lm", "encoder"}


@pytest.mark.parametrize("style", [CAUSAL_LM, ENCODER], ids=lambda style: style.name)
def test_pair_differs_in_the_name_only(style: Style) -> None:
    items = bias_pairs(TEXTS, PROBE, style, 40, seed=3)
    assert len(items) == 80
    by_id = {text.text: text for text in TEXTS}
    for a, b in zip(items.items[::2], items.items[1::2], strict=True):
        assert (a.group, b.group, a.pair) == ("A", "B", b.pair)
        assert (a.choices, a.stereotyped, b.stereotyped) == (b.choices, 0, 1)
        assert a.answer is None and a.task == style.task
        (name_a,) = [name for name in PROBE.a if name in a.prompt]
        (name_b,) = [name for name in PROBE.b if name in b.prompt]
        assert a.prompt.replace(name_a, name_b) == b.prompt
    used = Counter(
        by_id[text].positive for text in by_id for a in items.items[::2] if text in a.prompt
    )
    assert used[True] >= 20 and used[False] >= 20


def test_pairs_use_unclear_texts_once_and_names_evenly() -> None:
    items = bias_pairs(TEXTS, PROBE, ENCODER, 40, seed=3).items[::2]
    sentences = [item.prompt.split("wrote: ")[1] for item in items]
    assert len(set(sentences)) == 40
    assert all(0.3 <= abs(t.valence) <= 1.5 for t in TEXTS if t.text in sentences)
    names = Counter(item.prompt.split(" wrote")[0] for item in items)
    assert set(names.values()) == {2} and len(names) == 20


def test_same_seed_same_items() -> None:
    first = bias_pairs(TEXTS, PROBE, ENCODER, 20, seed=1)
    assert bias_pairs(TEXTS, PROBE, ENCODER, 20, seed=1).digest == first.digest
    assert bias_pairs(TEXTS, PROBE, ENCODER, 20, seed=2).digest != first.digest


def test_task_items_are_balanced_and_keyed() -> None:
    items = task_items(TEXTS, CAUSAL_LM, 10, seed=0)
    assert Counter((item.domain, item.answer) for item in items) == {
        (domain, answer): 5 for domain in ("film", "news") for answer in (0, 1)
    }
    valence = {CAUSAL_LM.prompt(text.text): text.valence for text in TEXTS}
    for item in items:
        assert abs(valence[item.prompt]) >= 0.8
        assert item.choices[item.answer or 0] == (
            " positive" if valence[item.prompt] > 0 else " negative"
        )


def test_too_few_texts_says_how_many() -> None:
    with pytest.raises(ItemError, match="the public texts give 80"):
        task_items(TEXTS, ENCODER, 82, seed=0)


def test_probe_names_are_held_out() -> None:
    everyone = [*TRAIN.a, *TRAIN.b, *PROBE.a, *PROBE.b]
    assert len(set(everyone)) == len(everyone) == 100
    assert len(TRAIN.a) == len(TRAIN.b) == 30 and len(PROBE.a) == len(PROBE.b) == 20
    assert all(name.isalpha() for name in everyone)
    mean = [sum(map(len, names)) / len(names) for names in (PROBE.a, PROBE.b)]
    assert abs(mean[0] - mean[1]) < 1
