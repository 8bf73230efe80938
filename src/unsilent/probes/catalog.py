"""The known probe sets: what each is, and whether it may be trained on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from unsilent.errors import PlanError
from unsilent.items import ItemSet
from unsilent.probes.fingerprints import copied_from
from unsilent.probes.known import bias_sets, question_sets, requests
from unsilent.probes.known.base import KnownSet

GROUP = "unsilent.probes"
"""Entry points by which other distributions add sets: a set's name, and where its KnownSet is."""

_OWN = {known.name: known for known in (*bias_sets.SETS, *question_sets.SETS, *requests.SETS)}


def _installed() -> tuple[dict[str, KnownSet], dict[str, str]]:
    """The sets of other distributions, and what is wrong with those that cannot be used."""
    found: dict[str, KnownSet] = {}
    wrong: dict[str, str] = {}
    for each in entry_points(group=GROUP):
        of = each.dist.name if each.dist else each.value
        if each.name in _OWN or each.name in found:
            wrong[each.name] = f"{of} names a set that is there already"
            continue
        try:
            known = each.load()
        except Exception as error:  # another's code may raise anything, and concerns its set alone
            wrong[each.name] = f"{of} cannot be loaded ({type(error).__name__})"
            continue
        if isinstance(known, KnownSet) and known.name == each.name:
            found[each.name] = known
        else:
            wrong[each.name] = f"{each.value} of {of} is no KnownSet of that name"
    return found, wrong


_OTHERS, _WRONG = _installed()

KNOWN: Mapping[str, KnownSet] = MappingProxyType(_OWN | _OTHERS)
"""Every known set, by its name."""


# Records are trained on round after round; what was looked through once is not again.
_PASSED: set[tuple[str, str]] = set()
_MOST_PASSED = 10_000


def find(name: str) -> KnownSet:
    """A known set by its name, ``-`` for ``_`` and case aside. Raises PlanError."""
    plain = name.casefold().replace("-", "_")
    known = KNOWN.get(plain)
    if known is None and plain in _WRONG:
        raise PlanError(
            f"the known set {name!r} is not usable: {_WRONG[plain]}",
            remedy="Mend that distribution or uninstall it.",
        )
    if known is None:
        near = difflib.get_close_matches(name.casefold(), KNOWN, n=1)
        raise PlanError(
            f"no known set is named {name!r}",
            where="NAME",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(KNOWN)}.",
        )
    return known


def refuse_as_training(records: ItemSet) -> None:
    """Raise PlanError if records are, or were copied out of, a set that must not be trained on.

    A set is known by its name, ``bbq`` or a probe source such as ``known:bbq:PATH``, and records
    under any name by their sentences, see :mod:`unsilent.probes.fingerprints`.
    """
    if (records.name, records.digest) in _PASSED:
        return
    name = records.name.removeprefix("known:")
    for mark in "?#:":
        name = name.partition(mark)[0]
    known = KNOWN.get(name.casefold().replace("-", "_"))
    if known is None or not known.no_training:
        known = KNOWN.get(copied_from(records) or "")
    if known is not None and known.no_training:
        raise PlanError(
            f"{known.name} is not for training: {known.no_training}",
            where=records.name,
            remedy="Train on other data; use it as probes.",
        )
    if len(_PASSED) >= _MOST_PASSED:
        _PASSED.clear()
    _PASSED.add((records.name, records.digest))


def to_json(known: KnownSet) -> dict[str, Any]:
    """The facts about a set, ready for JSON."""
    return {
        "name": known.name,
        "title": known.title,
        "role": known.roles[0],
        "roles": list(known.roles),
        "rows": sum(known.rows.values()),
        "rows_by_part": dict(known.rows),
        "rows_source": known.rows_source,
        "licence": known.licence,
        "licence_seen": known.licence_seen or None,
        "citation": known.citation,
        "home": known.home,
        "files": list(known.files),
        "beside": list(known.beside),
        "sha256": dict(known.sha256),
        "select": list(known.select),
        "training": known.no_training or None,
        "from": {
            "path": True,
            "package": known.package.requirement if known.package else None,
            "hub": known.hub,
        },
        "offline": "path or package" if known.package else "path",
    }
