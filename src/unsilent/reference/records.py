"""The clients of the reference federation: real people's texts as forced-choice records.

Four domains of sentiment texts are split over the clients by document. Labels stay true to the
text. A group cue names who wrote it; its skew lies in who wrote what, never in the label.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from unsilent.errors import PlanError
from unsilent.items import ItemSet
from unsilent.plan import FederationPlan, MonitoringPlan
from unsilent.probes.names import TRAIN
from unsilent.probes.sentiment import DOMAINS, Text, private_texts, usable
from unsilent.probes.templates import STYLES, Style
from unsilent.reference.partition import Partition, Quota, by_document

GROUPS = ("A", "B")
"""Stereotype of the simulated skew: group A writes positive texts, group B negative ones."""


@dataclass(frozen=True)
class ClientRecords:
    """One client's private data. Never leaves the client.

    Attributes:
        train: Records it trains on.
        held_out: Records it is evaluated on: other texts of the same distribution.
        home_domain: The domain that ``home_share`` of the records come from.
        documents: Ids of the documents (or single texts) that are this client's alone, sorted.
    """

    train: ItemSet
    held_out: ItemSet
    home_domain: str
    documents: tuple[str, ...]


def check_kind(plan: MonitoringPlan) -> None:
    """Raise PlanError for a plan whose model is not asked texts: the records here are."""
    if plan.model.kind not in STYLES:
        raise PlanError(
            "the reference federation's records are texts, which this kind of model is not asked",
            where="model.kind",
            remedy="Run the plan in an app of your own, as examples/vision does.",
        )


def client_records(plan: MonitoringPlan, index: int) -> ClientRecords:
    """The records of client ``index``; the same for the same (plan, index), disjoint between two.

    Args:
        plan: Its seed, model kind and federation section decide everything.
        index: From 0 to ``plan.federation.clients - 1``; the home domain is index mod 4.

    Raises:
        PlanError: No such client, or the plan asks for more texts than the data holds; names the
            key and how many there are.
    """
    check_kind(plan)
    federation = plan.federation
    if not 0 <= index < federation.clients:
        raise PlanError(
            f"there is no client {index}",
            where="federation.clients",
            remedy=f"Clients are numbered from 0 to {federation.clients - 1}.",
        )
    partition = _partitions(_demand(federation), plan.seed)[index]
    rng = np.random.default_rng([plan.seed, index, 0xC11E])
    looks = STYLES[plan.model.kind]
    train, held_out = _split(partition, _quotas(federation, index), rng)
    return ClientRecords(
        train=_records(f"client-{index}-train", train, federation, looks, rng),
        held_out=_records(f"client-{index}-held-out", held_out, federation, looks, rng),
        home_domain=_home(index),
        documents=tuple(sorted({text.document for text in partition.home + partition.away})),
    )


def _home(index: int) -> str:
    return DOMAINS[index % len(DOMAINS)]


def _quotas(federation: FederationPlan, index: int) -> tuple[Quota, Quota]:
    """Training and held-out counts. Label skew alternates among the clients of one domain."""
    sign = 1 if (index // len(DOMAINS)) % 2 == 0 else -1
    share = min(1.0, max(0.0, federation.positive_share + sign * federation.label_skew))
    quotas = []
    for size in (federation.records, federation.held_out):
        positive = _round(size * share)
        home = _round(size * federation.home_share)
        home_positive = min(positive, home, max(_round(home * share), home - (size - positive)))
        quotas.append(
            Quota(
                _home(index),
                home_positive,
                home - home_positive,
                positive - home_positive,
                size - home - (positive - home_positive),
            )
        )
    return quotas[0], quotas[1]


def _round(value: float) -> int:
    """Nearest integer, halves up; a hair of tolerance hides binary fractions."""
    return math.floor(value + 0.5 + 1e-9)


@dataclass(frozen=True)
class _Demand:
    """What decides the allocation: plans that differ elsewhere share one."""

    quotas: tuple[Quota, ...]
    valence: tuple[float, float]


def _demand(federation: FederationPlan) -> _Demand:
    each = (_quotas(federation, index) for index in range(federation.clients))
    quotas = tuple(train + held_out for train, held_out in each)
    return _Demand(quotas, federation.valence)


@lru_cache(maxsize=2)
def _partitions(demand: _Demand, seed: int) -> tuple[Partition, ...]:
    return by_document(_texts(demand.valence), demand.quotas, seed=seed)


def _texts(valence: tuple[float, float]) -> list[Text]:
    return [text for text in private_texts() if usable(text, valence)]


def _split(
    partition: Partition, quotas: tuple[Quota, Quota], rng: np.random.Generator
) -> tuple[list[Text], list[Text]]:
    """Training and held-out texts, each with its own exact quota, in random order."""
    train: list[Text] = []
    held_out: list[Text] = []
    first = quotas[0]
    parts = (
        (partition.home, True, first.home_positive),
        (partition.home, False, first.home_negative),
        (partition.away, True, first.away_positive),
        (partition.away, False, first.away_negative),
    )
    for texts, positive, count in parts:
        pool = [text for text in texts if text.positive == positive]
        order = [pool[i] for i in rng.permutation(len(pool))]
        train += order[:count]
        held_out += order[count:]
    return (
        [train[i] for i in rng.permutation(len(train))],
        [held_out[i] for i in rng.permutation(len(held_out))],
    )


def _records(
    name: str,
    texts: Sequence[Text],
    federation: FederationPlan,
    looks: Style,
    rng: np.random.Generator,
) -> ItemSet:
    """Texts as items, a share of them with the name of the person who wrote it."""
    groups = _groups([text.positive for text in texts], federation, rng)
    items = [
        looks.item(
            text.id,
            text,
            positive=text.positive,
            name=None if group is None else _name(text, group),
            group=group,
        )
        for text, group in zip(texts, groups, strict=True)
    ]
    return ItemSet(name, tuple(items))


def _name(text: Text, group: str) -> str:
    """A text's author is the same in every plan and seed, so that what is cached serves again."""
    names = TRAIN.a if group == "A" else TRAIN.b
    return names[zlib.crc32(text.id.encode()) % len(names)]


def _groups(
    positive: Sequence[bool], federation: FederationPlan, rng: np.random.Generator
) -> list[str | None]:
    """Who wrote each text: None for no name, else A or B.

    Counts are exact up to one record for each label, so that a small client has the skew of the
    plan: ``group_share`` of the texts of each label are named, and ``group_skew`` of these by the
    group that the label's stereotype names.
    """
    groups: list[str | None] = [None] * len(positive)
    for label in (True, False):
        rows = [i for i, is_positive in enumerate(positive) if is_positive == label]
        rows = [rows[i] for i in rng.permutation(len(rows))]
        named = math.floor(len(rows) * federation.group_share + rng.random())
        typical = math.floor(named * federation.group_skew + rng.random())
        expected, other = GROUPS if label else GROUPS[::-1]
        for place, row in enumerate(rows[:named]):
            groups[row] = expected if place < typical else other
    return groups
