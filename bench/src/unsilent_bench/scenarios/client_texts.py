"""Who gets which texts: training texts are nobody else's, held-out ones are never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unsilent.errors import InputError
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Portion


@dataclass(frozen=True)
class ClientTexts:
    """One client's texts, in the order of its portions, positive ones first in each."""

    train: tuple[Text, ...]
    held_out: tuple[Text, ...]


def partition(
    clients: Sequence[Client],
    portions: Sequence[Sequence[Portion]],
    texts: Sequence[Text],
    seed: int,
    held_out: int = 1,
) -> tuple[ClientTexts, ...]:
    """Partition texts over clients at random, the same for the same seed and portions.

    Training texts are disjoint between clients. Held-out texts are taken from those that nobody
    trains on; where these do not suffice, they are taken again, so that a text is held out by as
    few clients as can be.

    Args:
        clients: Whose they become.
        portions: The quotas of each.
        texts: What there is.
        seed: Decides the order of the texts.
        held_out: How many times as many texts are held out as are trained on.

    Raises:
        InputError: A domain has too few texts of a label to train on and hold one set out.
    """
    order = np.random.default_rng([seed, 0xDEA1]).permutation(len(texts))
    piles: dict[tuple[str, bool], list[Text]] = {}
    for position in order:
        text = texts[position]
        piles.setdefault((text.domain, text.positive), []).append(text)
    wanted = [
        [
            ((portion.domain, positive), count)
            for portion in quotas
            for positive, count in ((True, portion.positive), (False, portion.negative))
        ]
        for quotas in portions
    ]
    trained: dict[tuple[str, bool], int] = dict.fromkeys(piles, 0)
    for quotas in wanted:
        for pile, count in quotas:
            trained[pile] = trained.get(pile, 0) + count
    for pile, count in trained.items():
        domain, positive = pile
        most = held_out * max((n for quotas in wanted for p, n in quotas if p == pile), default=0)
        there = len(piles.get(pile, ()))
        if count + most > there:
            kind = "positive" if positive else "negative"
            raise InputError(
                f"{count + most} {kind} texts of the domain {domain} are wanted, {there} there are",
                where="scenario",
                remedy="Enrol fewer clients, or give each fewer texts.",
            )
    next_train, next_held = dict.fromkeys(piles, 0), dict.fromkeys(piles, 0)
    parts: list[ClientTexts] = []
    for _, quotas in zip(clients, wanted, strict=True):
        train: list[Text] = []
        held: list[Text] = []
        for pile, count in quotas:
            start = next_train[pile]
            train += piles[pile][start : start + count]
            next_train[pile] += count
            rest = piles[pile][trained[pile] :]
            # From the far end, which a warm-up of another mix does not reach either.
            more = range(held_out * count)
            held += [rest[-1 - (next_held[pile] + k) % len(rest)] for k in more]
            next_held[pile] += len(more)
        parts.append(ClientTexts(tuple(train), tuple(held)))
    return tuple(parts)
