"""One role's sources, read one after the other and joined to one set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unsilent.assets import Progress
from unsilent.errors import PlanError
from unsilent.images.items import shown
from unsilent.items import Item, ItemSet
from unsilent.modes.base import ItemRole
from unsilent.open_text.files import read_open
from unsilent.open_text.kinds import kind_of, opened
from unsilent.open_text.prompts import persona_items, regard_items
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import WRITTEN_ROLES
from unsilent.probes.check import check_pin
from unsilent.probes.counterfactuals import counterfactual_pairs, one_unit_a_question
from unsilent.probes.embedded import PROBE_SEED, embedded_items
from unsilent.probes.formats import read_probe_file
from unsilent.probes.known.base import Asked
from unsilent.probes.known.duplicates import without_duplicates
from unsilent.probes.known.load import draw, load_known
from unsilent.probes.known.spec import ProbeSource
from unsilent.probes.lm_eval_tasks import lm_eval_task
from unsilent.probes.openings import COMPLIANCE_OPENINGS
from unsilent.probes.roles import check_role
from unsilent.probes.templates import Style

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loading:
    """One source after the other, as a plan's model is asked."""

    plan: MonitoringPlan
    style: Style
    base: Path | None
    progress: Progress | None

    def joined(
        self, role: ItemRole, sources: Sequence[ProbeSource], openings: Sequence[str]
    ) -> ItemSet:
        """The sources of a role as one set, each held against its pin."""
        parts, several = list[ItemSet](), len(sources) > 1
        for source in sources:
            items = self._cut(source, self._one(role, source, openings, several), several)
            standard = self._standard(role, source, items, openings, several)
            check_pin(standard, source.pin, where=source.text)
            parts.append(items)
        return join(role, parts)

    def _standard(
        self,
        role: ItemRole,
        source: ProbeSource,
        items: ItemSet,
        openings: Sequence[str],
        several: bool,
    ) -> ItemSet:
        """The items with the openings that a pin is of; those of the model come after it."""
        if source.pin is None or role not in ("harmful", "benign"):
            return items
        if openings == COMPLIANCE_OPENINGS:
            return items
        by_id = {item.id: item for item in self._one(role, source, COMPLIANCE_OPENINGS, several)}
        return ItemSet(items.name, tuple(by_id[item.id] for item in items))

    def _cut(self, source: ProbeSource, items: ItemSet, several: bool) -> ItemSet:
        """A pinned set is of so many items, whatever repeats: a single other one is cut later."""
        if source.drawn and source.items and (several or source.pin is not None):
            return draw(items, source.items, PROBE_SEED)
        return items

    def _one(
        self, role: ItemRole, source: ProbeSource, openings: Sequence[str], several: bool
    ) -> ItemSet:
        whole = several or self.plan.probes.sampling == "matrix"
        size = None if whole else self.plan.drawn(role)
        if role in WRITTEN_ROLES:
            return self._written(role, source, size)
        if source.own:
            return _own_pairs(size, self.style)
        if source.embedded:
            return embedded_items(
                self.style, role, size, compliance=openings, progress=self.progress
            )
        if source.path is not None and not source.drawn:
            return read_probes(role, (self.base or Path()) / Path(source.path).expanduser())
        if source.task is not None:
            return _harness_items(source.task, self.style, self.base)
        asked = Asked(self.style, openings)
        return load_known(source, role, asked=asked, base=self.base, progress=self.progress).items

    def _written(self, role: ItemRole, source: ProbeSource, size: int | None) -> ItemSet:
        """Prompts for open text: own ones, those of a set of requests, or a user's file."""
        if source.path is not None and not source.drawn:
            return read_probes(role, (self.base or Path()) / Path(source.path).expanduser())
        kind = kind_of(role)
        if source.embedded and kind.source is None:
            found = persona_items() if role == "open_persona" else regard_items()
            return found if size is None else draw(found, size, PROBE_SEED)
        if kind.source is None:
            raise PlanError(
                "no prompts for open text",
                where=f"probes.{role}",
                remedy='Give "embedded", or a file of prompts.',
            )
        if source.embedded:
            asked = embedded_items(self.style, kind.source, size, progress=self.progress)
        else:
            asked = load_known(source, kind.source, base=self.base, progress=self.progress).items
        return opened(asked, kind, name=role)


def join(name: str, parts: Sequence[ItemSet]) -> ItemSet:
    """Several sets as one: what repeats an earlier one is left out, ids stay unique."""
    if len(parts) == 1:
        return parts[0]
    named = {str(n): part for n, part in enumerate(parts)}
    left, dropped = without_duplicates(named, [*named][1:])
    if dropped:
        _LOG.warning("probes.%s: %d items repeat others and were dropped", name, len(dropped))
    ids, pairs, items = set[str](), set[str](), list[Item]()
    for number, part in left.items():
        fresh = [_renamed(item, number, ids, pairs) for item in part]
        ids |= {item.id for item in fresh}
        pairs |= {item.pair for item in fresh if item.pair is not None}
        items += fresh
    return ItemSet(name, tuple(items))


def _renamed(item: Item, number: str, ids: set[str], pairs: set[str]) -> Item:
    """The item with the part's number at its id or pair where an earlier part has that."""
    own = f"{item.id}+{number}" if item.id in ids else item.id
    pair = f"{item.pair}+{number}" if item.pair in pairs else item.pair
    return replace(item, id=own, pair=pair)


def read_probes(role: ItemRole, path: Path, *, images: bool = False) -> ItemSet:
    """A user's file for one role; raises ItemError if an item lacks what the role needs.

    With ``images`` each item has to show one that lies in the file's folder; the items then name
    them by content.
    """
    items = read_open(role, path) if role in WRITTEN_ROLES else read_probe_file(path)
    check_role(role, items, where=str(path))
    return shown(items, path.parent) if images else items


def _own_pairs(count: int | None, style: Style) -> ItemSet:
    """Own counterfactual questions, each in all its wordings, which are one unit together."""
    if style.name == "encoder":
        raise PlanError(
            "an encoder has no head that answers the own counterfactual pairs",
            where="probes.bias",
            remedy="Use embedded probes, or a causal_lm.",
        )
    return one_unit_a_question(counterfactual_pairs(count, PROBE_SEED))


def _harness_items(task: str, style: Style, base: Path | None) -> ItemSet:
    """A harness task's items. Raises PlanError for an encoder, which has no head for them."""
    if style.name == "encoder":
        raise PlanError(
            "an encoder has no head that answers the harness's tasks",
            where=f"lm-eval:{task}",
            remedy="Use embedded probes, a file whose items name a task, or a causal_lm.",
        )
    is_file = task.endswith((".yaml", ".yml"))
    return lm_eval_task((base or Path()) / Path(task).expanduser() if is_file else task).items
