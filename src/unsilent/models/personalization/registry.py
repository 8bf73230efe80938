"""Methods of personalization by name: the package's own, and those of other distributions.

Another distribution adds one by an entry point of the group ``unsilent.personalization``: its name
is the method's, its object a frozen dataclass that is a ``Personalization``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, cast

from unsilent.errors import PlanError
from unsilent.models.personalization.methods import Ditto, FedPer, FedSA, FineTune, Local
from unsilent.models.personalization.protocol import Personalization

GROUP = "unsilent.personalization"
OWN: Mapping[str, type[Personalization]] = MappingProxyType(
    {"fine-tune": FineTune, "ditto": Ditto, "fedsa": FedSA, "local": Local, "fedper": FedPer}
)
"""The package's own, the usual one first."""
_WHERE = "federation.personalization"

Option = int | float | str
"""What a plan may set an option to."""


def known() -> tuple[str, ...]:
    """All names there are here: the package's own, then those that are installed, sorted."""
    return (*OWN, *sorted({each.name for each in entry_points(group=GROUP)} - OWN.keys()))


def method_of(name: str, options: Mapping[str, Option] = MappingProxyType({})) -> Personalization:
    """A method with its options.

    A name that is not the package's own loads code of another distribution.

    Args:
        name: One of ``known()``.
        options: By name; what is not named has the method's default.

    Raises:
        PlanError: No such method, no such option, or a value that the method refuses.
    """
    kind = _kind(name)
    of = {_option(field.name): field for field in fields(cast("Any", kind))}
    given: dict[str, object] = {}
    for option, value in options.items():
        if option not in of:
            raise PlanError(
                f"{name} has no option {option!r}",
                where=_WHERE,
                remedy=f"Known: {', '.join(of)}." if of else "It has none; leave it out.",
            )
        usual = of[option].default
        if isinstance(usual, float) and isinstance(value, int):
            value = float(value)
        if type(value) is not type(usual):
            raise PlanError(
                f"{name}: {option} = {value!r} is no {type(usual).__name__}",
                where=_WHERE,
                remedy=f"Use one such as {usual!r}.",
            )
        given[of[option].name] = value
    return kind(**given)


def options_of(method: Personalization) -> dict[str, Option]:
    """A method's options by name, defaults filled in."""
    return {_option(name): value for name, value in asdict(cast("Any", method)).items()}


def _kind(name: str) -> type[Personalization]:
    if name in OWN:
        return OWN[name]
    found = [each for each in entry_points(group=GROUP) if each.name == name]
    if not found:
        raise PlanError(
            f"no personalization is called {name!r}",
            where=_WHERE,
            remedy=f"Known here: {', '.join(known())}.",
        )
    kind = found[0].load()
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise PlanError(
            f"{found[0].value} is no dataclass",
            where=f"{_WHERE} {name}",
            remedy="Let the entry point name a frozen dataclass with the method's options.",
        )
    return cast("type[Personalization]", kind)


def _option(field: str) -> str:
    """A field's name in a plan: ``lambda_`` avoids a word of the language."""
    return field.rstrip("_")
