"""The layout that vectors had before they reported on both sides of their clipping.

Packs and ledgers hold sums of it. They cannot be judged again: an interval's lower end rests on a
number that these sums do not hold.
"""

from __future__ import annotations

from unsilent.files import digest_json
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import ACCURACY, CLIPPED, LOSS, SCALE, SPREAD, SQUARE, subgroup_name
from unsilent.taxonomy import by_code


def digest_before(plan: MonitoringPlan) -> str:
    """``sha256:…`` of a plan's layout as it was then."""
    found: list[tuple[str, float, float]] = []
    for code in plan.planned:
        mode = plan.mode(by_code(code).mode)
        if mode is None:
            continue
        found += [(code, mode.clip, mode.weight), _spread(plan, code)]
        if plan.monitor.population == "like-these":
            found.append((code + SQUARE, 1.0, 0.2 if MODES[code].range[0] == 0 else 0.6))
        found += [(subgroup_name(code, domain), mode.clip, 0.2) for domain in mode.subgroups]
    found += [(LOSS, 1.0, 0.5), (ACCURACY, 0.5, 0.4), (CLIPPED, 1.0, 0.35)]
    return digest_json(
        {"coordinates": [list(each) for each in found], "clip": plan.privacy.clip, "scale": SCALE}
    )


def _spread(plan: MonitoringPlan, code: str) -> tuple[str, float, float]:
    name, mode = code + SPREAD, MODES[code]
    alike = plan.monitor.items == "like-these"
    if mode.view == "client_private":
        return name, (mode.range[1] - mode.range[0]) / 2, 0.93 if alike else 0.5
    if not alike:
        return name, 0.25, 0.2
    sizes: dict[ItemRole, int] = {need.items: plan.probes.size(need.items) for need in mode.needs}
    known = all(getattr(plan.probes, role) == "embedded" for role in sizes)
    return name, mode.largest_spread(sizes) if known else 0.25, 0.6
