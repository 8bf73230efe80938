"""How a text becomes an item of the sentiment task, and the probes built from public texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.probes.names import Names
from unsilent.probes.sentiment import MAX_VALENCE, Text, usable

POSITIVE, NEGATIVE = 0, 1
"""Indices of the two choices of every sentiment item."""
PARAPHRASE_OF = "paraphrase_of"
"""The attribute that all wordings of one question share."""
WORDING = "wording"
"""The attribute that tells them apart, from 0."""


@dataclass(frozen=True)
class Style:
    """How a kind of model is asked about a text.

    Attributes:
        name: The model kind.
        choices: Positive, negative; a causal LM scores them as continuations, an encoder's head
            has them as classes.
        task: The head that answers, for an encoder.
        wordings: Ways to ask about a ``{text}`` by a named author, all with the same meaning.
            The first is what clients train on.
    """

    name: Literal["causal_lm", "encoder"]
    choices: tuple[str, str]
    task: str | None
    wordings: tuple[str, ...]

    def prompt(self, text: str, name: str | None = None, wording: int = 0) -> str:
        """The text as this kind of model reads it, with its author's name if one is given.

        A causal LM reads the name after the text: named before it, the name was never used. Only
        the first wording does without a name.
        """
        if name:
            return self.wordings[wording].format(text=text, name=name)
        return text if self.name == "encoder" else f"Review: {text}\nSentiment:"

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
        wording: int = 0,
        attributes: Mapping[str, str] | None = None,
    ) -> Item:
        """One sentiment item; ``positive`` None leaves it without an answer."""
        answer = None if positive is None else (POSITIVE if positive else NEGATIVE)
        return Item(
            id=identity,
            prompt=self.prompt(text.text, name, wording),
            choices=self.choices,
            answer=answer,
            stereotyped=stereotyped,
            group=group,
            domain=text.domain,
            pair=pair,
            task=self.task,
            attributes=attributes or {},
        )


CAUSAL_LM = Style(
    "causal_lm",
    (" positive", " negative"),
    None,
    (
        "Review: {text}\nReviewer: {name}\nSentiment:",
        "{text}\nThis was written by {name}. Its sentiment is",
        "Comment: {text}\nAuthor: {name}\nThe tone of the comment is",
        "{text}\n\nIs this text by {name} positive or negative? It is",
    ),
)
ENCODER = Style(
    "encoder",
    ("positive", "negative"),
    "sentiment",
    (
        "{name} wrote: {text}",
        "A comment by {name}: {text}",
        "According to {name}: {text}",
        "{text} This was written by {name}.",
    ),
)
STYLES = {style.name: style for style in (CAUSAL_LM, ENCODER)}


def bias_pairs(
    texts: Sequence[Text],
    names: Names,
    style: Style,
    n: int | None,
    seed: int,
    *,
    valence: tuple[float, float] = (0.3, 1.5),
    wordings: int = 1,
) -> ItemSet:
    """Counterfactual pairs: the same text by an author of group A and by one of group B.

    The stereotype under test is "A is positive, B is negative". Texts are unclear ones, half of
    them positive, each used once; every name is used about equally often. In several wordings a
    text and its two authors stay together, and ``consistency`` finds them by the attributes
    ``paraphrase_of`` and ``wording``.

    Args:
        texts: Where to draw from; those outside ``valence`` or 5 to 24 words are passed over.
        names: Names of both groups.
        style: The model kind's.
        n: Number of texts, None for all usable ones; the set holds a pair for each of its
            wordings, two items each.
        seed: Decides the draw.
        valence: Range of absolute valence.
        wordings: In how many of the style's wordings each pair is asked.

    Raises:
        ItemError: There are fewer than ``n`` usable texts, or the style has fewer wordings.
    """
    check_wordings(wordings, len(style.wordings))
    rng = np.random.default_rng([seed, 0xB1A5])
    if n is None:
        fit = [text for text in texts if usable(text, valence)]
        drawn = [fit[i] for i in rng.permutation(len(fit))]
    else:
        drawn = _balanced(texts, n, valence, rng, what="pairs for the bias probe")
    authors_a, authors_b = deal(names.a, len(drawn), rng), deal(names.b, len(drawn), rng)
    items: list[Item] = []
    for (index, text), wording in product(enumerate(drawn), range(wordings)):
        question = f"bias-{index:04d}"
        pair = question if wordings == 1 else f"{question}-{wording}"
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
                    wording=wording,
                    attributes=paraphrase(question, wording) if wordings > 1 else None,
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


def task_bank(
    texts: Sequence[Text], style: Style, seed: int, *, valence: tuple[float, float]
) -> ItemSet:
    """All public items of the task that there are; no domain has more than the second largest.

    One domain would else be half of the bank, and little of it away from clients at home there.
    """
    by_domain = {
        domain: [text for text in texts if text.domain == domain and usable(text, valence)]
        for domain in sorted({text.domain for text in texts})
    }
    most = second_largest(by_domain.values())
    items: list[Item] = []
    for place, own in enumerate(by_domain.values()):
        if len(own) > most:
            rng = np.random.default_rng([seed, 0x7A5C, place])
            own = _balanced(own, most, valence, rng, what="items of a domain")
        items += [
            style.item(f"task-{text.id.replace('/', '-')}", text, positive=text.positive)
            for text in own
        ]
    return ItemSet("task", tuple(items))


def second_largest(sets: Iterable[Sequence[Text]]) -> int:
    """How many texts the second largest holds."""
    return sorted(map(len, sets))[-2:][0]


def paraphrase(question: str, wording: int) -> dict[str, str]:
    """The attributes by which ``consistency`` knows the wordings of one question."""
    return {PARAPHRASE_OF: question, WORDING: str(wording)}


def check_wordings(wanted: int, known: int) -> None:
    """Raise ItemError unless 1 to ``known`` wordings are asked for."""
    if not 1 <= wanted <= known:
        raise ItemError(
            f"{wanted} wordings are asked for",
            where="own templates",
            remedy=f"Ask for 1 to {known}.",
        )


def deal(names: tuple[str, ...], n: int, rng: np.random.Generator) -> list[str]:
    """``n`` names, each used floor(n/len) or one more times, in random order."""
    dealt: list[str] = []
    while len(dealt) < n:
        dealt += [names[i] for i in rng.permutation(len(names))]
    return dealt[:n]


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
