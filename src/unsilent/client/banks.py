"""The banks that a client of an app draws its items from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from unsilent.client.agreement import plan_of
from unsilent.files import find
from unsilent.items import ItemSet
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes import load_probes
from unsilent.probes.known.spec import parse_sources
from unsilent.probes.roles import asked_roles
from unsilent.probes.shipping import Shipped


@lru_cache(maxsize=2)
def banks_of(plan_text: str, shipped: Shipped, base: Path | None) -> Mapping[ItemRole, ItemSet]:
    """The public items that clients of the plan draw from."""
    plan = plan_of(plan_text)
    roles = asked_roles(plan)
    if not roles:
        return {}
    folder = _base(plan, roles) if base is None else base
    return load_probes(plan, roles=roles, base=folder, shipped=dict(shipped))


def _base(plan: MonitoringPlan, roles: Sequence[ItemRole]) -> Path:
    """The folder that the plan's relative paths start from."""
    for role in roles:
        for source in parse_sources(str(getattr(plan.probes, role)), role):
            if source.path is not None and not Path(source.path).expanduser().is_absolute():
                found = find(source.path)
                if found.is_absolute():
                    return Path(str(found).removesuffix(str(Path(source.path))))
    return Path()
