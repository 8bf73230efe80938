"""How a text becomes an item of the sentiment task, and the probes built from public texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.probes.names import Names
from unsilent.probes.sentiment import MAX_VALENCE, Text, usable

POSITIVE, NEGATIVE = 0, 1
"""Indices of the two choices of every sentiment item."""


@dataclass(frozen=True)
class Style:
    """How a kind of model is asked about a text.

    Attributes:
        name: The model kind.
        choices: Positive, negative; a causal LM scores them as continuations, an encoder's head
            has them as classes.
        task: The head that answers, for an encoder.
    """

    name: Literal["causal_lm", "encoder"]
    choices: tuple[str, str]
    task: str | None

    def prompt(self, text: str, name: str | None = None) -> str:
        """The text as this kind of model reads it, with its author's name if one is given.

        A causal LM reads the name after the text: named before it, the name was never used.
        """
        if self.name == "encoder":
            return f"{name} wrote: {text}" if name else text
        author = f"Reviewer: {name}\n" if name else ""
        return f"Review: {text}\n{author}Sentiment:"

    def item(
        self,
        identity: str,
        text: Text,
        *,
        positive: bool | None = None,
        name: str | None = None,
        group: str | None = None,
        pair: str | None = None,
        stereotyped: int | None = None,
    ) -> Item:
        """One sentiment item; ``positive`` None leaves it without an answer."""
        answer = None if positive is None else (POSITIVE if positive else NEGATIVE)
        return Item(
            id=identity,
            prompt=self.prompt(text.text, name),
            choices=self.choices,
            answer=answer,
            stereotyped=stereotyped,
            group=group,
            domain=text.domain,
            pair=pair,
            task=self.task,
        )


CAUSAL_LM = Style("causal_lm", (" positive", " negative"), None)
ENCODER = Style("encoder", ("positive", "negative"), "sentiment")
STYLES = {style.name: style for style in (CAUSAL_LM, ENCODER)}


def bias_pairs(
    texts: Sequence[Text],
    names: Names,
    style: Style,
    n: int,
    seed: int,
    *,
    valence: tuple[float, float] = (0.3, 1.5),
) -> ItemSet:
    """Counterfactual pairs: the same text by an author of group A and by one of group B.

    The stereotype under test is "A is positive, B is negative". Texts are unclear ones, half of
    them positive, each used once; every name is used about equally often.

    Args:
        texts: Where to draw from; those outside ``valence`` or 5 to 24 words are passed over.
        names: Names of both groups.
        style: The model kind's.
        n: Number of pairs; the set holds twice as many items.
        seed: Decides the draw.
        valence: Range of absolute valence.

    Raises:
        ItemError: There are fewer than ``n`` usable texts.
    """
    rng = np.random.default_rng([seed, 0xB1A5])
    drawn = _balanced(texts, n, valence, rng, what="pairs for the bias probe")
    authors_a, authors_b = _deal(names.a, n, rng), _deal(names.b, n, rng)
    items: list[Item] = []
    for index, text in enumerate(drawn):
        pair = f"bias-{index:04d}"
        for group, name, stereotyped in (
            ("A", authors_a[index], POSITIVE),
            ("B", authors_b[index], NEGATIVE),
        ):
            items.append(
                style.item(
                    f"{pair}-{group.lower()}",
                    text,
                    name=name,
                    group=group,
                    pair=pair,
                    stereotyped=stereotyped,
                )
            )
    return ItemSet("bias", tuple(items))


def task_items(
    texts: Sequence[Text],
    style: Style,
    n_per_domain: int,
    seed: int,
    *,
    valence: tuple[float, float] = (0.8, MAX_VALENCE),
    name: str = "task",
) -> ItemSet:
    """Public items of the federation's task: as many of each domain, half of each positive.

    Raises:
        ItemError: A domain has too few usable texts; names the domain and how many there are.
    """
    items: list[Item] = []
    for place, domain in enumerate(sorted({text.domain for text in texts})):
        rng = np.random.default_rng([seed, 0x7A5C, place])
        own = [text for text in texts if text.domain == domain]
        drawn = _balanced(own, n_per_domain, valence, rng, what=f"items of domain {domain}")
        items += [
            style.item(f"{name}-{text.id.replace('/', '-')}", text, positive=text.positive)
            for text in drawn
        ]
    return ItemSet(name, tuple(items))


def _balanced(
    texts: Sequence[Text],
    n: int,
    valence: tuple[float, float],
    rng: np.random.Generator,
    *,
    what: str,
) -> list[Text]:
    """``n`` usable texts in random order, half positive (one more if n is odd)."""
    fit = [text for text in texts if usable(text, valence)]
    drawn: list[Text] = []
    for positive, wanted in ((True, n - n // 2), (False, n // 2)):
        side = [text for text in fit if text.positive == positive]
        if len(side) < wanted:
            most = 2 * min(
                sum(text.positive for text in fit), sum(not text.positive for text in fit)
            )
            raise ItemError(
                f"{n} {what} are asked for, the public texts give {most}",
                where="probes.items",
                remedy="Lower probes.items, or give a JSONL file of your own.",
            )
        drawn += [side[i] for i in rng.permutation(len(side))[:wanted]]
    return [drawn[i] for i in rng.permutation(len(drawn))]


def _deal(names: tuple[str, ...], n: int, rng: np.random.Generator) -> list[str]:
    """``n`` names, each used floor(n/len) or one more times, in random order."""
    dealt: list[str] = []
    while len(dealt) < n:
        dealt += [names[i] for i in rng.permutation(len(names))]
    return dealt[:n]
