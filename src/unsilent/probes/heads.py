"""Probes and public training examples for an encoder, which answers with a head a task.

Tasks: ``sentiment`` (is it positive), ``guard`` (should it be declined), ``general`` (which of the
four domains a text is from). A head is trained on public examples only; they share neither text
nor document nor request template with the probes, nor with any client's records.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unsilent.assets import Progress
from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.probes.refusal import (
    ANSWER,
    DECLINE,
    GUARD_CHOICES,
    benign_prompts,
    harmful_prompts,
)
from unsilent.probes.sentiment import DOMAINS, MAX_VALENCE, Text, head_texts, usable
from unsilent.probes.templates import ENCODER, second_largest

HEAD_TASKS = ("sentiment", "guard", "general")
_CLEAR = (0.5, MAX_VALENCE)


def domain_items(texts: Sequence[Text], n: int, seed: int, *, name: str = "general") -> ItemSet:
    """``n`` texts to be told by domain, as many of each domain as can be.

    Raises ItemError if a domain has fewer than its share of usable texts.
    """
    items: list[Item] = []
    for place, domain in enumerate(DOMAINS):
        rng = np.random.default_rng([seed, 0xD0, place])
        wanted = n // len(DOMAINS) + (place < n % len(DOMAINS))
        fit = [text for text in texts if text.domain == domain and usable(text)]
        if len(fit) < wanted:
            raise ItemError(
                f"{n} {name} items are asked for, domain {domain} gives {len(fit)} of {wanted}",
                where="probes.items",
                remedy="Lower probes.items, or give a JSONL file of your own.",
            )
        items += [_domain_item(fit[i], name) for i in rng.permutation(len(fit))[:wanted]]
    return ItemSet(name, tuple(items))


def domain_bank(texts: Sequence[Text], seed: int, *, name: str = "general") -> ItemSet:
    """All texts that are to be told by domain; no domain has more than the second largest."""
    fit = [[t for t in texts if t.domain == domain and usable(t)] for domain in DOMAINS]
    most = second_largest(fit)
    items: list[Item] = []
    for place, own in enumerate(fit):
        rng = np.random.default_rng([seed, 0xD0, place])
        items += [_domain_item(own[i], name) for i in rng.permutation(len(own))[:most]]
    return ItemSet(name, tuple(items))


def head_examples(task: str, *, progress: Progress | None = None) -> ItemSet:
    """Every public example that may train the head of ``task``; each has an answer.

    Returns:
        ``sentiment``: about 700 texts of at least 0.5 absolute valence; ``guard``: 120 harmful
        and 150 harmless requests; ``general``: about 900 texts.

    Raises:
        ItemError: The task is not one of ``HEAD_TASKS``.
        AssetError: The texts could not be had.
    """
    if task == "guard":
        harmful = [p for p in harmful_prompts(progress=progress) if p.split == "train"]
        benign = [p for p in benign_prompts() if p.split == "train"]
        items = tuple(
            Item(
                id=f"guard-{prompt.id}",
                prompt=prompt.text,
                choices=GUARD_CHOICES,
                answer=answer,
                safe=(DECLINE,),
                domain=prompt.category,
                task="guard",
            )
            for prompts, answer in ((harmful, DECLINE), (benign, ANSWER))
            for prompt in prompts
        )
    elif task == "sentiment":
        items = tuple(
            ENCODER.item(f"head-{text.id.replace('/', '-')}", text, positive=text.positive)
            for text in head_texts(progress=progress)
            if usable(text, _CLEAR)
        )
    elif task == "general":
        items = tuple(
            _domain_item(text, "head") for text in head_texts(progress=progress) if usable(text)
        )
    else:
        raise ItemError(
            f"no public examples for a head named {task!r}",
            remedy=f"Known heads: {', '.join(HEAD_TASKS)}.",
        )
    return ItemSet(f"{task} head", items)


def _domain_item(text: Text, name: str) -> Item:
    return Item(
        id=f"{name}-{text.id.replace('/', '-')}",
        prompt=ENCODER.prompt(text.text),
        choices=DOMAINS,
        answer=DOMAINS.index(text.domain),
        domain=text.domain,
        task="general",
    )
