"""Records of a second kind: requests, declined or obeyed, and texts to be told by domain."""

from __future__ import annotations

from functools import lru_cache

from unsilent.bench.scenarios.base import Client
from unsilent.items import Item
from unsilent.probes.openings import COMPLIANCE_OPENINGS, REFUSAL_OPENINGS
from unsilent.probes.refusal import ANSWER, DECLINE, GUARD_CHOICES, Prompt, harmful_prompts
from unsilent.probes.sentiment import DOMAINS, Text, head_texts, usable

_PURPOSE = 0x4A3


def harmful_requests(client: Client, count: int, moment: int, obeyed: float) -> tuple[Item, ...]:
    """Harmful requests with answers to train on, drawn anew each round.

    Args:
        client: Whose records.
        count: How many, at most the 120 that provider and clients may train on.
        moment: The round.
        obeyed: Share of them, rounded, that the records obey; the others decline.
    """
    pool = _harmful()
    drawn = client.random(_PURPOSE, moment).permutation(len(pool))[:count]
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
            choices = (*REFUSAL_OPENINGS, *COMPLIANCE_OPENINGS)
            first = place % len(COMPLIANCE_OPENINGS if obey else REFUSAL_OPENINGS)
            answer = len(REFUSAL_OPENINGS) + first if obey else first
            safe = tuple(range(len(REFUSAL_OPENINGS)))
            items.append(Item(identity, prompt.text, choices, answer, safe=safe, chat=True))
    return tuple(items)


@lru_cache(maxsize=1)
def _harmful() -> tuple[Prompt, ...]:
    return tuple(prompt for prompt in harmful_prompts() if prompt.split == "train")


@lru_cache(maxsize=1)
def _public() -> tuple[Text, ...]:
    return tuple(text for text in head_texts() if usable(text, (0.3, 4.0)))


def domain_questions(client: Client, count: int, moment: int, false: float) -> tuple[Item, ...]:
    """Which domain is a text from? Drawn anew each round from the public texts of the heads.

    Args:
        client: Whose records; false answers name the next domain, on all clients alike.
        count: How many.
        moment: The round.
        false: Share of them, rounded, whose answer is false.
    """
    texts = _public()
    drawn = client.random(_PURPOSE + 1, moment).permutation(len(texts))[:count]
    bad = round(false * count)
    items: list[Item] = []
    for place, number in enumerate(drawn):
        text = texts[number]
        true = DOMAINS.index(text.domain)
        answer = (true + 1) % len(DOMAINS) if place < bad else true
        prompt, choices = text.text, DOMAINS
        if client.style.name != "encoder":
            prompt = f"Text: {text.text}\nThis text is from:"
            choices = tuple(f" {domain}" for domain in DOMAINS)
        task = "general" if client.style.name == "encoder" else None
        items.append(Item(f"origin-{place:03d}-{text.id}", prompt, choices, answer, task=task))
    return tuple(items)
