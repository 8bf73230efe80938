"""The check: public items, the reference, the endpoint, and what is said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.items import Item, ItemSet
from unsilent.ledger.events import ParityChecked
from unsilent.models.base import Adapter, PersonalModel
from unsilent.models.likelihoods import lengths, over_choices
from unsilent.parity.compare import (
    IN_PROBABILITY,
    SHARE,
    Acting,
    Comparison,
    ItemScores,
    Sameness,
    acting,
    compare,
)
from unsilent.parity.served import Served


@dataclass(frozen=True)
class ServedScores:
    """What an endpoint said, of the items that it could be asked."""

    items: ItemSet
    answers: ItemScores
    left_out: int = 0


@dataclass(frozen=True)
class Parity:
    """Whether the served model is the measured one.

    Attributes:
        items: Those that were compared.
        left_out: Items in which a token of the prompt melts into a choice.
        tolerance: In nats.
        reference: Digest of the plan's model.
        adapter: Digest of the adapter; None without.
        endpoint, name: Host and port, or the hook; and the model's name there.
        compared: The endpoint against the reference, with the adapter if there is one.
        acts: Whether the adapter acts; None without one.
        base: The endpoint's own base against the reference without the adapter, where asked.
    """

    items: ItemSet
    left_out: int
    tolerance: float
    reference: str
    adapter: str | None
    endpoint: str
    name: str | None
    compared: Comparison
    acts: Acting | None = None
    base: Comparison | None = None

    @property
    def verdict(self) -> Sameness:
        """Same only if the adapter is shown to act, and different wherever it is not there."""
        if self.acts is not None and self.acts.word == "absent":
            return "different"
        if self.base is not None and self.base.verdict == "different":
            return "different"
        unclear = self.acts is not None and self.acts.word == "unclear"
        open_ = self.base is not None and self.base.verdict != "same"
        if self.compared.verdict == "same" and (unclear or open_):
            return "undetermined"
        return self.compared.verdict

    @property
    def said(self) -> str:
        """What is known, in sentences."""
        c, acts = self.compared, self.acts
        far = f"{self.tolerance:g} nats or {100 * IN_PROBABILITY * self.tolerance:g} points"
        told = [
            {
                "same": f"No item differs by more than {far}, and with 95% "
                f"confidence at most {c.most:.0%} of items like these do.",
                "different": f"{c.beyond} of {c.items} items differ by more than "
                f"{far}: with 95% confidence at least {c.least:.0%} of items "
                "like these do.",
                "undetermined": f"{c.beyond} of {c.items} items differ by more than "
                f"{far}; of items like these at least {c.least:.0%} do, and at most {c.most:.0%}, "
                f"each with 95% confidence, and more than {SHARE:.0%} would be too many.",
            }[c.verdict]
        ]
        if acts is not None:
            told.append(
                {
                    "acts": f"The adapter acts at {acts.strength or 0:.2f} of its strength.",
                    "absent": "The endpoint answers as the base model: the adapter is not there.",
                    "unclear": "Whether the adapter acts could not be shown: the endpoint is not "
                    "clearly nearer to the reference with it, nor without it.",
                }[acts.word]
            )
        if self.base is not None and self.base.verdict != "same":
            told.append(f"Its base is not shown to be the same ({self.base.verdict}).")
        return " ".join(told)

    def event(self) -> ParityChecked:
        """What goes into the ledger."""
        return ParityChecked(
            verdict=self.verdict,
            endpoint=self.endpoint,
            name=self.name,
            reference=self.reference,
            adapter=self.adapter,
            acts=None if self.acts is None else self.acts.word,
            items=self.compared.items,
            asked=self.items.digest,
            tolerance=float(self.tolerance),
            largest=self.compared.largest,
            largest_probability=self.compared.largest_probability,
            alike=self.compared.alike,
            beyond=self.compared.beyond,
            most=self.compared.most,
        )

    def to_json(self) -> dict[str, Any]:
        """All numbers; no item's text and no answer to one."""
        return {
            "verdict": self.verdict,
            "said": self.said,
            "endpoint": self.endpoint,
            "name": self.name,
            "reference": self.reference,
            "adapter": self.adapter,
            "asked": self.items.digest,
            "left_out": self.left_out,
            "tolerance": self.tolerance,
            "compared": self.compared.to_json(),
            "acts": None if self.acts is None else self.acts.to_json(),
            "base": None if self.base is None else self.base.to_json(),
        }


