"""Published schemas: what a program that reads unsilent's output may rely on."""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, cast

from unsilent.errors import FindingsError

NEWEST = 3
"""The newest findings schema. Version 1 holds the paper's six modes, 2 any number of them; of a run
without differential privacy is version 3 alone."""
_VERSIONS = {f"unsilent/findings/{version}": version for version in range(1, NEWEST + 1)}


def schema(version: int = NEWEST) -> dict[str, Any]:
    """The JSON Schema of ``findings.json`` (draft 2020-12), as it ships with the package."""
    text = (files(__name__) / f"findings-{version}.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def validate(data: object) -> None:
    """Check published findings against the schema, and what a schema cannot say.

    Raises:
        FindingsError: Names the field. Beyond the schema: no mode is there twice and each round
            holds those that the last one does, intervals are ordered and hold the
            effect, a failure's interval lies above the tolerance, a healthy one's below, the window
            that is shown is one of those judged, and the oracle's ``agrees`` follows from its
            ``within_tolerance`` and the verdict.
    """
    try:
        # Version 2 knows values, their types and nothing of identity.
        packed = marshal.dumps(cast("Any", data), 2)
    except ValueError:
        _validate(data)
    else:
        _validated(packed)


@lru_cache(maxsize=32)
def _validated(packed: bytes) -> None:
    """Whoever writes findings has checked them, and each client in a process reads the same."""
    _validate(marshal.loads(packed))


def _validate(data: object) -> None:
    check_shape(data)
    whole = cast("Mapping[str, Any]", data)
    for finding in whole["findings"]:
        _consistent(finding)
    for each in whole.get("performance", ()):
        _performed(each)
    codes = [finding["code"] for finding in whole["findings"]]
    names = {finding["mode"] for finding in whole["findings"]}
    if len(set(codes)) < len(codes) or len(names) < len(codes):
        raise FindingsError("a mode is there twice", where="findings")
    for past in whole["rounds"]:
        if [entry["code"] for entry in past["findings"]] != codes:
            raise FindingsError("other modes than the last round's", where=f"round {past['round']}")


@cache
def _validator(definition: str | None, version: int) -> Any:
    # Slow to import, and only needed where findings are read or written.
    from jsonschema import Draft202012Validator

    whole = schema(version)
    if definition is not None:
        whole = {
            "$schema": whole["$schema"],
            "$ref": f"#/$defs/{definition}",
            "$defs": whole["$defs"],
        }
    return Draft202012Validator(whole)


def check_shape(data: object, definition: str | None = None) -> None:
    """Check data against the schema of its version, or against one of the newest's ``$defs``.

    Raises FindingsError.
    """
    from jsonschema.exceptions import best_match  # pyright: ignore[reportUnknownVariableType]

    version = NEWEST
    if definition is None:
        told = cast("Mapping[str, Any]", data).get("schema") if isinstance(data, Mapping) else None
        version = _VERSIONS.get(told, 1) if isinstance(told, str) else 1
    error = cast("Any", best_match(_validator(definition, version).iter_errors(data)))
    if error is not None:
        raise FindingsError(
            f"does not follow the findings schema: {error.message[:200]}",
            where=error.json_path,
            remedy="Read it with the version of unsilent that wrote it.",
        )


def _performed(found: Mapping[str, Any]) -> None:
    interval, tolerance = found["interval"], found["tolerance"]
    if interval is None:
        fault = found["verdict"] != "undetermined"
    else:
        above = {"failure": interval[0] < tolerance, "healthy": interval[1] > tolerance}
        fault = above.get(found["verdict"], False)
        fault = fault or not interval[0] <= found["effect"] <= interval[1]
    if fault:
        raise FindingsError(
            "a verdict that does not follow from its interval",
            where=f"performance {found['name']}",
        )


def _consistent(finding: Mapping[str, Any]) -> None:
    effect: float = finding["effect"]
    interval: list[float] | None = finding["interval"]
    tolerance: float = finding["tolerance"]
    verdict, oracle = finding["verdict"], finding["oracle"]
    fault = ""
    if interval is not None and not interval[0] <= effect <= interval[1]:
        fault = "the effect lies outside its interval"
    elif interval is not None and verdict == "failure" and interval[0] < tolerance:
        fault = "a failure whose interval does not lie above the tolerance"
    elif interval is not None and verdict == "healthy" and interval[1] > tolerance:
        fault = "a healthy verdict whose interval does not lie below the tolerance"
    elif any(not w["interval"][0] <= w["effect"] <= w["interval"][1] for w in finding["windows"]):
        fault = "the effect of a window lies outside its interval"
    elif interval is not None and not any(
        [w["first"], w["last"]] == finding["window"] and w["interval"] == interval
        for w in finding["windows"]
    ):
        fault = "the window that is shown is not one of those judged"
    elif oracle is not None:
        within = oracle["within_tolerance"]
        wrong = (verdict == "failure" and within) or (verdict == "healthy" and not within)
        if oracle["agrees"] == wrong:
            fault = "an oracle that does not say whether the verdict agrees with it"
    if fault:
        raise FindingsError(fault, where=f"finding {finding['code']}")
    for view in finding["views"]:
        _consistent(view)
