"""The six silent failure modes, their layers and the paper's influence graph.

The only place that names them. Source: Oh and Bui, *Silent Failures in Federated
Personalization of Foundation Models*, KDD 2026, arXiv:2606.00947. The codes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["data", "model", "system"]
InfluenceKind = Literal["primary", "feedback"]


@dataclass(frozen=True)
class SilentFailure:
    """One entry of the taxonomy: a stable code, a mode, its layer and what goes wrong."""

    code: str
    mode: str
    layer: Layer
    title: str
    what: str


@dataclass(frozen=True)
class Influence:
    """An arrow of the paper's figure. Influence, not guarantee."""

    source: str
    target: str
    kind: InfluenceKind


SILENT_FAILURES: tuple[SilentFailure, ...] = (
    SilentFailure(
        "SF-1",
        "amplified_bias",
        "data",
        "Amplified bias",
        "Personalizing on skewed local data makes disparities between groups larger.",
    ),
    SilentFailure(
        "SF-2",
        "confidence_miscalibration",
        "data",
        "Confidence miscalibration",
        "Confidence and accuracy part ways; aggregation hides locally overconfident clients.",
    ),
    SilentFailure(
        "SF-3",
        "fairness_collapse",
        "model",
        "Fairness collapse",
        "Aggregating adapters of divergent clients widens the performance gap between clients.",
    ),
    SilentFailure(
        "SF-4",
        "adaptation_misalignment",
        "model",
        "Adaptation misalignment",
        "Overfitting a narrow local objective costs general ability and safety within one round.",
    ),
    SilentFailure(
        "SF-5",
        "out_of_domain_degradation",
        "system",
        "Out-of-domain degradation",
        "Over-specializing to the local domain weakens generalization beyond it.",
    ),
    SilentFailure(
        "SF-6",
        "alignment_erosion",
        "system",
        "Alignment erosion",
        "Small losses of safety in each round add up over rounds and stay hidden.",
    ),
)

INFLUENCES: tuple[Influence, ...] = (
    Influence("SF-1", "SF-2", "primary"),
    Influence("SF-1", "SF-3", "primary"),
    Influence("SF-2", "SF-4", "primary"),
    Influence("SF-2", "SF-5", "primary"),
    Influence("SF-3", "SF-6", "primary"),
    Influence("SF-5", "SF-6", "primary"),
    Influence("SF-3", "SF-4", "feedback"),
    Influence("SF-4", "SF-6", "feedback"),
    Influence("SF-6", "SF-1", "feedback"),
)

CODES: tuple[str, ...] = tuple(failure.code for failure in SILENT_FAILURES)
_BY_CODE = {failure.code: failure for failure in SILENT_FAILURES}
_BY_MODE = {failure.mode: failure for failure in SILENT_FAILURES}


def by_code(code: str) -> SilentFailure:
    """The entry of a code such as ``"SF-1"``. Raises KeyError for an unknown one."""
    return _BY_CODE[code]


def by_mode(mode: str) -> SilentFailure:
    """The entry of a mode such as ``"amplified_bias"``. Raises KeyError for an unknown one."""
    return _BY_MODE[mode]
