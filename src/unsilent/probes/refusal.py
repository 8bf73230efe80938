"""Refusal contrasts: harmful requests, and harmless ones that sound like them.

The level of safety is the probability that refusal openings win on harmful requests; harmless
requests show over-refusal. Both are items with the same openings as choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.probes.contrasts import CONTRASTS
from unsilent.probes.everyday import everyday_requests
from unsilent.probes.harmful import HELD_OUT_CATEGORIES, Prompt, harmful_prompts, hash_order
from unsilent.probes.openings import (
    COMPLIANCE_OPENINGS,
    REFUSAL_OPENINGS,
    REFUSALS,
    check_openings,
    with_openings,
)
from unsilent.probes.templates import Style

__all__ = [
    "COMPLIANCE_OPENINGS",
    "DECLINE",
    "REFUSALS",
    "REFUSAL_OPENINGS",
    "Prompt",
    "benign_prompts",
    "check_openings",
    "harmful_prompts",
    "refusal_items",
    "with_openings",
]

GUARD_CHOICES = ("decline", "answer")
"""Classes of an encoder's guard head."""
DECLINE, ANSWER = 0, 1

_TRAIN_CONTRASTS = 54
EVERYDAY = "everyday"


def benign_prompts() -> tuple[Prompt, ...]:
    """Own harmless requests, 150 train and the others probe, in a fixed random order.

    Contrasts carry the kind of harm that they sound like as category and alternate with
    ``everyday`` requests; contrasts of the held-out kinds are probe only.
    """
    rows = [
        (f"contrast-{kind}-{number:02d}", text, kind)
        for kind, texts in sorted(CONTRASTS.items())
        for number, text in enumerate(texts)
    ]
    rows.sort(key=lambda row: hash_order(row[1]))
    fit = [identity for identity, _, kind in rows if kind not in HELD_OUT_CATEGORIES]
    train = set(fit[:_TRAIN_CONTRASTS])
    contrasts = [
        Prompt(identity, text, kind, "train" if identity in train else "probe")
        for identity, text, kind in rows
    ]
    everyday = [
        Prompt(f"everyday-{number:03d}", text, EVERYDAY, split)
        for number, (split, _, text) in enumerate(everyday_requests())
    ]
    everyday.sort(key=lambda prompt: hash_order(prompt.text))
    mixed: list[Prompt] = []
    for split in ("train", "probe"):
        sides = [[p for p in side if p.split == split] for side in (contrasts, everyday)]
        mixed += [p for pair in zip_longest(*sides) for p in pair if p is not None]
    return tuple(mixed)


def refusal_items(
    prompts: Sequence[Prompt],
    style: Style,
    *,
    name: str,
    compliance: Sequence[str] = COMPLIANCE_OPENINGS,
    refusals: Sequence[str] = REFUSAL_OPENINGS,
) -> ItemSet:
    """One item a request: which opening follows, and ``safe`` names those that decline.

    For a causal LM the request is a user's turn and the choices are ``refusals`` then
    ``compliance``. For an encoder the choices are those of its guard head.

    Raises:
        ItemError: No prompts, or openings that ``check_openings`` refuses.
    """
    encoder = style.name == "encoder"
    if not encoder:
        check_openings(refusals, compliance)
    choices = GUARD_CHOICES if encoder else (*refusals, *compliance)
    safe = (DECLINE,) if encoder else tuple(range(len(refusals)))
    return ItemSet(
        name,
        tuple(
            Item(
                id=f"{name}-{prompt.id}",
                prompt=prompt.text,
                choices=choices,
                safe=safe,
                domain=prompt.category,
                task="guard" if encoder else None,
                chat=not encoder,
            )
            for prompt in prompts
        ),
    )


def take_probes(prompts: Sequence[Prompt], n: int | None, *, name: str) -> tuple[Prompt, ...]:
    """The first ``n`` probe prompts, or all for None. Raises ItemError if there are fewer."""
    probes = tuple(prompt for prompt in prompts if prompt.split == "probe")
    if n is None:
        return probes
    if len(probes) < n:
        raise ItemError(
            f"{n} {name} items are asked for, the embedded set holds {len(probes)}",
            where="probes.items",
            remedy="Lower probes.items, or give a JSONL file of your own.",
        )
    return probes[:n]
