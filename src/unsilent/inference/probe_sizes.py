"""How many probes a plan needs: enough that the choice of items is a small part of the error."""

from __future__ import annotations

from unsilent.errors import PlanError
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.taxonomy import by_code

SHARE = 0.25
"""Largest sd over the choice of probes, as a share of the tolerance."""


def items_for(plan: MonitoringPlan, code: str, *, share: float = SHARE) -> int:
    """The fewest items a probe set that keep a mode's item sd within a share of its tolerance.

    All clients are asked the same, so this part of the error does not shrink with their number;
    ``unsilent plan check`` prints it. It rests on the spread that the mode assumes while nothing
    has been measured, on a mode that needs several sets drawing as many from each, and on
    independent items: pairs count once, and further wordings of a question do not count.

    Args:
        plan: Says the mode's tolerance.
        code: A planned mode on public probes.
        share: Of the tolerance, above 0.

    Returns:
        A number for ``probes.items``; beyond that key's maximum no set of ours is large enough.

    Raises:
        PlanError: The mode is not planned, rests on private records, or ``share`` is not above 0.
    """
    mode, name = MODES[code], by_code(code).mode
    planned = plan.mode(name)
    if planned is None:
        raise PlanError("this mode is not planned", where=f"modes.{name}")
    if mode.view == "client_private":
        raise PlanError(
            "this mode is measured on private records, not on probes",
            where=f"modes.{name}",
            remedy="federation.held_out says how many of them there are.",
        )
    if not share > 0:
        raise PlanError(f"a share of {share:g} of the tolerance", where=f"modes.{name}")
    sets = len({need.items for need in mode.needs})
    limit = share * planned.tolerance

    def fits(items: int) -> bool:
        # Rounding must not ask for one more where the sd is the limit itself.
        return mode.expected_spread(items * sets) <= limit * (1 + 1e-9)

    enough = 1
    while not fits(enough):
        enough *= 2
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if fits(middle) else (middle, enough)
    return enough
