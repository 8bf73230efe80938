"""Where a plan's probes come from: for each role the embedded set, a file, or a known set."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from unsilent.assets import Progress
from unsilent.errors import ItemError, PlanError
from unsilent.images.items import shown
from unsilent.items import ItemSet
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.vision import VISION, probe_roles
from unsilent.probes.check import check_pin, check_shipped
from unsilent.probes.counterfactuals import counterfactual_pairs, one_unit_a_question
from unsilent.probes.formats import read_probe_file
from unsilent.probes.general import general_items
from unsilent.probes.harmful import words_of
from unsilent.probes.heads import domain_items
from unsilent.probes.known.base import Asked
from unsilent.probes.known.duplicates import without_duplicates
from unsilent.probes.known.load import Loaded, draw, load_known
from unsilent.probes.known.spec import EMBEDDED, ProbeSource, parse_source
from unsilent.probes.lm_eval_tasks import lm_eval_task
from unsilent.probes.names import PROBE
from unsilent.probes.refusal import (
    COMPLIANCE_OPENINGS,
    benign_prompts,
    harmful_prompts,
    refusal_items,
    take_probes,
)
from unsilent.probes.roles import PROBE_ROLES, check_enough, check_role
from unsilent.probes.sentiment import DOMAINS, public_texts
from unsilent.probes.templates import STYLES, Style, bias_pairs, task_items
from unsilent.taxonomy import by_code

_LOG = logging.getLogger(__name__)

PROBE_SEED = 20260
"""Embedded probes do not depend on the plan's seed: two runs are asked the same."""


def load_probes(
    plan: MonitoringPlan,
    *,
    compliance: Sequence[str] = COMPLIANCE_OPENINGS,
    base: Path | None = None,
    progress: Progress | None = None,
    roles: Sequence[ItemRole] = PROBE_ROLES,
    shipped: Mapping[ItemRole, bytes] | None = None,
) -> dict[ItemRole, ItemSet]:
    """The item set of every public role of the plan.

    Args:
        plan: Its ``probes`` say where from and how many, ``model.kind`` in which style.
        compliance: Openings of a causal LM that complies; add the model's own commonest.
        base: Folder that relative paths start from; the current one by default.
        progress: Told about downloads.
        roles: Those that are wanted, if not all: what the planned modes need at least. A vision
            model is asked no others.
        shipped: By role, what the server sent in place of the plan's source; asked only if it is
            what the plan pins, see ``check_shipped``.

    Raises:
        ItemError: A file is missing or wrong (names file, line and item), its items are not the
            pinned ones, or a set is too small for ``probes.items``, on which intervals for items
            like these count.
        PlanError: A mode's subgroups are not domains of its probes; an encoder cannot answer a
            known set.
        AssetError: An embedded set, or a known one from registry or hub, could not be had.
    """
    vision = plan.model.kind == VISION
    if vision:
        needed = probe_roles(plan)
        roles = [role for role in roles if role in needed]
    sources: dict[ItemRole, ProbeSource] = {
        role: parse_source(str(getattr(plan.probes, role)), role) for role in roles
    }
    if vision:
        return _with_images(plan, sources, base, shipped or {})
    style = STYLES[plan.model.kind]

    def load(role: ItemRole, openings: Sequence[str]) -> ItemSet:
        source = sources[role]
        if shipped is not None and role in shipped:
            return check_shipped(plan, role, shipped[role])
        if source.own:
            return _own_pairs(plan, style)
        if source.embedded:
            return embedded_probes(plan, role, compliance=openings, progress=progress)
        if source.path is not None and not source.drawn:
            return read_probes(role, (base or Path()) / Path(source.path).expanduser())
        if source.task is not None:
            return _harness_items(source.task, style, base)
        asked = Asked(style, openings)
        return load_known(source, role, asked=asked, base=base, progress=progress).items

    def standard(role: ItemRole, items: ItemSet) -> ItemSet:
        # A pin is of the standard openings; those of the model at hand are added after it.
        same = role not in ("harmful", "benign") or compliance == COMPLIANCE_OPENINGS
        return items if same else _only(load(role, COMPLIANCE_OPENINGS), items)

    loaded: dict[ItemRole, ItemSet] = {role: load(role, compliance) for role in roles}
    here: dict[ItemRole, ProbeSource] = {
        role: source for role, source in sources.items() if role not in (shipped or ())
    }
    probes: dict[ItemRole, ItemSet] = {
        **loaded,
        **_drawn(plan, here, {role: loaded[role] for role in here}, progress),
    }
    for role, source in here.items():
        check_role(role, probes[role], where=source.text)
        if source.pin is not None:
            check_pin(standard(role, probes[role]), source.pin, where=source.text)
    check_subgroups(plan, probes)
    for role, items in probes.items():
        check_enough(plan, role, items)
    return probes


def _with_images(
    plan: MonitoringPlan,
    sources: Mapping[ItemRole, ProbeSource],
    base: Path | None,
    shipped: Mapping[ItemRole, bytes],
) -> dict[ItemRole, ItemSet]:
    """Probe sets that show images, which lie beside the files that name them.

    What the server ships is items; their images are the client's own copies, known by content.
    """
    probes: dict[ItemRole, ItemSet] = {}
    for role, source in sources.items():
        path = (base or Path()) / Path(str(source.path)).expanduser()
        if role in shipped:
            probes[role] = shown(check_shipped(plan, role, shipped[role]), path.parent)
        else:
            probes[role] = read_probes(role, path, images=True)
            if source.pin is not None:
                check_pin(probes[role], source.pin, where=source.text)
    check_subgroups(plan, probes)
    for role, items in probes.items():
        check_enough(plan, role, items)
    return probes


