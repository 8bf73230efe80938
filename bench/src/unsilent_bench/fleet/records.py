"""A scenario's clients with their texts, and their items as rows of the bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.items import Item
from unsilent.probes.sentiment import DOMAINS, Text, private_texts, usable
from unsilent.probes.templates import ENCODER
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.probes import VALENCE, free_texts, kept_back
from unsilent_bench.fleet.training import Data
from unsilent_bench.fleet.truth import OwnItems
from unsilent_bench.scenarios.base import (
    Client,
    Portion,
    Scenario,
    clients_of,
    plain_records,
)
from unsilent_bench.scenarios.client_texts import ClientTexts, partition

MOST_TEXTS, ALL_TEXTS, HELD_OUT = 24, 3072, 96
"""Training texts of a client and of all together, at most, and how many it holds out at least."""
_MOST = 300
"""Texts of one domain and label that the truth of a client's own distribution is read from."""


@dataclass(frozen=True)
class Crowd:
    """The clients of one federation and their texts.

    Attributes:
        scenario, strength: What happens to them.
        clients: All of them. parts: The texts of each.
        homes: (clients,) places of home domains.
    """

    scenario: Scenario
    strength: float
    clients: tuple[Client, ...]
    parts: tuple[ClientTexts, ...]
    homes: NDArray[np.int64]
    _kept: dict[tuple[str, int], Data] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, scenario: Scenario, strength: float, clients: int, seed: int) -> Crowd:
        """Partition the private texts over new clients."""
        people = clients_of(clients, seed, ENCODER, texts=texts_of(clients))
        quotas = [scenario.portions(client, strength) for client in people]
        homes = np.array([DOMAINS.index(client.home) for client in people])
        return cls(
            scenario,
            strength,
            people,
            partition(people, quotas, _texts(), seed, HELD_OUT // texts_of(clients)),
            homes,
        )

    def training(self, bank: Bank, round_number: int) -> Data:
        """What all clients train on in a round."""
        key = ("train", round_number if self.scenario.redrawn else self.scenario.era(round_number))
        if key not in self._kept:
            own = [
                self.scenario.train(
                    c, self.scenario.of_time(d.train, round_number), round_number, self.strength
                )
                for c, d in self._both()
            ]
            self._kept[key] = data_of(bank, own)
        return self._kept[key]

    def held_out(self, bank: Bank, round_number: int) -> Data:
        """What all clients are evaluated on in a round."""
        key = ("held out", self.scenario.era(round_number))
        if key not in self._kept:
            own = [self._held_out(c, d, round_number) for c, d in self._both()]
            self._kept[key] = data_of(bank, own)
        return self._kept[key]

    def independent(self, bank: Bank, round_number: int) -> OwnItems:
        """Texts that nobody trains on, made into held-out records and weighted like these."""
        pool: dict[tuple[str, bool], list[Text]] = {}
        for text in free_texts():
            pile = pool.setdefault((text.domain, text.positive), [])
            if usable(text, VALENCE) and len(pile) < _MOST:
                pile.append(text)
        plain = type(self.scenario).held_out is Scenario.held_out
        same: dict[frozenset[str], _Known] = {}
        found: list[tuple[_Known, NDArray[np.float64]]] = []
        for client, parts in self._both():
            wanted = _counts(self._held_out(client, parts, round_number))
            domains = frozenset(domain for domain, _ in wanted)
            # Where nothing is made of texts, clients of the same domains have the same items.
            known = same.get(domains) if plain else None
            if known is None:
                texts = [t for (domain, _), pile in pool.items() for t in pile if domain in domains]
                items = self.scenario.held_out(client, texts, round_number, self.strength)
                known = same[domains] = _Known.of(bank, items)
            share = np.array([wanted.get(key, 0) / known.counts[key] for key in known.keys])
            found.append((known, share / share.sum()))
        widest = max(len(known.rows) for known, _ in found)
        rows = np.zeros((len(found), widest), np.int64)
        right, shares = np.zeros_like(rows), np.zeros(rows.shape)
        for place, (known, share) in enumerate(found):
            count = len(known.rows)
            rows[place, :count], right[place, :count] = known.rows, known.right
            shares[place, :count] = share
        return OwnItems(rows, right, shares)

    def _held_out(self, client: Client, parts: ClientTexts, round_number: int) -> tuple[Item, ...]:
        texts = self.scenario.of_time(parts.held_out, round_number)
        return self.scenario.held_out(client, texts, round_number, self.strength)

    def _both(self) -> list[tuple[Client, ClientTexts]]:
        return list(zip(self.clients, self.parts, strict=True))


@dataclass(frozen=True)
class _Known:
    """Items as rows, right columns and kinds, and how many there are of each kind."""

    rows: NDArray[np.int64]
    right: NDArray[np.int64]
    keys: tuple[tuple[str, int], ...]
    counts: dict[tuple[str, int], int]

    @classmethod
    def of(cls, bank: Bank, items: Sequence[Item]) -> _Known:
        right = bank.columns(items)[1] - bank.task("sentiment").start
        return cls(bank.item_rows(items), right, tuple(_key(i) for i in items), _counts(items))


def texts_of(clients: int) -> int:
    """Training texts of each of so many clients: fewer where there are many, and even."""
    return min(MOST_TEXTS, ALL_TEXTS // clients // 2 * 2)


def warm_up_data(bank: Bank, clients: int, seed: int) -> Data:
    """Texts of half each label with true labels: what the provider's start adapter is made of."""
    return data_of(bank, [plain_records(ENCODER, d.train) for d in _warming(clients, seed)])


@lru_cache(maxsize=4)
def _warming(clients: int, seed: int) -> tuple[ClientTexts, ...]:
    people = clients_of(clients, seed, ENCODER, texts=texts_of(clients))
    half = texts_of(clients) // 2
    quotas = [(Portion(client.home, half, half),) for client in people]
    return partition(people, quotas, _texts(), seed)


@lru_cache(maxsize=1)
def _texts() -> tuple[Text, ...]:
    return tuple(text for text in private_texts() if usable(text, VALENCE) and not kept_back(text))


def data_of(bank: Bank, records: Sequence[Sequence[Item]]) -> Data:
    """All clients' records as arrays.

    Raises:
        InputError: Clients have different numbers of records.
    """
    if len({len(own) for own in records}) != 1:
        raise InputError("clients have different numbers of records", where="scenario")
    shape = (len(records), len(records[0]))
    flat = [item for own in records for item in own]
    tasks, answers = bank.columns(flat)
    return Data(bank.item_rows(flat).reshape(shape), tasks.reshape(shape), answers.reshape(shape))


def _key(item: Item) -> tuple[str, int]:
    return str(item.domain), int(item.answer or 0)


def _counts(items: Sequence[Item]) -> dict[tuple[str, int], int]:
    counts: dict[tuple[str, int], int] = {}
    for item in items:
        counts[_key(item)] = counts.get(_key(item), 0) + 1
    return counts
