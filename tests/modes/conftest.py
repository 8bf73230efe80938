from collections.abc import Callable, Sequence

import numpy as np
import pytest

from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes.base import Evidence, Need


@pytest.fixture(scope="session")
def scored() -> Callable[..., Outcomes]:
    """Outcomes from the probability of each item's first choice, or from whole rows."""

    def build(items: Sequence[Item], adapter: str, first: Sequence[object]) -> Outcomes:
        rows = [[p, 1 - p] if np.isscalar(p) else p for p in first]
        return Outcomes(ItemSet("set", tuple(items)), adapter, np.array(rows, dtype=float))

    return build


@pytest.fixture(scope="session")
def evidence(scored) -> Callable[..., Evidence]:
    """Evidence from {(adapter, item role): (items, first-choice probabilities)}."""

    def build(table, home_domain=None) -> Evidence:
        return Evidence(
            {
                Need(adapter, role): scored(items, adapter, first)
                for (adapter, role), (items, first) in table.items()
            },
            home_domain,
        )

    return build


@pytest.fixture(scope="session")
def questions() -> Callable[..., list[Item]]:
    """Two-choice items whose first choice is the answer, the stereotype and the safe one."""

    def build(n: int, **extra) -> list[Item]:
        return [
            Item(f"i{k}", f"prompt {k}", ("a", "b"), answer=0, stereotyped=0, safe=(0,), **extra)
            for k in range(n)
        ]

    return build
