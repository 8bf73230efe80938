"""Where a plan's probes come from: for each role the embedded set, a file, or a known set."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from unsilent.assets import Progress
from unsilent.errors import PlanError
from unsilent.images.items import shown
from unsilent.items import ItemSet
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import KNOWN_OF
from unsilent.plan.probes import LARGEST_BANK
from unsilent.plan.vision import VISION, probe_roles
from unsilent.probes.banks import check_draws, cut
from unsilent.probes.check import check_pin, check_shipped
from unsilent.probes.embedded import PROBE_SEED
from unsilent.probes.harmful import words_of
from unsilent.probes.joined import Loading, read_probes
from unsilent.probes.known.duplicates import without_duplicates
from unsilent.probes.known.load import Loaded, draw, load_known
from unsilent.probes.known.spec import EMBEDDED, ProbeSource, parse_source, parse_sources
from unsilent.probes.refusal import (
    COMPLIANCE_OPENINGS,
    benign_prompts,
    harmful_prompts,
)
from unsilent.probes.roles import all_roles, check_enough, check_role
from unsilent.probes.templates import STYLES
from unsilent.taxonomy import by_code

_LOG = logging.getLogger(__name__)


def load_probes(
    plan: MonitoringPlan,
    *,
    compliance: Sequence[str] = COMPLIANCE_OPENINGS,
    base: Path | None = None,
    progress: Progress | None = None,
    roles: Sequence[ItemRole] | None = None,
    shipped: Mapping[ItemRole, bytes] | None = None,
) -> dict[ItemRole, ItemSet]:
    """The bank of every public role of the plan: all that its clients draw from.

    With ``probes.sampling = "same"`` it is what each client is asked: ``probes.size(role)`` items
    of an embedded or known set, a file whole. Where the plan speaks of these items alone
    (``monitor.items``), a bank is cut to as many units as the plan counts on, the same for all.

    Args:
        plan: Its ``probes`` say where from and how many, ``model.kind`` in which style.
        compliance: Openings of a causal LM that complies; add the model's own commonest.
        base: Folder that relative paths start from; the current one by default.
        progress: Told about downloads.
        roles: Those that are wanted; by default those of the six modes, and what planned modes of
            open text need beside them. A vision model is asked what its planned modes need.
        shipped: By role, what the server sent in place of the plan's source; asked only if it is
            what the plan pins, see ``check_shipped``.

    Raises:
        ItemError: A file is missing or wrong (names file, line and item), its items are not the
            pinned ones, or a bank is smaller than the plan counts on.
        PlanError: A mode's subgroups are not domains of its probes, or a client's draw may hold
            too few of one; an encoder cannot answer a known set.
        AssetError: An embedded set, or a known one from registry or hub, could not be had.
    """
    vision = plan.model.kind == VISION
    roles = all_roles(plan) if roles is None else roles
    if vision:
        needed = probe_roles(plan)
        roles = [role for role in roles if role in needed]
    sources: dict[ItemRole, tuple[ProbeSource, ...]] = {
        role: parse_sources(str(getattr(plan.probes, role)), role) for role in roles
    }
    given = shipped or {}
    probes: dict[ItemRole, ItemSet]
    if vision:
        files: dict[ItemRole, ProbeSource] = {role: own[0] for role, own in sources.items()}
        probes = _with_images(plan, files, base, given)
    else:
        loading = Loading(plan, STYLES[plan.model.kind], base, progress)
        loaded: dict[ItemRole, ItemSet] = {
            role: check_shipped(plan, role, given[role])
            if role in given
            else loading.joined(role, sources[role], compliance)
            for role in roles
        }
        here: dict[ItemRole, tuple[ProbeSource, ...]] = {
            role: own for role, own in sources.items() if role not in given
        }
        probes = loaded | _freed(plan, here, loaded, progress)
        for role, own in here.items():
            check_role(role, probes[role], where="+".join(source.text for source in own))
    check_subgroups(plan, probes)
    for role, items in probes.items():
        check_enough(plan, role, items)
    if plan.probes.sampling == "matrix":
        fixed = plan.monitor.items == "these"
        for role, items in probes.items():
            # The bank itself is then what is spoken of: no other than the plan's number is meant.
            most = max(plan.bank(role), plan.drawn(role)) if fixed else LARGEST_BANK
            probes[role] = cut(items, most, "bank", role)
    check_draws(plan, probes)
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
    return probes


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


def _freed(
    plan: MonitoringPlan,
    sources: Mapping[ItemRole, Sequence[ProbeSource]],
    loaded: Mapping[ItemRole, ItemSet],
    progress: Progress | None,
) -> dict[ItemRole, ItemSet]:
    """The sets with known ones freed of repeats and cut to size; pinned ones stay as they are."""
    known: list[ItemRole] = [
        role for role, own in sources.items() if any(source.drawn for source in own)
    ]
    free: list[ItemRole] = [
        role for role in known if any(s.drawn and s.pin is None for s in sources[role])
    ]
    order: list[ItemRole] = [*(role for role in loaded if role not in free), *free]
    named: dict[str, ItemSet] = {role: loaded[role] for role in order}
    left, dropped = without_duplicates(named, free) if known else (named, ())
    for role in free:
        count = sum(duplicate.set == role for duplicate in dropped)
        if count:
            _LOG.warning("probes.%s: %d items repeat others and were dropped", role, count)
        meant = KNOWN_OF.get(role, role)
        if meant in ("harmful", "benign") and plan.model.id == EMBEDDED:
            left[role] = _without_alignment(left[role], meant, progress)
    out: dict[ItemRole, ItemSet] = {role: left[role] for role in sources}
    for role, own in sources.items():
        size = _size(plan, role, own)
        if size is not None:
            out[role] = draw(out[role], size, PROBE_SEED)
    return out


def _size(plan: MonitoringPlan, role: ItemRole, sources: Sequence[ProbeSource]) -> int | None:
    """Units that a role's set is cut to; None where it stays whole."""
    same = plan.probes.sampling == "same"
    if len(sources) > 1:
        return plan.probes.size(role) if same else None
    source = sources[0]
    if not source.drawn or source.items == 0:
        return None
    return source.items or (plan.probes.size(role) if same else None)


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
