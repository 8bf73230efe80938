"""How many probes a plan needs: enough that the choice of items is a small part of the error."""

from __future__ import annotations

import math

from unsilent.errors import PlanError
from unsilent.modes import MODES
from unsilent.modes.base import FailureMode, ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.taxonomy import by_code

SHARE = 0.25
"""Largest sd over the choice of probes, as a share of the tolerance."""


def items_for(plan: MonitoringPlan, code: str, *, share: float = SHARE) -> int:
    """The fewest items of a bank that keep a mode's item sd within a share of its tolerance.

    Where all clients are asked the same, the bank is what they are asked. Where each draws its
    own, the part of the error that no number of clients averages out is that of the bank: of n
    items the spread times ``sqrt(n / B)``, which is what a client's spread would be with B items.
    ``unsilent plan check`` prints it. It rests on the spread that the mode assumes while nothing
    has been measured, on a mode that needs several sets drawing as many from each, and on
    independent items: pairs count once, and further wordings of a question do not count.

    Args:
        plan: Says the mode's tolerance.
        code: A planned mode on public probes.
        share: Of the tolerance, above 0.

    Returns:
        A number for ``probes.banks``, or for ``probes.items`` where all are asked the same.

    Raises:
        PlanError: The mode is not planned, rests on private records, or ``share`` is not above 0.
    """
    mode, limit, roles = _checked(plan, code, share)
    enough = 1
    while not mode.expected_spread_of(dict.fromkeys(roles, enough)) <= limit * (1 + 1e-9):
        enough *= 2
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        # Rounding must not ask for one more where the sd is the limit itself.
        fits = mode.expected_spread_of(dict.fromkeys(roles, middle)) <= limit * (1 + 1e-9)
        few, enough = (few, middle) if fits else (middle, enough)
    return enough


def draws_for(plan: MonitoringPlan, code: str, *, share: float = SHARE) -> int:
    """The fewest items a client that keep what its own draw adds within a share of the tolerance.

    That part of the error falls with the number of clients: ``spread / sqrt(N)``. Arguments and
    errors as ``items_for``.
    """
    clients = plan.taking_part
    return max(math.ceil(items_for(plan, code, share=share) / clients), 1)


def _checked(
    plan: MonitoringPlan, code: str, share: float
) -> tuple[FailureMode, float, tuple[ItemRole, ...]]:
    """The mode, the largest sd, and the sets that the mode asks."""
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
    return mode, share * planned.tolerance, plan.roles(code)
