"""Where the parts of a pack belong in what regulators and standards ask for.

A map of evidence, never a claim of compliance: what a text asks for is in our words, and each entry
is to be checked against the current text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.report.incidents import NOT_SERIOUS

CHECK = "check the current text"
DISCLAIMER = (
    "A map of evidence, not a claim of compliance. What each text asks for is put in our own words "
    "and may have changed: check the current text."
)
HIGH_RISK = (
    "the duties on high-risk systems apply from 2 December 2027, for those that are part of a "
    "regulated product from 2 August 2028"
)
"""As Regulation (EU) 2026/1744 moved them."""
NO_RECORDS = "not claimed: this plan asks public probes alone, and none of the clients' own records"


def field_map(plan: MonitoringPlan) -> dict[str, Any]:
    """The map for a plan's pack.

    Returns:
        ``disclaimer``, ``serious_incidents``, and ``entries``: framework, reference, what it is
        ``about``, when it ``applies`` (None where that was not looked into), the ``evidence``
        (files and fields of the pack that bear on it), what to ``add``, whether it is ``claimed``
        and if not why (``reason``), and ``check``.
    """
    return {
        "disclaimer": DISCLAIMER,
        "serious_incidents": NOT_SERIOUS,
        "entries": [_of_plan(entry, plan) for entry in entries()],
    }


@cache
def entries() -> tuple[Mapping[str, Any], ...]:
    """The map's entries as they are written, whatever the plan."""
    text = (files("unsilent.evidence") / "field_map.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["entry"])


def _of_plan(entry: Mapping[str, Any], plan: MonitoringPlan) -> dict[str, Any]:
    applies = entry.get("applies")
    found = {
        **{name: entry[name] for name in ("framework", "reference", "about", "add")},
        "applies": HIGH_RISK if applies == "high_risk" else applies,
        "evidence": list(entry["evidence"]),
        "claimed": True,
        "reason": None,
        "check": CHECK,
    }
    if entry.get("needs") != "records":
        return found
    asked = asks_records(plan)
    if not asked:
        return {**found, "claimed": False, "reason": NO_RECORDS, "evidence": []}
    told = f"findings.json: {', '.join(asked)}, on the clients' own records"
    rest = [each for each in entry["evidence"] if not each.startswith("findings.json")]
    return {**found, "evidence": [told, *rest]}


def asks_records(plan: MonitoringPlan) -> tuple[str, ...]:
    """What of a plan is measured on clients' own records, not on probes: modes, performance."""
    modes = tuple(code for code in plan.planned if MODES[code].view == "client_private")
    return (*modes, *(("performance",) if plan.performance is not None else ()))


def field_map_words(plan: MonitoringPlan) -> str:
    """The map as Markdown."""
    rows = "\n".join(_row(entry) for entry in field_map(plan)["entries"])
    return (
        f"{DISCLAIMER}\n\n{NOT_SERIOUS}\n\nEU AI Act: {HIGH_RISK} (check the current text).\n\n"
        "| text | place | what it is about, check the current text | in this pack | you have to "
        f"add |\n| --- | --- | --- | --- | --- |\n{rows}\n"
    )


def _row(entry: Mapping[str, Any]) -> str:
    held = ", ".join(entry["evidence"]) if entry["claimed"] else f"∅ {entry['reason']}"
    return (
        f"| {entry['framework']} | {entry['reference']} | {entry['about']} | {held} | "
        f"{entry['add']} |"
    )
