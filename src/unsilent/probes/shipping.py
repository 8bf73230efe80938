"""Probe sets that a server ships to its clients, so that not every client needs a copy.

A file of the user's own whose items the plan pins travels with each message that needs probes. A
client takes it only under the pin of its own plan, see :func:`unsilent.probes.check.check_shipped`:
wherever a client's probes came from, they are those that the plan means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from unsilent.errors import InputError
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import SITES, UNLABELLED
from unsilent.plan.vision import VISION
from unsilent.probes.check import check_pin, check_shipped
from unsilent.probes.joined import read_probes
from unsilent.probes.known.spec import parse_sources
from unsilent.probes.roles import ALL_ROLES

Shipped = tuple[tuple[ItemRole, bytes], ...]
"""What was shipped, by role: JSONL in the item schema."""

_FIELD = "probes."


def shipped_fields(plan: MonitoringPlan, find: Callable[[str], Path]) -> dict[str, bytes]:
    """The fields of a message that carry the plan's pinned files, as far as they lie here.

    Of items that show images the items travel, which name each image by its content. The images
    do not: each client has its own copies.

    Args:
        plan: A source of its probes that is one file with a pin is shipped; no other is.
        find: From a path in the plan to where it lies; what is not there is not shipped, and
            clients then need their own copy.

    Raises:
        ItemError: A file is not the pinned one, or no client would take it.
    """
    fields: dict[str, bytes] = {}
    for role in ALL_ROLES:
        if getattr(plan.probes, role) in (SITES, UNLABELLED):
            continue
        source, *more = parse_sources(str(getattr(plan.probes, role)), role)
        if more or source.path is None or source.drawn or source.pin is None:
            continue
        path = find(source.path)
        if not path.is_file():
            continue
        items = read_probes(role, path, images=plan.model.kind == VISION)
        check_pin(items, source.pin, where=source.text)
        lines = [json.dumps(item.to_json(), sort_keys=True, ensure_ascii=False) for item in items]
        data = "\n".join(lines).encode()
        check_shipped(plan, role, data)
        fields[f"{_FIELD}{role}"] = data
    return fields


def shipped_in(order: Mapping[str, Any]) -> Shipped:
    """What a server's message ships, not yet checked against the plan.

    Raises:
        InputError: A field that is no probe set of a role.
    """
    found: list[tuple[ItemRole, bytes]] = []
    for field, data in sorted(order.items()):
        if not field.startswith(_FIELD):
            continue
        role = field.removeprefix(_FIELD)
        if role not in ALL_ROLES or not isinstance(data, bytes):
            raise InputError(
                "the server shipped what is no probe set",
                where=field[:60],
                remedy=f"Sets are bytes, for the roles {', '.join(ALL_ROLES)}.",
            )
        found.append((cast("ItemRole", role), data))
    return tuple(found)
