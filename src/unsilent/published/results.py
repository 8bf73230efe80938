"""Read the published results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

SCHEMA = "unsilent/published/1"


@dataclass(frozen=True)
class Results:
    """The benchmark's results on fresh federations.

    Attributes:
        replay: ``sha256:`` of the replay's JSON that they were taken from.
        own_row: By mode, the cell of unsilent's own row in the landscape: ``rating``,
            ``evidence`` and ``where``.
        rows: What was found of each scenario and dose: ``tier``, ``mode``, ``scenario``, ``dose``,
            ``clients``, ``epsilon``, shares in [0, 1] with their intervals, and ``seeds``.
        validations: Of each model that the refusal measure was held against: ``settings``,
            ``checks`` with their intervals and limits, and the digest of the ``validation``.
    """

    replay: str
    own_row: Mapping[str, Mapping[str, str]]
    rows: tuple[Mapping[str, Any], ...]
    validations: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The results as JSON-ready data."""
        return {
            "schema": SCHEMA,
            "replay": self.replay,
            "own_row": {mode: dict(cell) for mode, cell in self.own_row.items()},
            "validations": [dict(each) for each in self.validations],
            "rows": [dict(row) for row in self.rows],
        }

    def nearest(self, tier: str, clients: int, epsilon: float) -> tuple[Mapping[str, Any], ...]:
        """The rows of a tier whose clients, and then epsilon, are nearest from below.

        Where all have more than asked for, those with the fewest.

        Args:
            tier: ``fleet`` or ``lm``.
            clients: How many a plan enrols.
            epsilon: Its budget, above 0.
        """
        own = [row for row in self.rows if row["tier"] == tier]
        for key, asked in (("clients", clients), ("epsilon", epsilon)):
            there = sorted({row[key] for row in own})
            if there:
                best = max((each for each in there if each <= asked), default=there[0])
                own = [row for row in own if row[key] == best]
        return tuple(own)


@lru_cache(maxsize=1)
def results() -> Results:
    """The published results of this version."""
    text = (files("unsilent.published") / "results.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return Results(
        data["replay"], data["own_row"], tuple(data["rows"]), tuple(data.get("validations", ()))
    )
