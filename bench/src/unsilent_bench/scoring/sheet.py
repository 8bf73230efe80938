"""All scores that a set's items allow, in one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unsilent.items import Item, Outcomes
from unsilent.probes.templates import PARAPHRASE_OF
from unsilent_bench.scoring.accuracy import accuracy
from unsilent_bench.scoring.bbq import bbq_scores
from unsilent_bench.scoring.consistency import consistency
from unsilent_bench.scoring.crows_pairs import crows_pairs_scores
from unsilent_bench.scoring.lead import stereotype_lead
from unsilent_bench.scoring.stereoset import stereoset_scores

_SCORES: dict[str, tuple[Callable[[Item], bool], Callable[[Outcomes], Any]]] = {
    "accuracy": (lambda item: item.answer is not None, accuracy),
    "bbq": (lambda item: {"condition", "polarity"} <= set(item.attributes), bbq_scores),
    "stereoset": (lambda item: "antistereotype" in item.attributes, stereoset_scores),
    "crows_pairs": (lambda item: "direction" in item.attributes, crows_pairs_scores),
    "stereotype_lead": (
        lambda item: item.pair is not None and item.stereotyped is not None,
        stereotype_lead,
    ),
    "consistency": (lambda item: PARAPHRASE_OF in item.attributes, consistency),
}


def score_sheet(outcomes: Outcomes) -> dict[str, Any]:
    """Every score that all items have the fields for, by name, as JSON-ready data.

    Raises ItemError where an item has some of a score's fields and lacks others.
    """
    return {
        name: score(outcomes).to_json()
        for name, (fits, score) in _SCORES.items()
        if all(fits(item) for item in outcomes.items)
    }
