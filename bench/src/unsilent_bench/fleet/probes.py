"""The public items that a federation can be asked: its bank, what clients draw, what lies beyond.

No client trains on any of them, nor on another text of the same document: private texts of a
document that others train on would flatter the reference. Where public texts are few, documents of
clients are kept back from all of them and added.

All such items together are the universe. Each federation draws its own bank from it, a good half
of each stratum. So what a bank has by chance differs from seed to seed, and no two of them are
wrong in the same way. The truth is of items like these, see ``truth.together``.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.items import Item
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes.draw import draw_seed, drawn
from unsilent.probes.harmful import harmful_prompts
from unsilent.probes.names import PROBE
from unsilent.probes.sentiment import DOMAINS, Text, private_texts, public_texts, usable
from unsilent.probes.templates import ENCODER
from unsilent_bench.fleet.bank import Bank

UNCLEAR, VALENCE = (0.3, 1.5), (0.3, 4.0)
"""Valence of the texts of bias probes, and of all others: that of clients' own texts."""
KEPT_BACK = {"film": 0.42, "news": 0.45, "tweets": 0.5, "product": 0.45}
"""The share of each domain's private documents that no client gets, so that banks hold thousands.
With more of them the clients of a home could not all have texts of one label."""
MOST_BEYOND = 400
"""Units of each role beyond a bank that its truth is read from, at most: each costs time."""
ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful")


@dataclass(frozen=True)
class ProbeRows:
    """Items of the four public roles as rows and answers.

    Of a bank they lie in one axis of n units, which differs by role. Of what clients draw there is
    an axis of clients before it.

    Attributes:
        pairs: (…, n, 2) rows of the same text by group A and by group B; A's stereotype is
            positive.
        pair_kind: (…, n) number of each pair's domain and its text's label together.
        task, right, domain: (…, n) rows, right columns and places of domains of the task's items.
        general, origin: (…, n) rows and right columns.
        harmful, harm: (…, n) rows, and number of what each is about.
    """

    pairs: NDArray[np.int64]
    pair_kind: NDArray[np.int64]
    task: NDArray[np.int64]
    right: NDArray[np.int64]
    domain: NDArray[np.int64]
    general: NDArray[np.int64]
    origin: NDArray[np.int64]
    harmful: NDArray[np.int64]
    harm: NDArray[np.int64]

    @property
    def kind(self) -> NDArray[np.int64]:
        """(…, n) number of each task item's domain and answer together."""
        return 2 * self.domain + self.right

    def strata(self, role: ItemRole) -> NDArray[np.int64]:
        """(n,) stratum of each unit of a role."""
        return {
            "bias": self.pair_kind,
            "task": self.kind,
            "general": self.origin,
            "harmful": self.harm,
        }[role]

    def take(self, chosen: Mapping[ItemRole, NDArray[np.int64]]) -> ProbeRows:
        """The units at these places of each role, which have the shape of the places."""
        bias, task, general, harmful = (chosen[role] for role in ROLES)
        return ProbeRows(
            pairs=self.pairs[bias],
            pair_kind=self.pair_kind[bias],
            task=self.task[task],
            right=self.right[task],
            domain=self.domain[task],
            general=self.general[general],
            origin=self.origin[general],
            harmful=self.harmful[harmful],
            harm=self.harm[harmful],
        )


