"""From a replay to the results that the package cites."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from unsilent.plan.personalization import USUAL
from unsilent.published import Results
from unsilent_bench.landscape_own import METHOD, own_row
from unsilent_bench.validation.shipped import summary

_FIELDS = (
    "tier",
    "mode",
    "scenario",
    "dose",
    "clients",
    "epsilon",
    "detection",
    "interval",
    "false_alarms",
    "false_alarms_interval",
    "undetermined",
    "beyond",
    "tolerance",
    "seeds",
)


def published(replay: bytes, validations: Iterable[bytes] = ()) -> Results:
    """The results that a replay and validations of the refusal measure give.

    Args:
        replay: The JSON of a replay, as ``unsilent bench replay --out`` writes it.
        validations: The JSON of each, as ``unsilent probes validate --out`` writes it.
    """
    every: list[dict[str, Any]] = json.loads(replay)["rows"]
    rows = [row for row in every if row.get("unit", "client") == "client"]
    cells = own_row(rows).cells
    kept = [
        {field: row[field] for field in _FIELDS}
        for row in rows
        if row["method"] == METHOD
        and row["epsilon"] is not None
        and row["mode"] != "all"
        and row["personalization"] == USUAL
    ]
    return Results(
        f"sha256:{hashlib.sha256(replay).hexdigest()}",
        {
            mode: {"rating": cell.rating, "evidence": cell.evidence, "where": cell.where}
            for mode, cell in cells.items()
        },
        tuple(kept),
        tuple(summary(validation) for validation in validations),
    )


def text(found: Results) -> str:
    """The results as the package holds them: JSON, one line a row."""
    data = found.to_json()
    rows = ",\n".join(f"    {json.dumps(row)}" for row in data.pop("rows"))
    if not data["validations"]:
        del data["validations"]
    head = json.dumps(data, indent=2, ensure_ascii=False)[:-2]
    return f'{head},\n  "rows": [\n{rows}\n  ]\n}}\n'
