"""Whether a mode says all that it has to: one that forgets a part is never measured half."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, cast, get_args

from pydantic import BaseModel

from unsilent.errors import ModeError
from unsilent.modes.base import AdapterRole, FailureMode, ItemRole, Layer, Need, View

CODE = re.compile(r"[A-Z]{2,8}-[1-9][0-9]{0,3}")
"""What a code looks like. The findings schema says the same of codes that it does not know."""
NAME = re.compile(r"[a-z][a-z0-9_]{2,47}")
"""What a plan key looks like."""

Part = tuple[Callable[[Any], bool], str]


def mode_of(loaded: object, where: str) -> FailureMode:
    """The mode that a module holds, or that a class is.

    Args:
        loaded: A module that defines one mode, or a subclass of ``FailureMode``.
        where: Named in errors.

    Raises:
        ModeError: It is neither, or a part is missing or wrong, which it names.
    """
    found = defined_in(loaded) if isinstance(loaded, ModuleType) else [loaded]
    modes = [each for each in found if isinstance(each, type) and issubclass(each, FailureMode)]
    if len(modes) != 1:
        raise ModeError(
            f"{len(modes) or 'no'} modes are defined here",
            where=where,
            remedy="Define one subclass of unsilent.modes.base.FailureMode; a base of it that is "
            "none itself begins with an underscore.",
        )
    return declared(modes[0])


def declared(kind: type[FailureMode]) -> FailureMode:
    """A mode of this class. Raises ModeError naming the first part that is missing or wrong."""
    where = f"{kind.__module__}.{kind.__qualname__}"
    for part, (fits, looks) in _PARTS.items():
        if not hasattr(kind, part):
            raise ModeError(
                f"the mode does not say its {part!r}",
                where=where,
                remedy=f"Give the class {part}, {looks}.",
            )
        if not fits(getattr(kind, part)):
            raise ModeError(f"its {part!r} is not {looks}", where=where, remedy="Correct it.")
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise ModeError(
            f"the mode does not say how to {missing}", where=where, remedy=f"Define {missing}()."
        )
    if kind.clip <= kind.tolerance:
        raise ModeError("its 'clip' is not above its 'tolerance'", where=where)
    if kind.range[0] == 0 and kind.clip < 1:
        raise ModeError("its 'clip' cuts a share short", where=where, remedy="Set it to 1.")
    private = any(need.items == "records" for need in kind.needs)
    if private and kind.range[0] == 0:
        raise ModeError(
            "a share of clients is told on private records, of which each has few: many clients "
            "would be on the wrong side of its threshold",
            where=where,
            remedy="Measure how much, as SF-3 does, and let the range start below 0.",
        )
    if private != (kind.view == "client_private"):
        raise ModeError(
            "its 'view' is client_private if, and only if, its 'needs' name records", where=where
        )
    return kind()


def defined_in(module: ModuleType) -> list[object]:
    """The classes of modes that a module defines itself; bases with an underscore are none."""
    return [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, FailureMode)
        and each is not FailureMode
        and each.__module__ == module.__name__
        and not each.__name__.startswith("_")
    ]


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value


def _range(value: Any) -> bool:
    if not isinstance(value, tuple):
        return False
    ends = cast("tuple[Any, ...]", value)
    numbers = all(isinstance(end, (int, float)) and math.isfinite(end) for end in ends)
    # A statistic that starts at 0 is judged as a share of clients.
    return len(ends) == 2 and numbers and ends[0] < ends[1] and (ends[0] != 0 or ends[1] == 1)


def _needs(value: Any) -> bool:
    if not isinstance(value, tuple) or not value:
        return False
    return all(
        isinstance(need, Need)
        and need.adapter in get_args(AdapterRole)
        and need.items in get_args(ItemRole)
        for need in cast("tuple[Any, ...]", value)
    )


def _codes(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(code, str) and CODE.fullmatch(code) for code in cast("tuple[Any, ...]", value)
    )


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (int, float)) and low <= value <= high


_PARTS: Mapping[str, Part] = {
    "code": (
        lambda code: isinstance(code, str) and CODE.fullmatch(code) is not None,
        "a code such as 'SF-7' or 'ACME-1'",
    ),
    "name": (
        # A plan's section is a pydantic model, whose own names are taken.
        lambda name: (
            isinstance(name, str)
            and NAME.fullmatch(name) is not None
            and not hasattr(BaseModel, name)
        ),
        "a plan key in small letters, such as 'over_refusal'",
    ),
    "title": (lambda title: _text(title) and len(title) <= 40, "a few words on one line"),
    "what": (_text, "one sentence on what goes wrong"),
    "layer": (lambda layer: layer in get_args(Layer), f"one of {', '.join(get_args(Layer))}"),
    "leads_to": (_codes, "a tuple of codes"),
    "feeds_back_into": (_codes, "a tuple of codes"),
    "tolerance": (_number(0.01, 1.0), "a number from 0.01 to 1"),
    "clip": (_number(0.01, 2.0), "a number of at most 2"),
    "view": (lambda view: view in get_args(View), f"one of {', '.join(get_args(View))}"),
    "needs": (_needs, "a tuple of Need, of known adapters and items"),
    "range": (_range, "two finite numbers, the lower one first; (0, 1) if it starts at 0"),
    "item_range": (_range, "two finite numbers, the lower one first; (0, 1) if it starts at 0"),
    "statistic": (_text, "one line on what is measured"),
    "source": (_text, "one line on where the statistic comes from"),
}
