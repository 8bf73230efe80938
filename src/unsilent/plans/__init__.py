"""Plans that come with the package: the demo's federations and a start for one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

from unsilent.modes import FIRST, MODES
from unsilent.plan import MonitoringPlan, parse_plan

Scenario = Literal["skewed", "healthy"]
Tier = Literal["lm", "fleet"]
GateAction = Literal["observe", "hold", "rollback"]

SKEW = 0.95
"""Share of named records whose label is what the stereotype predicts, where data is skewed."""


def demo_plan(
    scenario: Scenario, tier: Tier, seed: int | None = None, gate: GateAction = "observe"
) -> MonitoringPlan:
    """The demo's plan. The two scenarios differ in the group skew of the local data alone."""
    text = files(__name__).joinpath(f"{tier}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    data["name"] = f"demo-{tier}-{scenario}"
    data["federation"]["group_skew"] = SKEW if scenario == "skewed" else 0.5
    data["gate"] = {"action": gate}
    if seed is not None:
        data["seed"] = seed
    return parse_plan(data, where=f"the {tier} demo's plan")


def starter_text() -> str:
    """What ``unsilent plan init`` writes: further modes that are installed stand as comments."""
    text = files(__name__).joinpath("starter.toml").read_text(encoding="utf-8")
    further = [
        f"# {mode.name} = {mode.section}  # {code}; every client needs it too\n"
        for code, mode in MODES.items()
        if code not in FIRST
    ]
    return "".join([text, *further])


def starter_plan() -> MonitoringPlan:
    """The plan that ``unsilent plan init`` writes."""
    return parse_plan(tomllib.loads(starter_text()), where="the starter plan")


def first_look_plan(pins: Mapping[str, str]) -> MonitoringPlan:
    """The plan of what ``unsilent demo`` shows first, with its probe files pinned by role."""
    text = files(__name__).joinpath("first-look.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    for role, pin in pins.items():
        data["probes"][role] += f"#{pin.replace(':', '=')}"
    return parse_plan(data, where="the first look's plan")
