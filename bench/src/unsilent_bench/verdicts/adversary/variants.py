"""Which plans the search attacks: each shipped one in its own form, and variants of it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from unsilent.errors import UnsilentError
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.privacy import NO_BUDGET
from unsilent.taxonomy import by_mode

PACKAGES = {"plans": "unsilent.plans", "bench": "unsilent_bench.plans"}
SIZES = (3, 5, 8, 16, 32, 128)
MANY = 1000
FEW = (3, 5, 8)
"""Clients of the variants without noise."""
BANKS = {"same items": None, "bank 1.25 times": 1.25, "bank 50 times": 50.0}
"""Probes of further variants: all are asked the same, or a bank of so many times what one is."""
ROLES = ("bias", "task", "general", "harmful")
RECORDS = (4, 12)
"""Held-out records of further variants."""
SPREADS = 0.1
"""Clip of spreads of a further variant, in tolerances."""
PARTICIPATION = 0.25
"""Share of the enrolled clients that take part in a round, in the variants that sample them."""


@dataclass(frozen=True, eq=False)
class PlanVariant:
    """A plan to attack, or one that is refused.

    Attributes:
        name: ``plans/fleet`` and the like, after the file.
        own: Whether it is the plan as it ships.
        data: The plan's data.
        clients, population, items, participation: What the data say of these.
        changed: What else is not as the plan ships, in words.
    """

    name: str
    own: bool
    data: Mapping[str, Any]
    clients: int
    population: str
    items: str
    participation: float
    changed: str = ""

    @property
    def plan(self) -> MonitoringPlan | None:
        """The plan; None where it is refused."""
        return self._checked[0]

    @property
    def refused(self) -> str | None:
        """Why it is refused, in the words of the refusal; None where it is not."""
        return self._checked[1]

    @cached_property
    def _checked(self) -> tuple[MonitoringPlan | None, str | None]:
        """As `plan check` does. It takes a while, so only once asked."""
        from unsilent.report.power_report import foresee

        try:
            plan = parse_plan(dict(self.data), where=self.name)
            foresee(plan).refuse_underpowered()
        except UnsilentError as error:
            return None, str(error)
        return plan, None


def shipped() -> dict[str, dict[str, Any]]:
    """Plan data by name, of all plans in the package."""
    found: dict[str, dict[str, Any]] = {}
    for folder, package in PACKAGES.items():
        for entry in sorted(files(package).iterdir(), key=lambda each: each.name):
            if entry.name.endswith(".toml"):
                data = tomllib.loads(entry.read_text(encoding="utf-8"))
                if "modes" in data:
                    found[f"{folder}/{entry.name.removesuffix('.toml')}"] = data
    return found


def own_forms() -> Iterator[PlanVariant]:
    """The shipped plans as they are."""
    for name, data in shipped().items():
        yield _variant(name, data, own=True)


def variants() -> Iterator[PlanVariant]:
    """Other sizes, populations and items of each shipped plan, and federations that sample.

    The smallest cohort is scaled with the clients. What `plan check` refuses has no plan.
    """
    for name, data in shipped().items():
        # So many that nothing but the bank is left, in plans with few looks: else it takes long.
        looks = len(data.get("monitor", {}).get("rounds", range(99)))
        for clients in (*SIZES, *((MANY,) if looks < 3 else ())):
            for population in ("enrolled", "like-these"):
                for items in ("these", "like-these"):
                    yield _variant(name, data, clients=clients, population=population, items=items)
        yield from _further(name, data)
        clients = round(data["federation"]["clients"] / PARTICIPATION)
        for population in ("enrolled", "like-these"):
            yield _variant(
                name, data, clients=clients, population=population, participation=PARTICIPATION
            )


def _further(name: str, data: dict[str, Any]) -> Iterator[PlanVariant]:
    """Other banks, few records, small spreads, and units without noise or of single records."""
    for changed, factor in BANKS.items():
        for items in ("these", "like-these"):
            probes: dict[str, Any] = {"sampling": "same"}
            if factor is not None:
                asked, sizes = data.get("probes", {}).get("items", 64), _sizes(data)
                held = {role: round(factor * sizes.get(role, asked)) for role in ROLES}
                probes = {"sampling": "matrix", "banks": held}
            yield _variant(name, data, items=items, changed=changed, sections={"probes": probes})
    for held_out in RECORDS:
        sections = {"federation": {"held_out": held_out}}
        yield _variant(name, data, changed=f"{held_out} records", sections=sections)
    small = {mode: {**planned, **_unsure(mode, planned)} for mode, planned in data["modes"].items()}
    yield _variant(name, data, changed="small spread clips", sections={"modes": small})
    privacy = {k: v for k, v in data.get("privacy", {}).items() if k not in NO_BUDGET}
    quiet = {**data, "privacy": {**privacy, "unit": "none"}}
    for clients in FEW:
        for population in ("enrolled", "like-these"):
            yield _variant(
                name,
                quiet,
                clients=clients,
                population=population,
                changed="unit none",
            )
    yield _variant(name, data, changed="unit record", sections={"privacy": {"unit": "record"}})


def _unsure(mode: str, planned: Mapping[str, Any]) -> dict[str, float]:
    """A clip of spreads that most clients are beyond; none for a mode on private records."""
    public = MODES[by_mode(mode).code].view == "client_public"
    return {"spread_clip": SPREADS * planned["tolerance"]} if public else {}


def _sizes(data: Mapping[str, Any]) -> dict[str, int]:
    return dict(data.get("probes", {}).get("sizes", {}))


def _variant(
    name: str,
    data: dict[str, Any],
    *,
    own: bool = False,
    clients: int | None = None,
    population: str | None = None,
    items: str | None = None,
    participation: float | None = None,
    changed: str = "",
    sections: Mapping[str, Mapping[str, Any]] | None = None,
) -> PlanVariant:
    further = {key: {**data.get(key, {}), **part} for key, part in (sections or {}).items()}
    data = {**data, **further}
    federation, monitor = dict(data["federation"]), dict(data.get("monitor", {}))
    if clients is not None:
        taking_part = clients * (participation or federation.get("participation", 1.0))
        scale = taking_part / federation["clients"]
        cohort = math.floor(monitor.get("min_cohort", 10) * scale)
        federation["clients"], monitor["min_cohort"] = clients, max(2, cohort)
    if participation is not None:
        federation["participation"] = participation
    monitor["population"] = population or monitor.get("population", "enrolled")
    monitor["items"] = items or monitor.get("items", "like-these")
    return PlanVariant(
        name,
        own,
        {**data, "federation": federation, "monitor": monitor},
        federation["clients"],
        monitor["population"],
        monitor["items"],
        federation.get("participation", 1.0),
        changed,
    )
