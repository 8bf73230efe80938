"""An audit of the code that releases, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unsilent.audit.audit_result import P_VALUES, Audit

_WORDS = {
    **dict.fromkeys(P_VALUES, "p"),
    "norm": "length",
    "claim": "times",
    "client": "differences",
    "limit": "epsilon",
}


def audit_table(result: Audit, mutants: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """The checks, the planted bugs, and what no audit can catch."""
    checks = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("check", "", "found", "allowed", "result"):
        checks.add_column(name, justify="right" if name in ("found", "allowed") else "left")
    for check in result.checks:
        sign = "at least" if check.by in P_VALUES else "at most"
        checks.add_row(
            check.name,
            _WORDS.get(check.by, "mu"),
            f"{check.found:.4g}",
            f"{sign} {check.allowed:.4g}",
            "passed" if check.passed else "FAILED",
        )
    planted = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("planted bug", "what is wrong", "caught by"):
        planted.add_column(name)
    for name, found in mutants.items():
        planted.add_row(
            name, str(found["what"]), ", ".join(found["by"]) if found["caught"] else "MISSED"
        )
    caught = sum(bool(found["caught"]) for found in mutants.values())
    verdict = (
        f"{'Passed' if result.passed else 'FAILED'}: {result.repetitions} sums prove mu at least "
        f"{result.mu_lower_bound:.3f}, the plan claims {result.mu_claimed:.3f} a release; "
        f"{caught} of {len(mutants)} planted bugs caught."
    )
    return Group(
        checks,
        planted,
        Text(verdict + "\n"),
        Text("What an audit cannot catch:"),
        *(Text(f"  - {sentence}") for sentence in result.to_json()["cannot_catch"]),
    )
