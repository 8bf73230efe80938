"""What the items of each role must say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import LABELLED_ROLES, SITES, WRITTEN_ROLES
from unsilent.plan.probes import LEAST_ASKED, LEAST_OPEN

PROBE_ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful", "benign")
"""What the six modes are asked; a causal LM's or an encoder's whole bank holds all of them."""
ALL_ROLES: tuple[ItemRole, ...] = (*PROBE_ROLES, *WRITTEN_ROLES)


def asked_roles(plan: MonitoringPlan) -> list[ItemRole]:
    """The roles of public items that the planned modes need; not what sites label themselves."""
    needed: set[ItemRole] = {role for code in plan.planned for role in plan.roles(code)}
    return [r for r in ALL_ROLES if r in needed and getattr(plan.probes, r) != SITES]


def all_roles(plan: MonitoringPlan) -> list[ItemRole]:
    """Those of the six modes, planned or not, and what modes of open text need beside them."""
    found: list[ItemRole] = list(PROBE_ROLES)
    more: list[ItemRole] = [role for role in asked_roles(plan) if role in WRITTEN_ROLES]
    return found + more


def check_role(role: ItemRole, items: ItemSet, *, where: str) -> None:
    """Raise ItemError, naming the item, unless the set says what the role's statistics need."""
    if role in WRITTEN_ROLES:
        # Only here: kinds of open text know the modes' items, and roles are known before them.
        from unsilent.open_text.kinds import check_labelled, check_open, kind_of

        check = check_labelled if role in LABELLED_ROLES else check_open
        check(kind_of(role), items, where=where)
        return
    field, has = _NEEDS[role]
    for item in items:
        if not has(item):
            raise ItemError(
                f"item {item.id!r} has no {field!r}",
                where=where,
                remedy=f"Every item of probes.{role} needs it.",
            )
    if role == "bias":
        _check_pairs(items, where)
    if role == "task":
        domains = {item.domain for item in items}
        if None in domains or len(domains) < 2:
            raise ItemError(
                "fewer than two domains, or an item without one",
                where=where,
                remedy="Give every item of probes.task a domain, at least two in all.",
            )


_NEEDS: Mapping[ItemRole, tuple[str, Callable[[Item], bool]]] = {
    "bias": ("stereotyped", lambda item: item.stereotyped is not None),
    "task": ("answer", lambda item: item.answer is not None),
    "general": ("answer", lambda item: item.answer is not None),
    "harmful": ("safe", lambda item: bool(item.safe)),
    "benign": ("safe", lambda item: bool(item.safe)),
    "records": ("answer", lambda item: item.answer is not None),
}


def _check_pairs(items: ItemSet, where: str) -> None:
    """A pair, where there is one, joins at least two items."""
    counts: dict[str, list[str]] = {}
    for item in items:
        if item.pair is not None:
            counts.setdefault(item.pair, []).append(item.id)
    for pair, members in counts.items():
        if len(members) < 2:
            raise ItemError(
                f"pair {pair!r} has only item {members[0]!r}",
                where=where,
                remedy="A pair joins counterfactuals: give it at least two items.",
            )


def check_enough(plan: MonitoringPlan, role: ItemRole, items: ItemSet) -> None:
    """Check that a set has as many independent items as its intervals count on.

    Where all clients answer all of it and nothing else is spoken of, any number will do. Items that
    share ``pair`` are one, and so are those that say the same under several ids. Of labelled
    answers each kind is an error of its own: all kinds count as the one with fewest.

    Raises ItemError.
    """
    if role not in LABELLED_ROLES:
        refuse_fewer(plan, role, count_independent(items))
        return
    kind, count = count_labelled(role, items)
    refuse_fewer(plan, role, count, f"labelled answers, of each kind as many as of {kind!r},")


def refuse_fewer(
    plan: MonitoringPlan, role: ItemRole, units: int, what: str = "independent items"
) -> None:
    """Raise ItemError if so many independent items are fewer than the plan counts on."""
    if plan.monitor.items != "like-these" and plan.probes.sampling == "same":
        return
    asked = plan.drawn(role)
    counted = max(plan.bank(role), asked)
    if units < counted:
        key = "sizes" if units < asked else "banks"
        least = LEAST_OPEN if role in WRITTEN_ROLES else LEAST_ASKED
        set_to = f"Set probes.{key}.{role} to at most {units}, or give more items."
        raise ItemError(
            f"{units} {what} are fewer than the {counted} that the plan counts on",
            where=f"probes.{role}",
            remedy=set_to if units >= least else f"Give more items, {least} at least.",
        )


def count_labelled(role: ItemRole, items: ItemSet) -> tuple[str, int]:
    """The kind of which there are fewest labelled answers, and times the kinds how many there are.

    One text is one answer, however many people rated it.
    """
    from unsilent.open_text.kinds import TEXT, kind_of

    said = {(item.domain, item.prompt, item.attributes.get(TEXT)) for item in items}
    there = Counter(domain for domain, *_ in said)
    kinds = kind_of(role).mode.kinds
    least = min(kinds, key=lambda kind: there[kind])
    return least, len(kinds) * there[least]


def count_independent(items: ItemSet) -> int:
    """Units of a set that say something of their own, whatever their ids are."""
    units: dict[str, set[object]] = {}
    for item in items:
        key = f"item {item.id}" if item.pair is None else f"pair {item.pair}"
        units.setdefault(key, set()).add((item.prompt, item.choices, *_also(item)))
    return len(set(map(frozenset, units.values())))


def _also(item: Item) -> tuple[object, ...]:
    """What decides an item's answers or its statistic beside its texts."""
    shown = tuple(sorted(item.attributes.items()))
    return (item.answer, item.stereotyped, item.safe, item.group, item.task, item.chat, shown)