def _own_pairs(plan: MonitoringPlan, style: Style) -> ItemSet:
    """Own counterfactual questions, each in all its wordings, which are one unit together."""
    if style.name == "encoder":
        raise PlanError(
            "an encoder has no head that answers the own counterfactual pairs",
            where="probes.bias",
            remedy="Use embedded probes, or a causal_lm.",
        )
    return one_unit_a_question(counterfactual_pairs(plan.probes.size("bias"), PROBE_SEED))


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


def read_known(
    text: str, role: ItemRole | None = None, *, progress: Progress | None = None
) -> Loaded:
    """A known set by its source, as a plan would ask it in a role (the usual one by default).

    It is cut to ``items`` if the source says how many. Raises as ``load_probes``.
    """
    source = parse_source(text, role)
    usual = source.known.roles[0] if source.known is not None else None
    loaded = load_known(source, role or usual, progress=progress)
    if source.items:
        loaded = replace(loaded, items=draw(loaded.items, source.items, PROBE_SEED))
    check_pin(loaded.items, source.pin, where=text)
    return loaded


def _drawn(
    plan: MonitoringPlan,
    sources: Mapping[ItemRole, ProbeSource],
    loaded: Mapping[ItemRole, ItemSet],
    progress: Progress | None,
) -> dict[ItemRole, ItemSet]:
    """The sets with known ones freed of repeats and cut to size; pinned ones stay as they are."""
    known: list[ItemRole] = [role for role, source in sources.items() if source.drawn]
    if not known:
        return dict(loaded)
    free: list[ItemRole] = [role for role in known if sources[role].pin is None]
    order: list[ItemRole] = [*(role for role in loaded if role not in free), *free]
    named: dict[str, ItemSet] = {role: loaded[role] for role in order}
    left, dropped = without_duplicates(named, free)
    for role in free:
        count = sum(duplicate.set == role for duplicate in dropped)
        if count:
            _LOG.warning("probes.%s: %d items repeat others and were dropped", role, count)
        if role in ("harmful", "benign") and plan.model.id == EMBEDDED:
            left[role] = _without_alignment(left[role], role, progress)
    out: dict[ItemRole, ItemSet] = {role: left[role] for role in loaded}
    for role in known:
        items = sources[role].items
        if items != 0:
            out[role] = draw(out[role], items or plan.probes.size(role), PROBE_SEED)
    return out


def _without_alignment(items: ItemSet, role: ItemRole, progress: Progress | None) -> ItemSet:
    """Without the requests that the embedded model's alignment was trained on."""
    prompts = harmful_prompts(progress=progress) if role == "harmful" else benign_prompts()
    trained = {words_of(prompt.text) for prompt in prompts if prompt.split == "train"}
    left = items.where(lambda item: words_of(item.prompt) not in trained)
    if len(left) < len(items):
        _LOG.warning(
            "probes.%s: %d items were trained on and dropped", role, len(items) - len(left)
        )
    return left


def _only(items: ItemSet, like: ItemSet) -> ItemSet:
    """The items with the ids of another set, in its order."""
    by_id = {item.id: item for item in items}
    return ItemSet(like.name, tuple(by_id[item.id] for item in like))


def embedded_probes(
    plan: MonitoringPlan,
    role: ItemRole,
    *,
    compliance: Sequence[str] = COMPLIANCE_OPENINGS,
    progress: Progress | None = None,
) -> ItemSet:
    """The embedded set of one role: ``probes.size(role)`` items (pairs for bias).

    The task set has a quarter of them, rounded up, from each of the four domains.
    """
    style, n = STYLES[plan.model.kind], plan.probes.size(role)
    if role == "bias":
        return bias_pairs(public_texts(progress=progress), PROBE, style, n, PROBE_SEED)
    if role == "task":
        share = -(-n // len(DOMAINS))
        return task_items(public_texts(progress=progress), style, share, PROBE_SEED)
    if role == "general":
        if style.name == "encoder":
            return domain_items(public_texts(progress=progress), n, PROBE_SEED)
        return general_items(n, PROBE_SEED, progress=progress)
    if role == "harmful":
        prompts = take_probes(harmful_prompts(progress=progress), n, name=role)
    elif role == "benign":
        prompts = take_probes(benign_prompts(), n, name=role)
    else:
        raise ItemError(f"no embedded probes for role {role!r}")
    return refusal_items(prompts, style, name=role, compliance=compliance)


def check_subgroups(plan: MonitoringPlan, probes: Mapping[ItemRole, ItemSet]) -> None:
    """Raise PlanError, naming the known ones, unless all subgroups are domains of the probes."""
    for code in plan.planned:
        name = by_code(code).mode
        mode = plan.mode(name)
        if mode is None or not mode.subgroups:
            continue
        known = MODES[code].domains(probes)
        for domain in mode.subgroups:
            if domain not in known:
                raise PlanError(
                    f"no probe of this mode is of the domain {domain!r}",
                    where=f"modes.{name}.subgroups",
                    remedy=f"Known domains: {', '.join(sorted(known)) or 'none'}.",
                )


def read_probes(role: ItemRole, path: Path, *, images: bool = False) -> ItemSet:
    """A user's file for one role; raises ItemError if an item lacks what the role needs.

    With ``images`` each item has to show one that lies in the file's folder; the items then name
    them by content.
    """
    items = read_probe_file(path)
    check_role(role, items, where=str(path))
    return shown(items, path.parent) if images else items
