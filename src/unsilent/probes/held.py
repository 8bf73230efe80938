"""How many items a plan's own files hold: a file is asked whole, whatever ``probes.items`` says."""

from __future__ import annotations

from pathlib import Path

from unsilent.items import ItemSet
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.vision import VISION
from unsilent.probes.known.load import load_known
from unsilent.probes.known.spec import parse_source
from unsilent.probes.roles import PROBE_ROLES, check_enough
from unsilent.probes.sources import read_probes


def held_sizes(plan: MonitoringPlan, base: Path | None = None) -> dict[ItemRole, int]:
    """Units of each probe set that the planned modes ask from a file that lies here.

    Sets from a package or the hub are left out, and files that are elsewhere: nothing is fetched,
    and the plan's numbers are the best that is known of them.

    Args:
        plan: Its ``probes`` name the files.
        base: Folder that relative paths start from; the current one by default.

    Returns:
        By role the pairs, or items that are in none.

    Raises:
        ItemError: A file that is there cannot be used, which names file and line; or it holds too
            few items for what a plan says of others like them.
    """
    needed = {need.items for code in plan.planned for need in MODES[code].needs}
    found: dict[ItemRole, int] = {}
    for role in PROBE_ROLES:
        source = parse_source(str(getattr(plan.probes, role)), role)
        if role not in needed or source.path is None:
            continue
        path = (base or Path()) / Path(source.path).expanduser()
        if not path.exists():
            continue
        if source.known is None:
            items = read_probes(role, path, images=plan.model.kind == VISION)
            check_enough(plan, role, items)
            found[role] = _units(items)
        else:
            there = _units(load_known(source, role, base=base).items)
            drawn = plan.probes.size(role) if source.items is None else source.items
            found[role] = min(there, drawn or there)
    return found


def _units(items: ItemSet) -> int:
    return len({("pair", item.pair) if item.pair else ("item", item.id) for item in items})
