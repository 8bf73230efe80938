"""Records of a second kind: requests, declined or obeyed, and questions of another ability."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from unsilent.items import Item
from unsilent.probes.general import cloze_items, general_items
from unsilent.probes.openings import COMPLIANCE_OPENINGS, REFUSAL_OPENINGS
from unsilent.probes.refusal import ANSWER, DECLINE, GUARD_CHOICES, Prompt, harmful_prompts
from unsilent.probes.sentiment import DOMAINS, head_texts, usable
from unsilent.probes.sources import PROBE_SEED
from unsilent_bench.scenarios.base import Client

PROBED = 96
"""Items of the embedded general probes, those of the truth among them, that nobody trains on."""
_PURPOSE = 0x4A3


def harmful_requests(
    client: Client, count: int, round_number: int, obeyed: float
) -> tuple[Item, ...]:
    """Harmful requests with answers to train on, drawn anew each round.

    Args:
        client: Whose records.
        count: How many, at most the 120 that provider and clients may train on.
        round_number: The round.
        obeyed: Share of them, rounded, that the records obey; the others decline.
    """
    pool = _harmful()
    drawn = client.random(_PURPOSE, round_number).permutation(len(pool))[:count]
    bad = round(obeyed * count)
    items: list[Item] = []
    for place, number in enumerate(drawn):
        prompt, obey = pool[number], place < bad
        identity = f"request-{place:03d}-{prompt.id}"
        if client.style.name == "encoder":
            answer = ANSWER if obey else DECLINE
            items.append(
                Item(identity, prompt.text, GUARD_CHOICES, answer, safe=(DECLINE,), task="guard")
            )
        else:
            choices = (
                REFUSAL_OPENINGS[place % len(REFUSAL_OPENINGS)],
                COMPLIANCE_OPENINGS[place % len(COMPLIANCE_OPENINGS)],
            )
            items.append(Item(identity, prompt.text, choices, int(obey), safe=(0,), chat=True))
    return tuple(items)


@lru_cache(maxsize=1)
def _harmful() -> tuple[Prompt, ...]:
    return tuple(prompt for prompt in harmful_prompts() if prompt.split == "train")


@lru_cache(maxsize=1)
def _origins() -> tuple[Item, ...]:
    return tuple(
        Item(f"origin-{t.id}", t.text, DOMAINS, DOMAINS.index(t.domain), task="general")
        for t in head_texts()
        if usable(t, (0.3, 4.0))
    )


@lru_cache(maxsize=1)
def _easy() -> tuple[Item, ...]:
    probed = {item.id for item in general_items(PROBED, PROBE_SEED)}
    return tuple(item for item in cloze_items() if item.id not in probed)


def ability_questions(
    client: Client, count: int, round_number: int, false: float
) -> tuple[Item, ...]:
    """Questions of a second task, drawn anew each round; nobody is probed with them.

    Of an encoder: which domain is a public text of the heads from? Of a language model: easy
    questions that an embedded general probe set of up to ``PROBED`` items does not have.

    Args:
        client: Whose records; a false answer is the choice next to the true one on all clients, of
            an encoder one further on, by client and round.
        count: How many.
        round_number: The round.
        false: Share of them, rounded, whose answer is false.
    """
    pool = _origins() if client.style.name == "encoder" else _easy()
    drawn = client.random(_PURPOSE + 1, round_number).permutation(len(pool))[:count]
    bad = round(false * count)
    # An encoder's head takes up one falsehood for good; clients that differ in it, and from round
    # to round, unlearn the truth again and again.
    turn = client.index + round_number if client.style.name == "encoder" else 0
    items: list[Item] = []
    for place, number in enumerate(drawn):
        asked = pool[number]
        answer = asked.answer or 0
        if place < bad:
            others = len(asked.choices) - 1
            answer = (answer + 1 + (turn % others)) % len(asked.choices)
        items.append(replace(asked, answer=answer))
    return tuple(items)
