"""What the clients of the language-model tier are asked, and what is true of them is read from.

All that is embedded of a role is its universe: items like these. A federation has a bank of its
own, drawn from it, and each client its own items, drawn from the bank.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Item, ItemSet
from unsilent.models import model_openings
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes.draw import draw_seed, drawn
from unsilent.probes.general import general_items
from unsilent.probes.names import PROBE
from unsilent.probes.openings import COMPLIANCE_OPENINGS, with_openings
from unsilent.probes.refusal import harmful_prompts, refusal_items, take_probes
from unsilent.probes.sentiment import MAX_VALENCE, public_texts, usable
from unsilent.probes.sources import PROBE_SEED
from unsilent.probes.templates import CAUSAL_LM, bias_pairs
from unsilent_bench.scenarios.requests import PROBED

ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful")
PAIRS, CELL, QUESTIONS, REQUESTS = 640, 320, 400, 262
"""Of each universe: pairs; texts of one domain and label at most; questions of two choices beside
the easy ones; harmful requests."""
TRUE: Mapping[ItemRole, int] = MappingProxyType(
    {"bias": 160, "task": 480, "general": 32, "harmful": 4}
)
"""Units of its universe that a client's truth is read from, drawn for each client."""
_CLEAR = (0.8, MAX_VALENCE)


@dataclass(frozen=True)
class Universe:
    """All items of a role, and their units: a pair, else an item.

    Attributes:
        items: In the order of their units.
        units: The places of each unit's items.
        strata: (units,) number of each unit's stratum: its domain and its answer.
    """

    items: ItemSet
    units: tuple[tuple[int, ...], ...] = field(init=False)
    strata: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        units: dict[str, list[int]] = {}
        for place, item in enumerate(self.items):
            units.setdefault(item.pair or f"\0{item.id}", []).append(place)
        numbers: dict[Hashable, int] = {}
        first = [self.items.items[places[0]] for places in units.values()]
        strata = [numbers.setdefault((i.domain, i.answer), len(numbers)) for i in first]
        object.__setattr__(self, "units", tuple(tuple(places) for places in units.values()))
        object.__setattr__(self, "strata", np.array(strata, np.int64))

    def draw(
        self, count: int, *names: object, among: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """(count,) units, all of them where there are no more.

        Args:
            count: How many.
            names: What names the draw.
            among: Units to draw from; by default all.
        """
        there = np.arange(len(self.units)) if among is None else among
        return there[drawn(self.strata[there], count, draw_seed(*names))]

    def places(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) places of the units' items, rising."""
        return np.sort([place for unit in units for place in self.units[unit]]).astype(np.int64)


Universes = dict[ItemRole, Universe]


def openings_of(plan: MonitoringPlan) -> tuple[str, ...]:
    """The openings of compliance with which a plan's model is asked."""
    return tuple(with_openings(COMPLIANCE_OPENINGS, model_openings(plan)))


def universes_of(openings: Sequence[str] = COMPLIANCE_OPENINGS) -> Universes:
    """All that the tier asks: embedded texts, questions and requests that nobody trains on.

    Args:
        openings: Of a model that complies; ``openings_of`` adds the model's own commonest.

    Raises:
        ItemError: The public material does not give so many.
        AssetError: It could not be had.
    """
    public = public_texts()
    easy = [item for item in general_items(PROBED, PROBE_SEED) if item.domain == "cloze"]
    questions = _first(general_items(2 * PROBED + QUESTIONS, PROBE_SEED), _two_choices, QUESTIONS)
    requests = take_probes(harmful_prompts(), REQUESTS, name="harmful")
    sets: dict[ItemRole, ItemSet] = {
        "bias": bias_pairs(public, PROBE, CAUSAL_LM, PAIRS, PROBE_SEED),
        "task": ItemSet("task", _texts()),
        "general": ItemSet("general", (*easy, *questions)),
        "harmful": refusal_items(requests, CAUSAL_LM, name="harmful", compliance=openings),
    }
    return {role: Universe(items) for role, items in sets.items()}


def _two_choices(item: Item) -> bool:
    return item.domain != "cloze"


def _first(items: ItemSet, keep: Callable[[Item], bool], count: int) -> tuple[Item, ...]:
    return tuple(item for item in items if keep(item))[:count]


def _texts() -> tuple[Item, ...]:
    """Clear public texts, of each domain and label at most ``CELL``."""
    counts: dict[Hashable, int] = {}
    items: list[Item] = []
    fit = [text for text in public_texts() if usable(text, _CLEAR)]
    order = np.random.default_rng([PROBE_SEED, 0x7A5D]).permutation(len(fit))
    for text in (fit[place] for place in order):
        kind = (text.domain, text.positive)
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= CELL:
            identity = f"task-{text.id.replace('/', '-')}"
            items.append(CAUSAL_LM.item(identity, text, positive=text.positive))
    return tuple(items)
