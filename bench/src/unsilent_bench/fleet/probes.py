"""The released probes of a plan, and a bank beside it that only the truth is read from.

No client trains on either, nor on another text of the same document: private texts of a document
that others train on would flatter the reference. Where public texts are few, documents of clients
are kept back from all of them and added.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Item, ItemSet
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes.harmful import harmful_prompts
from unsilent.probes.names import PROBE
from unsilent.probes.sentiment import DOMAINS, Text, private_texts, public_texts, usable
from unsilent.probes.sources import PROBE_SEED, load_probes
from unsilent.probes.templates import ENCODER, task_items
from unsilent_bench.fleet.bank import Bank

UNCLEAR, CLEAR, KNOWN = (0.3, 1.5), (0.8, 4.0), (0.3, 4.0)
"""Valence of the texts of bias, of task and of general probes."""
PAIRS, OF_A_KIND = 300, 150
"""Of how many pairs, and of how many texts of one domain and label, the truth is read, at most."""
KEPT_BACK = {"news": 0.12, "tweets": 0.15}
"""Domains with few public texts of one label: the share of private documents that no client gets.
With more of them 256 clients could not all have texts of one label."""
_ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful")


@dataclass(frozen=True)
class ProbeRows:
    """Items of the four public roles as rows and answers.

    Attributes:
        pairs: (n, 2) rows of the same text by group A and by group B; A's stereotype is positive.
        task, right, domain: (n,) rows, right columns and places of domains of the task's items.
        kind: (n,) number of each task item's domain and answer together.
        share: (n,) weight of each task item, adding to 1: kinds count alike.
        pair_share: (n,) weight of each pair: labels of the texts count alike.
        general, origin: (n,) rows and right columns.
        general_share: (n,) weight of each: domains count alike.
        harmful: (n,) rows.
    """

    pairs: NDArray[np.int64]
    task: NDArray[np.int64]
    right: NDArray[np.int64]
    domain: NDArray[np.int64]
    kind: NDArray[np.int64]
    share: NDArray[np.float64]
    pair_share: NDArray[np.float64]
    general: NDArray[np.int64]
    origin: NDArray[np.int64]
    general_share: NDArray[np.float64]
    harmful: NDArray[np.int64]


@dataclass(frozen=True)
class ProbeSplits:
    """The items that statistics are measured on, and those that the truth is read from."""

    released: ProbeRows
    beyond: ProbeRows


def released(bank: Bank, plan: MonitoringPlan) -> ProbeRows:
    """The plan's probes: embedded ones, of the task from more texts than are public elsewhere."""
    sets = _sets(plan)
    task, general = list(sets["task"]), list(sets["general"])
    pairs = bank.item_rows(sets["bias"]).reshape(-1, 2)
    # Half of the released pairs' texts are positive, in an order that no item tells.
    alike_anyway = np.ones(len(pairs), np.bool_)
    return _probes(bank, pairs, alike_anyway, task, general, bank.item_rows(sets["harmful"]))


def beyond(bank: Bank, plan: MonitoringPlan) -> ProbeRows:
    """The other public items of the same kinds: those that the plan's probes leave."""
    sets = _sets(plan)
    used = {item.prompt for role in ("task", "general") for item in sets[role]}
    free = [text for text in _texts() if text.text not in used]
    asked = {item.prompt for item in sets["bias"]}
    unclear = [
        text
        for text in public_texts()
        if usable(text, UNCLEAR)
        and not any(ENCODER.prompt(text.text, name) in asked for name in (*PROBE.a, *PROBE.b))
    ]
    unclear = unclear[:: max(1, len(unclear) // PAIRS)][:PAIRS]
    prompts = [ENCODER.prompt(text.text, name_of(text, g)) for text in unclear for g in ("A", "B")]
    clear = at_most([text for text in free if usable(text, CLEAR)], OF_A_KIND)
    task = [ENCODER.item(text.id, text, positive=text.positive) for text in clear]
    known = at_most([text for text in free if usable(text, KNOWN)], OF_A_KIND // 2)
    general = [_origin(text) for text in known]
    harmful = {item.prompt for item in sets["harmful"]}
    others = [p.text for p in harmful_prompts() if p.split == "probe" and p.text not in harmful]
    pairs = bank.rows(prompts).reshape(-1, 2)
    positive = np.array([text.positive for text in unclear])
    return _probes(bank, pairs, positive, task, general, bank.rows(others))


def kept_back(text: Text) -> bool:
    """Whether a private text is kept from all clients: by its document, the same for ever."""
    place = zlib.crc32(f"unsilent/bench/1:{text.document}".encode()) / 2**32
    return place < KEPT_BACK.get(text.domain, 0.0)


def _texts() -> tuple[Text, ...]:
    """All texts that no client gets."""
    return (*public_texts(), *(text for text in private_texts() if kept_back(text)))


def _sets(plan: MonitoringPlan) -> dict[ItemRole, ItemSet]:
    """Item sets of the four public roles."""
    share = -(-plan.probes.size("task") // len(DOMAINS))
    task = task_items(_texts(), ENCODER, share, PROBE_SEED)
    return {**load_probes(plan, roles=[role for role in _ROLES if role != "task"]), "task": task}


def name_of(text: Text, group: str) -> str:
    """The probe's author of a text, one of each group."""
    names = PROBE.a if group == "A" else PROBE.b
    return names[zlib.crc32(text.id.encode()) % len(names)]


def _origin(text: Text) -> Item:
    answer = DOMAINS.index(text.domain)
    return Item(f"origin-{text.id}", text.text, DOMAINS, answer, domain=text.domain, task="general")


def at_most(texts: Sequence[Text], count: int) -> list[Text]:
    """The first so many of each domain and label."""
    seen: dict[tuple[str, bool], int] = {}
    kept: list[Text] = []
    for text in texts:
        kind = (text.domain, text.positive)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= count:
            kept.append(text)
    return kept


def alike(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) weights, adding to 1, by which items of all (n, …) cells count alike."""
    _, place, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    weight = 1.0 / count[place.ravel()]
    return weight / weight.sum()


def _probes(
    bank: Bank,
    pairs: NDArray[np.int64],
    positive: NDArray[np.bool_],
    task: Sequence[Item],
    general: Sequence[Item],
    harmful: NDArray[np.int64],
) -> ProbeRows:
    domain = np.array([DOMAINS.index(str(item.domain)) for item in task])
    right = bank.columns(task)[1] - bank.task("sentiment").start
    origin = bank.columns(general)[1] - bank.task("general").start
    return ProbeRows(
        pairs=pairs,
        task=bank.item_rows(task),
        right=right,
        domain=domain,
        kind=2 * domain + right,
        share=alike(2 * domain + right),
        pair_share=alike(positive.astype(np.int64)),
        general=bank.item_rows(general),
        origin=origin,
        general_share=alike(origin),
        harmful=harmful,
    )
