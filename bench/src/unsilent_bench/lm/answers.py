"""What a model answers to places of large sets, each once under each adapter.

Clients answer items of their own, of which many are asked of several clients. Under an adapter
that clients share, such as the reference or the global one, an answer is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unsilent.items import ItemSet, Outcomes
from unsilent.models import Adapter, PersonalModel
from unsilent.modes.base import AdapterRole

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """Items of a set, by their places."""

    items: ItemSet
    places: Places

    @property
    def subset(self) -> ItemSet:
        """The items alone."""
        return ItemSet(self.items.name, tuple(self.items.items[place] for place in self.places))


@runtime_checkable
class Some(Protocol):
    """A model that answers some items of a set of which it keeps what all adapters share."""

    def some(self, items: ItemSet, places: Places, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_places, max_choices) probabilities."""
        ...


class Answers:
    """Answers by set, adapter and place, kept until they are forgotten.

    Args:
        model: Who answers.
    """

    def __init__(self, model: PersonalModel) -> None:
        self._model = model
        self._kept: dict[tuple[str, str | None], NDArray[np.float64]] = {}

    def outcomes(self, asked: Asked, adapter: Adapter | None, role: AdapterRole) -> Outcomes:
        """The outcomes of items under an adapter; what was not yet answered is scored."""
        table = self.ask(asked, adapter)
        subset = asked.subset
        widest = max(len(item.choices) for item in subset)
        return Outcomes(subset, role, table[asked.places, :widest])

    def ask(self, asked: Asked, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) of the whole set; NaN where nothing was asked so far."""
        key = (asked.items.digest, adapter.digest if adapter else None)
        if key not in self._kept:
            widest = max(len(item.choices) for item in asked.items)
            self._kept[key] = np.full((len(asked.items), widest), np.nan)
        table = self._kept[key]
        new = asked.places[np.isnan(table[asked.places, 0])]
        if len(new):
            found = _scored(self._model, Asked(asked.items, np.unique(new)), adapter)
            table[np.unique(new)] = 0.0
            table[np.unique(new), : found.shape[1]] = found
        return table

    def forget(self, kept: Iterable[ItemSet] = ()) -> None:
        """Drop everything but what the base model answered to the sets of ``kept``."""
        stays = {(items.digest, None) for items in kept}
        self._kept = {key: table for key, table in self._kept.items() if key in stays}


def _scored(model: PersonalModel, asked: Asked, adapter: Adapter | None) -> NDArray[np.float64]:
    """(n_places, max_choices) probabilities."""
    if isinstance(model, Some):
        return model.some(asked.items, asked.places, adapter)
    return model.score(asked.subset, adapter)
