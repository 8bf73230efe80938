"""Labelled records with scores, and a plan that asks about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from unsilent.items import Item, ItemSet, Outcomes
from unsilent.performance.tally import Answered
from unsilent.plan import MonitoringPlan, parse_plan

STATISTICS: dict[str, dict[str, Any]] = {
    "sens": {"statistic": "sensitivity", "of": "positive", "by": "group", "tolerance": 0.1},
    "spec": {"statistic": "specificity", "of": "positive", "tolerance": 0.1},
    "acc": {"statistic": "accuracy", "compared": "perfect", "tolerance": 0.3},
    "auc": {"statistic": "auroc", "of": "positive", "tolerance": 0.2, "compared": "perfect"},
    "cal": {"statistic": "calibration", "tolerance": 0.2, "compared": "perfect"},
    "bal": {
        "statistic": "balanced-accuracy",
        "of": "positive",
        "by": "domain",
        "compared": "others",
        "tolerance": 0.2,
    },
}


def plan(
    *,
    statistics: dict[str, dict[str, Any]] = STATISTICS,
    clients: int = 40,
    count: int = 16,
    unit: str = "record",
    rounds: int = 2,
    monitor: dict[str, Any] | None = None,
    **performance: Any,
) -> MonitoringPlan:
    """Record unit by default, with drift of everything."""
    table = {
        "count": count,
        "classes": ["positive", "negative"],
        "groups": ["A", "B"],
        "domains": ["x", "y"],
        "sites": ["big", "small"],
        "drift": ["classes", "groups", "domains", "words"],
        "statistics": statistics,
        **performance,
    }
    privacy: dict[str, Any] = {"unit": unit, "aggregation": "secure-sum"}
    if unit != "none":
        privacy["epsilon"] = 8.0
    return parse_plan(
        {
            "federation": {"clients": clients, "held_out": count, "rounds": rounds},
            "monitor": monitor or {},
            "privacy": privacy,
            "modes": {"fairness_collapse": {"tolerance": 0.1}},
            "performance": table,
        }
    )


def items(random: np.random.Generator, size: int, name: str = "r") -> ItemSet:
    """Records of two classes, groups and domains."""
    return ItemSet(
        name,
        tuple(
            Item(
                f"{name}-{at}",
                " ".join(random.choice(["good", "bad", "fine", "so", "it", "is"], 5)) + f" {at}",
                (" negative", " Positive"),
                answer=int(random.random() < 0.5),
                group=("A", "B", None)[int(random.integers(3))],
                domain=random.choice(["x", "y", "z"]),
            )
            for at in range(size)
        ),
    )


def answered(random: np.random.Generator, of: ItemSet) -> Answered:
    """Scores that know a little, under both adapters."""

    def table() -> np.ndarray[Any, Any]:
        signs = np.array([2 * (item.answer or 0) - 1 for item in of])
        scores = 1 / (1 + np.exp(-(1.2 * signs + random.normal(size=len(of)) * 1.5)))
        return np.stack([1 - scores, scores], axis=1)

    return Answered(Outcomes(of, "reference", table()), Outcomes(of, "personalized", table()))
