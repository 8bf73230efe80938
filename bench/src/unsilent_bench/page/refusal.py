"""The table of the refusal measure's checks, model by model, from validations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("model", "adapters, seeds", "part", "what", "found", "asked", "")


def refusal_lines(validations: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Rows of cells: each check on adapters of each model, its interval and whether it is met.

    Args:
        validations: As ``RefusalValidation.to_json`` gives them.
    """
    lines = []
    for found in validations:
        settings = found["settings"]
        of = [str(settings["model"]), f"{len(found['adapters'])}, {settings.get('seeds', 1)}"]
        for check in found["checks"]:
            if check["part"] == "a":
                continue
            asked = ""
            if check["limit"] is not None:
                asked = f"{'≥' if check['at_least'] else '≤'} {check['limit']:g}"
            met = {True: "met", False: "**not met**", None: ""}[check["passed"]]
            lines.append([*of, f"({check['part']})", check["says"], _found(check), asked, met])
    return lines


def _found(check: Mapping[str, Any]) -> str:
    value = _number(check["value"])
    if check["low"] is None:
        return value
    return f"{value} [{_number(check['low'])}, {_number(check['high'])}]"


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.2f}"
