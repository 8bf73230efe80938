"""What a plan of a vision model has to say: it is shown images, which no text set holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unsilent.modes import MODES
from unsilent.modes.base import ItemRole

if TYPE_CHECKING:
    from unsilent.plan.document import MonitoringPlan

VISION = "vision"
"""The ``model.kind`` that is shown images."""


def probe_roles(plan: MonitoringPlan) -> tuple[ItemRole, ...]:
    """The roles of the public probes that the planned modes are asked, sorted."""
    needed: set[ItemRole] = {role for code in plan.planned for role in plan.roles(code)}
    return tuple(role for role in sorted(needed) if role != "records")


def fault_of(plan: MonitoringPlan) -> str | None:
    """Why a vision model cannot be asked what the plan asks; None if it can.

    Every probe set that a planned mode needs has to be a file, whose items then show images: the
    embedded sets, the known ones and the harness's tasks are texts.
    """
    from unsilent.probes.known.spec import parse_sources

    if plan.model.id == "embedded":
        return "model.id: no vision model is embedded; give a folder or a hub id"
    for code in plan.planned:
        for need in MODES[code].needs:
            if need.items == "records":
                continue
            text = str(getattr(plan.probes, need.items))
            sources = parse_sources(text, need.items)
            if any(source.path is None or source.drawn for source in sources):
                return (
                    f"modes.{MODES[code].name}: it is measured on probes.{need.items}, which is "
                    f"{text!r}, of texts, and a vision model is shown images; name a file "
                    "of items that show some, or leave the mode out"
                )
            if len(sources) > 1:
                return (
                    f"probes.{need.items}: images lie beside the one file that names them; join "
                    "the files to one"
                )
    return None
