"""What pydantic found wrong with a plan, as one line that names file, key and remedy."""

from __future__ import annotations

import difflib
import re
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
_FORMS = {
    "name": "Use letters, digits, '.', '_' and '-', at most 64.",
    "reference": 'Use "base", or "round:N" with the number of a round.',
    "follows": "Write the whole digest of the plan before, as `unsilent plan check` prints it.",
    "answers": "Write FILE#sha256=DIGEST, as `unsilent probes answers` prints it.",
}
"""What a text has to look like, by its key."""
_KEY = re.compile(r"[a-z_]+(\.[a-z_]+)*")
_NEAR = 0.7
"""How alike a key has to be to be meant: of two modes' names the endings often are."""
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
    found = cast("list[Mapping[str, Any]]", error.errors(include_url=False))
    fault = found[0]
    path = tuple(_real_path(fault["loc"], data, missing=fault["type"] == "missing"))
    spot = f"{where}: {'.'.join(map(str, path))}" if path else where
    kind = str(fault["type"])
    context = cast("Mapping[str, Any]", fault.get("ctx", {}))
    if kind == "extra_forbidden":
        return PlanError("unknown key", where=spot, remedy=_known_keys(model, path))
    if kind == "missing":
        return PlanError("the key is missing", where=spot, remedy=_WRITE_ONE)
    if kind == "value_error":
        said = str(fault["msg"]).removeprefix("Value error, ")
        key, colon, rest = said.partition(": ")
        if path and colon and _KEY.fullmatch(key):
            return PlanError(rest, where=f"{spot}.{key}")
        return PlanError(said, where=spot)
    value = _shown(fault.get("input"))
    if kind in _COMPARISONS:
        bound, words = _COMPARISONS[kind]
        return PlanError(
            f"{value} {words} {context[bound]:g}", where=spot, remedy="Change the value."
        )
    if kind == "literal_error":
        return PlanError(f"{value} is not known", where=spot, remedy=f"Use {context['expected']}.")
    words = [str(each["ctx"]["expected"]) for each in found if each["type"] == "literal_error"
             and tuple(_real_path(each["loc"], data, missing=False)) == path]  # fmt: skip
    what, remedy = _of_kind(kind, [*map(str, path)], fault.get("input"), context)
    if words and kind == "tuple_type":
        remedy = f"Use {words[0]}, or a list in brackets."
    if what:
        return PlanError(f"{value} {what}", where=spot, remedy=remedy)
    return PlanError(f"{value}: {fault['msg']}", where=spot, remedy=_WRITE_ONE)


def _of_kind(
    kind: str, path: list[str], given: object, context: Mapping[str, Any]
) -> tuple[str, str]:
    """What is wrong with a value of the wrong kind, and what to write instead."""
    key = next((part for part in reversed(path) if not part.isdigit()), "KEY")
    if kind in ("float_type", "float_parsing", "int_type", "int_parsing"):
        if isinstance(given, str) and given.strip().endswith("%"):
            return "is not a number", "Write a share instead: 0.1 for 10%."
        return "is not a number", "Write one without quotes and units."
    if kind == "int_from_float":
        return "is not a whole number", "Write one without a fraction."
    if kind == "string_type":
        return "is not a text", f'Write it in quotes, as in {key} = "{given}".'
    if kind == "tuple_type":
        return "is not a list", f"Write it in brackets, as in {key} = [{_shown(given)}]."
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "is not a table", f"Write [{'.'.join(path)}], and its keys below it."
    if kind in ("too_long", "too_short"):
        most = context.get("max_length", context.get("min_length"))
        bound = "more" if kind == "too_long" else "fewer"
        return f"has {bound} entries than {most}", f"List {most}."
    if kind == "string_pattern_mismatch":
        return "does not have the form that it needs", _FORMS.get(
            key, f"It has to match {context['pattern']}."
        )
    return "", ""


def misread(data: object, read: object, *, where: str, path: str = "") -> PlanError | None:
    """The first value whose kind is not that of what was made of it.

    A number in quotes, or true for one, would be taken for the number in silence.

    Args:
        data: As the file has it.
        read: The same, as the plan holds it.
        where: The file.
        path: The keys that led here.

    Returns:
        None if nothing was made of another kind.
    """
    if isinstance(data, Mapping) and isinstance(read, Mapping):
        here = cast("Mapping[str, object]", data)
        there = cast("Mapping[str, object]", read)
        pairs = [(key, value, there[key]) for key, value in here.items() if key in there]
    elif isinstance(data, list | tuple) and isinstance(read, list | tuple):
        both = zip(cast("list[object]", data), cast("list[object]", read), strict=False)
        pairs = [(str(number), one, other) for number, (one, other) in enumerate(both)]
    elif isinstance(data, str | bool) and _number(read):
        key = path.rpartition(".")[2]
        plain = f": {key} = {read:g}" if isinstance(data, str) and not key.isdigit() else ""
        remedy = f"Write it without quotes{plain}." if isinstance(data, str) else "Write a number."
        return PlanError(f"{_shown(data)} is not a number", where=f"{where}: {path}", remedy=remedy)
    else:
        return None
    for key, one, other in pairs:
        fault = misread(one, other, where=where, path=f"{path}.{key}".strip("."))
        if fault is not None:
            return fault
    return None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=_NEAR)
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
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
