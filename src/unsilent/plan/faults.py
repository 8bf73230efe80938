"""What pydantic found wrong with a plan, as one line that names file, key and remedy."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from unsilent.errors import PlanError

_COMPARISONS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
}
_WRITE_ONE = "`unsilent plan init` writes a plan that is valid."


def plan_error(
    error: ValidationError, model: type[BaseModel], data: object, *, where: str
) -> PlanError:
    """The first fault of a validation as a PlanError.

    Args:
        error: What pydantic raised.
        model: The model that was validated, for the names of its keys.
        data: What was validated, to tell real keys from pydantic's own path entries.
        where: The file, or another name of the data's origin.
    """
    fault = cast("Mapping[str, Any]", error.errors(include_url=False)[0])
    path = tuple(_real_path(fault["loc"], data, missing=fault["type"] == "missing"))
    spot = f"{where}: {'.'.join(map(str, path))}" if path else where
    kind = str(fault["type"])
    context = cast("Mapping[str, Any]", fault.get("ctx", {}))
    if kind == "extra_forbidden":
        return PlanError("unknown key", where=spot, remedy=_known_keys(model, path))
    if kind == "missing":
        return PlanError("the key is missing", where=spot, remedy=_WRITE_ONE)
    if kind == "value_error":
        return PlanError(str(fault["msg"]).removeprefix("Value error, "), where=spot)
    value = _shown(fault.get("input"))
    if kind in _COMPARISONS:
        bound, words = _COMPARISONS[kind]
        return PlanError(
            f"{value} {words} {context[bound]:g}", where=spot, remedy="Change the value."
        )
    if kind == "literal_error":
        return PlanError(f"{value} is not known", where=spot, remedy=f"Use {context['expected']}.")
    return PlanError(f"{value}: {fault['msg']}", where=spot, remedy=_WRITE_ONE)


def _real_path(loc: tuple[str | int, ...], data: object, *, missing: bool) -> Iterator[str | int]:
    """The entries of a fault's location that lead through the data, without union members."""
    here = data
    for number, part in enumerate(loc, start=1):
        if isinstance(here, Mapping) and part in here:
            here = cast("Mapping[object, object]", here)[part]
            yield part
        elif isinstance(here, list) and part in range(len(cast("list[object]", here))):
            here = cast("list[object]", here)[int(part)]
            yield part
        elif missing and number == len(loc):
            yield part


def _known_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> str:
    """A remedy for an unknown key: the nearest known one, or all that are known there."""
    section: type[BaseModel] | None = model
    for part in path[:-1]:
        section = _section(section, str(part)) if section else None
    if section is None:
        return "Remove it."
    known = [field.alias or name for name, field in section.model_fields.items()]
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Remove it; known here: {', '.join(known)}."


def _section(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model that a key of another model holds, if it holds one."""
    field = model.model_fields.get(key)
    if field is None:
        return None
    annotation: object = field.annotation
    options = (
        typing.get_args(annotation)
        if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
        else (annotation,)
    )
    for option in options:
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _shown(value: object) -> str:
    """A value of the plan, short enough for one line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