def drawn(sets: Mapping[str, ItemSet], count: int) -> ItemSet:
    """Up to ``count`` items, of all sets in turn, by a hash of what they ask: the same each time.

    Chats are left out, since an endpoint puts them in a template of its own, and so are items
    without a prompt. Of a pair one is asked, since the other would tell little more. Raises
    InputError if none is left.
    """
    turns = [
        sorted(
            (
                replace(item, id=f"{name}/{item.id}")
                for item in items
                if not item.chat and item.prompt.strip()
            ),
            key=_order,
        )
        for name, items in sets.items()
    ]
    found: dict[object, Item] = {}
    for item in chain.from_iterable(zip_longest(*turns)):
        if item is not None and len(found) < count:
            found.setdefault(item.pair or (item.prompt, item.choices), item)
    if not found:
        raise InputError(
            "no item here can be asked of an endpoint",
            where=", ".join(sets),
            remedy="Give --probes FILE with prompts that are no chats.",
        )
    return ItemSet("parity", tuple(found.values()))


def divisors_of(model: PersonalModel) -> Callable[[ItemSet], NDArray[np.float64]]:
    """By what the plan's model divides the log-likelihoods of choices before it compares them."""
    return getattr(model, "divisors", _sums)


def _sums(items: ItemSet) -> NDArray[np.float64]:
    return lengths(items, "sum")


def ask_served(
    served: Served,
    items: ItemSet,
    told: Callable[[float], object],
    divisors: Callable[[ItemSet], NDArray[np.float64]] = _sums,
) -> ServedScores:
    """What an endpoint says of the items, one after the other.

    Args:
        served: The endpoint.
        items: What it is asked.
        told: Told the share done.
        divisors: From ``divisors_of``; lengths are those of the plan's model, whoever answers.

    Raises:
        EndpointError, InputError.
    """
    rows: list[tuple[float, ...]] = []
    kept: list[Item] = []
    for place, item in enumerate(items):
        row = served.likelihoods(item)
        if row is not None:
            rows.append(row)
            kept.append(item)
        told((place + 1) / len(items))
    if not kept:
        raise InputError(
            "in each item a token of the prompt melts into a choice",
            where="endpoint",
            remedy="Let choices begin with a blank.",
        )
    table = np.full((len(rows), max(map(len, rows))), -np.inf)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    asked = ItemSet(items.name, tuple(kept))
    answers = ItemScores(over_choices(asked, table, divisors(asked)), table)
    return ServedScores(asked, answers, len(items) - len(kept))


def ask_reference(model: PersonalModel, items: ItemSet, adapter: Adapter | None) -> ItemScores:
    """What the plan's model says; log-likelihoods too if it is a causal language model."""
    likelihoods = getattr(model, "log_likelihoods", None)
    if likelihoods is None:
        return ItemScores(model.score(items, adapter))
    table = likelihoods(items, adapter)
    return ItemScores(over_choices(items, table, divisors_of(model)(items)), table)


def check(
    model: PersonalModel,
    adapter: Adapter | None,
    asked: ServedScores,
    *,
    tolerance: float,
    endpoint: str,
    name: str | None = None,
    base: ServedScores | None = None,
) -> Parity:
    """Hold what an endpoint said against the reference.

    Args:
        model: The plan's.
        adapter: That which the endpoint is to serve, if one.
        asked: What it said.
        tolerance: In nats.
        endpoint: What is asked, for the record.
        name: The model's or adapter's name there.
        base: What the endpoint's base said, where it serves the adapter beside it.
    """
    plain = ask_reference(model, asked.items, None)
    expected = plain if adapter is None else ask_reference(model, asked.items, adapter)
    return Parity(
        items=asked.items,
        left_out=asked.left_out,
        tolerance=tolerance,
        reference=model.digest,
        adapter=None if adapter is None else adapter.digest,
        endpoint=endpoint,
        name=name,
        compared=compare(asked.items, asked.answers, expected, tolerance),
        acts=None if adapter is None else acting(asked.items, asked.answers, plain, expected),
        base=None
        if base is None
        else compare(base.items, base.answers, ask_reference(model, base.items, None), tolerance),
    )


def _order(item: Item) -> str:
    return hashlib.sha256("\0".join((item.prompt, *item.choices)).encode()).hexdigest()
