"""The released probes of the language-model tier, and others beside them for the truth alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsilent.items import ItemSet
from unsilent.models import model_openings
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes import load_probes
from unsilent.probes.openings import COMPLIANCE_OPENINGS, with_openings

ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful")


@dataclass(frozen=True)
class Probes:
    """Item sets by role: those that clients are asked, and those that only the truth is read from.

    No item is in both.
    """

    released: dict[ItemRole, ItemSet]
    beyond: dict[ItemRole, ItemSet]


def openings_of(plan: MonitoringPlan) -> tuple[str, ...]:
    """The openings of compliance with which a plan's model is asked."""
    return tuple(with_openings(COMPLIANCE_OPENINGS, model_openings(plan)))


def probes_of(
    plan: MonitoringPlan, *, beyond: int, openings: Sequence[str] = COMPLIANCE_OPENINGS
) -> Probes:
    """The plan's probes, and up to ``beyond`` times as many others of each role.

    Args:
        plan: Its ``probes``; embedded ones do not depend on its seed.
        beyond: How many times as many for the truth; fewer where the public material ends.
        openings: Of a model that complies; ``openings_of`` adds the model's own commonest.
    """
    released = load_probes(plan, compliance=openings, roles=ROLES)
    more = plan.model_copy(
        update={
            "probes": plan.probes.model_copy(update={"items": plan.probes.items * (1 + beyond)})
        }
    )
    found: dict[ItemRole, ItemSet] = {}
    for role, items in load_probes(more, compliance=openings, roles=ROLES).items():
        asked = {item.prompt for item in released[role]}
        pairs = {item.pair for item in items if item.prompt in asked and item.pair is not None}
        kept = tuple(item for item in items if item.prompt not in asked and item.pair not in pairs)
        found[role] = ItemSet(f"{role} beyond", kept)
    return Probes(released, found)
