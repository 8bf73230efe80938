"""Ledger entries, times and phases in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from unsilent.ledger import Entry
from unsilent.report.view import VERDICTS

_LONGEST = 200

PHASES: Mapping[str, str] = {
    "under way": "No end is in the folder yet; pages follow as entries are written.",
    "quiet": "No end is in the folder, and no entry was written for an hour.",
    "ended": "The run wrote its findings and ended.",
}


def moment(time: datetime | str) -> str:
    """A time as people write it: "2026-11-22 17:54:02 UTC"; text that is none as it is."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return time
    if time.tzinfo is not None:
        time = time.astimezone(UTC)
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def summary(entry: Entry) -> str:
    """What an entry says, in a line; for kinds that are not known here, its payload."""
    try:
        text = _SUMMARIES.get(entry.kind, _payload)(entry.payload)
    except (AttributeError, KeyError, TypeError, ValueError):
        text = _payload(entry.payload)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def pretty(entry: Entry) -> str:
    """An entry's payload for people to read."""
    return json.dumps(entry.payload, indent=2, ensure_ascii=False)


def _payload(payload: object) -> str:
    return json.dumps(payload, ensure_ascii=False)


def _findings(payload: Mapping[str, Any]) -> str:
    count = Counter(finding["verdict"] for finding in payload["findings"])
    told = [
        f"{count[verdict]} {shown.symbol} {shown.word}"
        for verdict, shown in VERDICTS.items()
        if count[verdict]
    ]
    return f"{', '.join(told)}; {payload['clients']} clients"


_SUMMARIES: Mapping[str, Callable[[Any], str]] = {
    "plan": lambda p: f"declared: {p['plan']['name']}, {p['digest']}",
    "system": lambda p: f"mean loss {p['loss']:.3f}, mean accuracy {p['accuracy']:.3f}",
    "privacy_event": lambda p: (
        f"booked before asking: {p['kind'].replace('_', ' ')}, noise sd {p['sigma']:.4g} for "
        f"sensitivity {p['sensitivity']:.4g}"
    ),
    "sum": lambda p: f"the sum of {p['clients']} clients, {len(p['vector'])} noised numbers",
    "findings": _findings,
    "missed": lambda p: f"no sum: {p['reason']}",
    "stopped": lambda p: p["reason"],
    "gate": lambda p: (
        f"{p['action']}; clients use the adapter of round {p['promoted_round']}. {p['reason']}"
    ),
    "gate_overrule": lambda p: f"{p['by']} wants the adapter of round {p['round']}: {p['reason']}",
    "aware": lambda p: f"{p['by']} knows: {p['note']}",
}
