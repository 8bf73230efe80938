"""How many units a plan's own files hold: what a client is asked of them, and draws from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unsilent.items import ItemSet
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import SITES
from unsilent.plan.probes import EMBEDDED_BANKS
from unsilent.plan.vision import VISION
from unsilent.probes.banks import count_units
from unsilent.probes.joined import join, read_probes
from unsilent.probes.known.load import load_known
from unsilent.probes.known.spec import EMBEDDED, ProbeSource, parse_sources
from unsilent.probes.roles import ALL_ROLES, check_enough, refuse_fewer


def held_sizes(plan: MonitoringPlan, base: Path | None = None) -> dict[ItemRole, int]:
    """Units that one client answers of each set that the planned modes ask from files here.

    With ``probes.sampling = "same"`` a file is asked whole, whatever ``probes.items`` says; else a
    client draws ``probes.size(role)`` of it, or all if it holds no more.

    Args, raises:
        As ``held_banks``.
    """
    banks = held_banks(plan, base)
    if plan.probes.sampling == "matrix":
        return {role: min(plan.probes.size(role), units) for role, units in banks.items()}
    return banks


def held_banks(plan: MonitoringPlan, base: Path | None = None) -> dict[ItemRole, int]:
    """Units of each probe set that the planned modes ask from files that lie here.

    Sets from a package or the hub are left out, and files that are elsewhere: nothing is fetched,
    and the plan's numbers are the best that is known of them.

    Args:
        plan: Its ``probes`` name the files.
        base: Folder that relative paths start from; the current one by default.

    Returns:
        By role the pairs, or items that are in none.

    Raises:
        ItemError: A file that is there cannot be used, which names file and line; or it holds too
            few items for what the plan counts on.
    """
    found: dict[ItemRole, int] = {}
    for role in _needed(plan):
        sources = parse_sources(str(getattr(plan.probes, role)), role)
        embedded = EMBEDDED_BANKS[plan.model.kind].get(role)
        there = [s for s in sources if s.path is not None and _place(s.path, base).exists()]
        others = [s for s in sources if s not in there]
        if others and embedded is not None and [s.text for s in others] == [EMBEDDED]:
            # What repeats is not yet left out, so that there are no more than these.
            files = (count_units(_read(plan, role, source, base)) for source in there)
            refuse_fewer(plan, role, embedded + sum(files))
        if others:
            continue
        items = join(role, [_read(plan, role, source, base) for source in sources])
        units = count_units(items)
        if len(sources) == 1 and sources[0].drawn:
            size = sources[0].items
            if size is None and plan.probes.sampling == "same":
                size = plan.probes.size(role)
            found[role] = min(units, size or units)
            continue
        check_enough(plan, role, items)
        found[role] = units
    return found


def _needed(plan: MonitoringPlan) -> Iterator[ItemRole]:
    needed: set[ItemRole] = {role for code in plan.planned for role in plan.roles(code)}
    for role in ALL_ROLES:
        if role in needed and getattr(plan.probes, role) != SITES:
            yield role


def _place(path: str, base: Path | None) -> Path:
    return (base or Path()) / Path(path).expanduser()


def _read(plan: MonitoringPlan, role: ItemRole, source: ProbeSource, base: Path | None) -> ItemSet:
    if source.known is not None:
        return load_known(source, role, base=base).items
    return read_probes(role, _place(str(source.path), base), images=plan.model.kind == VISION)
