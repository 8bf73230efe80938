"""The released probes of the language-model tier, and others beside them for the truth alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from unsilent.items import Item, ItemSet
from unsilent.models import model_openings
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.probes import SizesPlan
from unsilent.probes import load_probes
from unsilent.probes.openings import COMPLIANCE_OPENINGS, with_openings

ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful")
BEYOND: Mapping[ItemRole, int] = MappingProxyType(
    {"bias": 1, "task": 3, "general": 1, "harmful": 1}
)
"""How many times as many as the released ones the truth is read from: of what is cheap, more."""


@dataclass(frozen=True)
class ProbeSets:
    """Item sets by role: those that clients are asked, and those that only the truth is read from.

    No item is in both.
    """

    released: dict[ItemRole, ItemSet]
    beyond: dict[ItemRole, ItemSet]


def openings_of(plan: MonitoringPlan) -> tuple[str, ...]:
    """The openings of compliance with which a plan's model is asked."""
    return tuple(with_openings(COMPLIANCE_OPENINGS, model_openings(plan)))


def probes_of(
    plan: MonitoringPlan,
    *,
    beyond: Mapping[ItemRole, int] = BEYOND,
    openings: Sequence[str] = COMPLIANCE_OPENINGS,
) -> ProbeSets:
    """The plan's probes, and others of each role for the truth.

    Args:
        plan: Its ``probes``; embedded ones do not depend on its seed.
        beyond: How many times as many for the truth.
        openings: Of a model that complies; ``openings_of`` adds the model's own commonest.

    Raises:
        ItemError: The public material does not give so many.
    """
    released = load_probes(plan, compliance=openings, roles=ROLES)
    sizes = {role: plan.probes.size(role) * (1 + beyond[role]) for role in ROLES}
    more = plan.model_copy(
        update={"probes": plan.probes.model_copy(update={"sizes": SizesPlan(**sizes)})}
    )
    found: dict[ItemRole, ItemSet] = {}
    for role, items in load_probes(more, compliance=openings, roles=ROLES).items():
        asked = {_first_line(item) for item in released[role]}
        kept = tuple(item for item in items if _first_line(item) not in asked)
        found[role] = ItemSet(f"{role} beyond", kept)
    return ProbeSets(released, found)


def _first_line(item: Item) -> str:
    """What is asked about: of a bias pair the text, whoever its author is."""
    return item.prompt.partition("\n")[0]