@dataclass(frozen=True)
class Asked:
    """What one federation's clients can be asked, and what its truth is read from besides.

    Attributes:
        bank: The units that clients draw from. beyond: All others.
        sizes: Units of each role that a client draws in a round.
        seed: The federation's. Draws do not depend on the plan's weights and tolerances, which may
            be tuned on what was recorded.
    """

    bank: ProbeRows
    beyond: ProbeRows
    sizes: Mapping[ItemRole, int]
    seed: int
    _drawn: dict[tuple[int, int], dict[ItemRole, NDArray[np.int64]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def of_round(self, clients: int, round_number: int) -> dict[ItemRole, NDArray[np.int64]]:
        """By role the (clients, n) places in the bank of what each client draws in a round."""

        def one(client: int, role: ItemRole) -> NDArray[np.int64]:
            seed = draw_seed("unsilent/bench", self.seed, client, round_number, role)
            return drawn(self.bank.strata(role), self.sizes[role], seed)

        key = (clients, round_number)
        if key not in self._drawn:
            self._drawn[key] = {
                role: np.stack([one(c, role) for c in range(clients)]) for role in ROLES
            }
        return self._drawn[key]


def asked(universe: ProbeRows, plan: MonitoringPlan, seed: int) -> Asked:
    """A federation's own bank, and what its clients draw from it.

    Args:
        universe: All public items.
        plan: Says how many units a bank holds, and how many of them a client answers.
        seed: The federation's.

    Raises:
        InputError: The universe has no more units than the bank shall hold.
    """
    inside: dict[ItemRole, NDArray[np.int64]] = {}
    outside: dict[ItemRole, NDArray[np.int64]] = {}
    for role in ROLES:
        strata, count = universe.strata(role), plan.bank(role)
        if count >= len(strata):
            raise InputError(
                f"{len(strata)} {role} units do not leave any beyond a bank of {count}",
                where=f"probes.banks.{role}",
                remedy="Plan a smaller bank.",
            )
        inside[role] = drawn(strata, count, draw_seed("unsilent/bench/bank", seed, role))
        left = np.setdiff1d(np.arange(len(strata)), inside[role])
        few = draw_seed("unsilent/bench/beyond", seed, role)
        outside[role] = left[drawn(strata[left], MOST_BEYOND, few)]
    sizes: dict[ItemRole, int] = {role: plan.probes.size(role) for role in ROLES}
    return Asked(universe.take(inside), universe.take(outside), sizes, seed)


def universe(bank: Bank) -> ProbeRows:
    """All public items, as many of each stratum as the texts allow, none of much more weight."""
    texts = [text for text in free_texts() if usable(text, VALENCE)]
    unclear = [text for text in texts if usable(text, UNCLEAR)]
    clear = evenly(texts, [(text.domain, text.positive) for text in texts])
    known = evenly(texts, [text.domain for text in texts])
    prompts = [ENCODER.prompt(text.text, name_of(text, g)) for text in unclear for g in ("A", "B")]
    task = [ENCODER.item(text.id, text, positive=text.positive) for text in clear]
    general = [_origin(text) for text in known]
    requests = [prompt for prompt in harmful_prompts() if prompt.split == "probe"]
    harms = sorted({prompt.category for prompt in requests})
    return ProbeRows(
        pairs=bank.rows(prompts).reshape(-1, 2),
        pair_kind=np.array([2 * DOMAINS.index(t.domain) + int(not t.positive) for t in unclear]),
        task=bank.item_rows(task),
        right=bank.columns(task)[1] - bank.task("sentiment").start,
        domain=np.array([DOMAINS.index(text.domain) for text in clear]),
        general=bank.item_rows(general),
        origin=bank.columns(general)[1] - bank.task("general").start,
        harmful=bank.rows([prompt.text for prompt in requests]),
        harm=np.array([harms.index(prompt.category) for prompt in requests]),
    )


def kept_back(text: Text) -> bool:
    """Whether a private text is kept from all clients: by its document, the same for ever."""
    place = zlib.crc32(f"unsilent/bench/1:{text.document}".encode()) / 2**32
    return place < KEPT_BACK.get(text.domain, 0.0)


@lru_cache(maxsize=1)
def free_texts() -> tuple[Text, ...]:
    """All texts that no client gets."""
    return (*public_texts(), *(text for text in private_texts() if kept_back(text)))


def name_of(text: Text, group: str) -> str:
    """The probe's author of a text, one of each group."""
    names = PROBE.a if group == "A" else PROBE.b
    return names[zlib.crc32(text.id.encode()) % len(names)]


def evenly(texts: Sequence[Text], strata: Sequence[object]) -> list[Text]:
    """The first texts of each stratum, at most an eighth more than the scarcest has."""
    counts: dict[object, int] = {}
    for each in strata:
        counts[each] = counts.get(each, 0) + 1
    most = 9 * min(counts.values(), default=0) // 8
    seen: dict[object, int] = {}
    kept: list[Text] = []
    for text, stratum in zip(texts, strata, strict=True):
        seen[stratum] = seen.get(stratum, 0) + 1
        if seen[stratum] <= most:
            kept.append(text)
    return kept


def _origin(text: Text) -> Item:
    answer = DOMAINS.index(text.domain)
    return Item(f"origin-{text.id}", text.text, DOMAINS, answer, domain=text.domain, task="general")
