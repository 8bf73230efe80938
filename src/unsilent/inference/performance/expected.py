"""Expected: the counts that a question would rest on, if records came as is to be assumed.

What is assumed stands in one place, and ``plan check`` says it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from unsilent.performance.cells import Question
from unsilent.performance.family import GAINED, LOST, RIGHT, SQUARE, SUPPORT, Family
from unsilent.performance.tally import score_edges
from unsilent.plan import MonitoringPlan

ERROR = 0.2
"""Share of wrong answers, and 1 - AUROC, of what is compared with."""
CALIBRATION = 0.05
"""Its calibration error."""
CHURN = 0.05
"""Share of records that are lost, and gained, without an effect."""
_BRIER = 0.16
_SCORE_SD = 1.5
"""Of the scores' logits, within a class."""


def top_of(question: Question) -> float:
    """The largest effect."""
    asked = question.asked
    if asked.compared == "perfect":
        return 1.0
    return 1 - (CALIBRATION if asked.statistic == "calibration" else ERROR)


def records_of(plan: MonitoringPlan, question: Question) -> float:
    """Records a round that a question is expected to rest on: of several parts the fewest."""
    found: list[float] = []
    for family in question.families(question.group):
        if family.what == "scores":
            found += [_of_group(plan, family) * share for share in _split(plan)]
        else:
            found.append(_whole(plan, family))
    return min(found)


def expected_counts(plan: MonitoringPlan, question: Question, effect: float) -> dict[str, float]:
    """What a round's sum is expected to hold for a question, by coordinate, in records.

    Args:
        plan: Its clients, who all take part, each with as many records as the plan says.
        question: The question.
        effect: In its group; other groups have none.
    """
    asked, performance = question.asked, plan.performance
    groups: list[str | None] = [question.group]
    if asked.compared == "others" and performance is not None:
        groups = [*performance.values(asked.by)]
    found: dict[str, float] = {}
    for group in groups:
        own = effect if group == question.group else 0.0
        for family in question.families(group):
            if family.what == "scores":
                found |= _scores(plan, family, _worse(family, asked.compared, own, ERROR))
            elif family.what == "gaps":
                found |= _gaps(plan, family, _worse(family, asked.compared, own, CALIBRATION))
            else:
                found |= _answers(plan, family, asked.compared, own)
    return found


def _worse(family: Family, compared: str, effect: float, usual: float) -> float:
    """How far an adapter is from perfect."""
    if compared == "perfect":
        return effect
    return usual if family.adapter == "reference" else usual + effect


def _answers(
    plan: MonitoringPlan, family: Family, compared: str, effect: float
) -> dict[str, float]:
    whole = _whole(plan, family)
    wrong = min(effect if compared == "perfect" else ERROR + effect, 1.0)
    told = {
        SUPPORT: 1.0,
        RIGHT: 1 - wrong,
        LOST: min(max(effect, 0.0) + CHURN, 1.0),
        GAINED: min(max(-effect, 0.0) + CHURN, ERROR),
    }
    return {family.name(part): whole * told[part] for part in family.fields}


def _scores(plan: MonitoringPlan, family: Family, worse: float) -> dict[str, float]:
    apart = _SCORE_SD * math.sqrt(2) * float(ndtri(min(max(1 - worse, 1e-6), 1 - 1e-6)))
    edges = score_edges(family.bins)
    logits = np.log(edges / (1 - edges))
    found: dict[str, float] = {}
    for side, share, mean in zip(("in", "out"), _split(plan), (apart / 2, -apart / 2), strict=True):
        below = np.concatenate(([0.0], ndtr((logits - mean) / _SCORE_SD), [1.0]))
        counts = share * _of_group(plan, family) * np.diff(below)
        found |= {family.name(f"{side}.{at}"): float(each) for at, each in enumerate(counts)}
    return found


def _gaps(plan: MonitoringPlan, family: Family, error: float) -> dict[str, float]:
    whole = _of_group(plan, family)
    found = {family.name(SUPPORT): whole, family.name(SQUARE): _BRIER * whole}
    each = min(error, 1.0) * whole / family.bins
    return found | {family.name(f"gap.{at}"): each for at in range(family.bins)}


def _whole(plan: MonitoringPlan, family: Family) -> float:
    """Records that a family of answers counts."""
    own, others = _split(plan)
    share = {"sensitivity": own, "specificity": others}.get(family.what, 1.0)
    return share * _of_group(plan, family)


def _split(plan: MonitoringPlan) -> tuple[float, float]:
    """Shares of records of a class, and of the others."""
    classes = len(plan.performance.classes) if plan.performance else 0
    return 1 / max(classes, 2), 1 - 1 / max(classes, 2)


def _of_group(plan: MonitoringPlan, family: Family) -> float:
    """Records of a group, of all classes."""
    performance = plan.performance
    if performance is None:
        return 0.0
    values = performance.values(family.by)
    own = performance.count
    if family.records == "held-out":
        own = min(own, plan.federation.held_out)
    return plan.taking_part * own / max(len(values), 1)
