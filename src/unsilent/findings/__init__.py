"""Findings: the one thing that all outputs are made of, and their published JSON form.

``findings.json`` follows ``schema/findings-1.json`` (JSON Schema, draft 2020-12), or with further
modes ``findings-2.json``, and without differential privacy ``findings-3.json``; all ship with the
package. It holds no timestamp and its numbers are rounded, so that the same seed and the same plan
give the same bytes.
"""

from unsilent.findings.finding import (
    DIGITS,
    ActiveInfluence,
    Finding,
    Interval,
    Onset,
    Oracle,
    Slope,
    Subgroup,
    Verdict,
    Visibility,
    Window,
)
from unsilent.findings.performance import Drift, PerformanceFinding
from unsilent.findings.whole import (
    Findings,
    HistoryEntry,
    HistoryRound,
    PlanVersion,
    PrivacySummary,
    SystemMetrics,
    Trend,
    read_findings,
    write_findings,
)
from unsilent.schema import validate

__all__ = [
    "DIGITS",
    "ActiveInfluence",
    "Drift",
    "Finding",
    "Findings",
    "HistoryEntry",
    "HistoryRound",
    "Interval",
    "Onset",
    "Oracle",
    "PerformanceFinding",
    "PlanVersion",
    "PrivacySummary",
    "Slope",
    "Subgroup",
    "SystemMetrics",
    "Trend",
    "Verdict",
    "Visibility",
    "Window",
    "read_findings",
    "validate",
    "write_findings",
]
