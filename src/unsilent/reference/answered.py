"""The reference's answers to public items, computed once for all clients of a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unsilent.client.reference_answers import ReferenceAnswers, known_answers
from unsilent.items import ItemSet
from unsilent.models.base import Adapter, PersonalModel
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes.answers import Rows, rows_by_content, table_of
from unsilent.probes.banks import parts_of


@dataclass(frozen=True)
class Answered:
    """Answers to whole banks, of the newest reference that was asked.

    Attributes:
        model: Answers.
        banks: What is asked, by role.
    """

    model: PersonalModel
    banks: Mapping[ItemRole, ItemSet]
    _rows: dict[ItemRole, tuple[str, dict[str, Rows]]] = field(
        default_factory=dict[ItemRole, tuple[str, dict[str, Rows]]]
    )

    def table(self, role: ItemRole, items: ItemSet, reference: Adapter | None) -> Rows:
        """(n_items, max_choices) probabilities of items of a role's bank under a reference."""
        name = "" if reference is None else reference.digest
        if self._rows.get(role, ("?", {}))[0] != name:
            rows: dict[str, Rows] = {}
            for part in parts_of(self.banks[role]):
                rows |= rows_by_content(part, self.model.score(part, reference))
            self._rows[role] = name, rows
        return table_of(items, self._rows[role][1])


def asks_all(plan: MonitoringPlan, role: ItemRole) -> bool:
    """Whether a worker's simulated clients answer about a whole bank in the run, or more.

    Then the reference is asked the bank once. It follows from the plan alone, so that a run that
    is repeated gives the same bytes in whatever order its clients come.
    """
    if plan.probes.sampling == "same":
        return False
    clients = plan.federation.clients // plan.federation.workers
    return clients * len(plan.monitoring_rounds) * plan.probes.size(role) >= plan.bank(role)


def known_before(
    plan: MonitoringPlan,
    model: PersonalModel,
    reference: Adapter | None,
    *,
    file: Path | None,
    folder: Path | None,
) -> ReferenceAnswers:
    """What is known of the reference's answers before a client scores.

    Args:
        plan: May ship them.
        model: The client's.
        reference: None for the base.
        file: Where the plan's may lie.
        folder: The client's own, for what it scored in earlier rounds; None in a simulation, whose
            numbers do not depend on what was run before.
    """
    keeps = plan.probes.sampling == "matrix" and len(plan.monitoring_rounds) > 1
    if plan.probes.answers is None and (folder is None or not keeps):
        return ReferenceAnswers()
    return known_answers(
        plan,
        model.hashes,
        adapter="" if reference is None else reference.digest,
        file=file,
        folder=folder,
    )
