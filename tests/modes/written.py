"""What tests of open text share: prompts, labelled answers, and ratings of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes._written import WrittenMode
from unsilent.modes.base import Evidence, Need
from unsilent.open_text.kinds import CHOICES, RUBRIC, TEXT, kind_of


def prompts(mode: WrittenMode, n: int) -> ItemSet:
    """n prompts; of a mode that compares groups they are n / 2 pairs."""
    rubric = {RUBRIC: kind_of(mode.asked).name}
    pairs = mode.code == "OT-1"
    return ItemSet(
        mode.asked,
        tuple(
            Item(
                f"i{k}",
                f"prompt {k}",
                CHOICES,
                stereotyped=k % 2 if pairs else None,
                pair=f"p{k // 2}" if pairs else None,
                chat=True,
                attributes=rubric,
            )
            for k in range(n)
        ),
    )


def answers(mode: WrittenMode, labels: dict[str, Sequence[bool]]) -> ItemSet:
    """Labelled answers by kind."""
    rubric = kind_of(mode.asked).name
    return ItemSet(
        mode.labelled,
        tuple(
            Item(
                f"{kind} {k}",
                "prompt",
                CHOICES,
                answer=int(label),
                domain=kind,
                chat=True,
                attributes={RUBRIC: rubric, TEXT: f"answer {k}"},
            )
            for kind, own in labels.items()
            for k, label in enumerate(own)
        ),
    )


def rated(items: ItemSet, shown: Sequence[float], adapter: str = "reference") -> Outcomes:
    """A judge's ratings as outcomes."""
    yes = np.asarray(shown, dtype=np.float64)
    return Outcomes(items, adapter, np.stack([1 - yes, yes], axis=1))


def evidence(
    mode: WrittenMode,
    reference: Sequence[float],
    personalized: Sequence[float],
    labelled: tuple[ItemSet, Sequence[float]] | None = None,
) -> Evidence:
    """What one client has: ratings under both adapters, and of labelled answers."""
    items = prompts(mode, len(reference))
    found = {
        Need("reference", mode.asked): rated(items, reference),
        Need("personalized", mode.asked): rated(items, personalized, "personalized"),
    }
    if labelled is not None:
        found[Need("reference", mode.labelled)] = rated(*labelled)
    return Evidence(found)
