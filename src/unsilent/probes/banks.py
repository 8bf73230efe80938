"""Banks: all units of a role, and which of them one client answers in one round.

A unit is what is drawn together: the items of a pair, else one item. See ``probes.draw`` for the
draw itself, which anyone can make again who has the plan, its banks and who the client is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import PlanError
from unsilent.items import Item, ItemSet
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.modes import SMALLEST_SUBGROUP
from unsilent.plan.open_text import LABELLED_ROLES
from unsilent.probes.draw import draw_seed, drawn
from unsilent.probes.roles import PROBE_ROLES
from unsilent.taxonomy import by_code

FEWEST_OF_A_DOMAIN = 2
"""Units of a domain that each draw has to hold where a number is taken of that domain alone."""

Unit = tuple[int, ...]


def units_of(items: ItemSet) -> tuple[Unit, ...]:
    """Places of the items of each unit, by the place of its first one."""
    found: dict[tuple[bool, str], list[int]] = {}
    for place, item in enumerate(items):
        found.setdefault(_unit(item), []).append(place)
    return tuple(tuple(places) for places in found.values())


def count_units(items: ItemSet) -> int:
    """How many units a set holds."""
    return len({_unit(item) for item in items})


def strata_of(items: ItemSet, units: Sequence[Unit]) -> NDArray[np.int64]:
    """(n_units,) number of each unit's stratum: the domain and answer of its first item.

    Strata of one domain follow each other, so that a draw gives a domain its share as well.
    """
    kinds = _kinds(items, units)
    number = {kind: n for n, kind in enumerate(sorted(set(kinds)))}
    return np.array([number[kind] for kind in kinds], dtype=np.int64)


def strata_names(items: ItemSet) -> Counter[tuple[str, int | None]]:
    """Units of each stratum, by domain and answer, in the order in which they are drawn."""
    found = Counter(_kinds(items, units_of(items)))
    return Counter({(d, None if a < 0 else a): found[d, a] for d, a in sorted(found)})


def _kinds(items: ItemSet, units: Sequence[Unit]) -> list[tuple[str, int]]:
    first = (items.items[places[0]] for places in units)
    return [(item.domain or "", -1 if item.answer is None else item.answer) for item in first]


def cut(items: ItemSet, count: int, *names: object) -> ItemSet:
    """``count`` units of a set, drawn by what names the draw; the set itself if it has no more."""
    units = units_of(items)
    if len(units) <= count:
        return items
    places = drawn(strata_of(items, units), count, draw_seed(*names))
    chosen = sorted(place for unit in places for place in units[unit])
    return replace(items, items=tuple(items.items[place] for place in chosen))


def parts_of(items: ItemSet, most: int = 256) -> Iterator[ItemSet]:
    """A set in parts of whole units, each of ``most`` items or of one unit with more.

    What a model keeps of a set while it scores it is then bounded, however large a bank is.
    """
    part: list[int] = []
    for unit in units_of(items):
        if part and len(part) + len(unit) > most:
            yield replace(items, items=tuple(items.items[place] for place in part))
            part = []
        part += unit
    yield replace(items, items=tuple(items.items[place] for place in part))


def own_probes(
    plan: MonitoringPlan, banks: Mapping[ItemRole, ItemSet], client: str, round_number: int
) -> dict[ItemRole, ItemSet]:
    """What one client answers in one monitoring round, the same under all adapters.

    Args:
        plan: Says how many of each role, and whether each client has its own.
        banks: As ``load_probes`` gives them.
        client: Who it is, in the words that both sides know: see ``client.participant.drawn_as``.
        round_number: The monitoring round.

    Returns:
        By role ``probes.size(role)`` units in the bank's order; the banks where the plan lets all
        clients answer the same.
    """
    if plan.probes.sampling == "same":
        return dict(banks)
    return {
        role: cut(bank, plan.drawn(role), plan.digest, client, round_number, role)
        for role, bank in banks.items()
    }


def check_draws(plan: MonitoringPlan, banks: Mapping[ItemRole, ItemSet]) -> None:
    """Raise PlanError if a draw may hold too few items of what a mode is measured on.

    That is a domain that the plan lists, or what lies away from a client's home domain. A listed
    domain's interval counts on a share of the items, too (``SMALLEST_SUBGROUP``).
    """
    for role in LABELLED_ROLES:
        if role in banks:
            _check_kinds(plan, role, banks[role])
    covered = plan.probes.sampling == "matrix" or plan.monitor.items == "like-these"
    for code in plan.planned:
        mode = MODES[code]
        for role in PROBE_ROLES:
            if role not in banks or all(need.items != role for need in mode.needs):
                continue
            sizes, count = domains_of(banks[role]), plan.probes.size(role)
            whole = sizes.total()
            for domain in plan.subgroups(code) if covered else ():
                if 0 < sizes[domain] < SMALLEST_SUBGROUP * whole:
                    raise PlanError(
                        f"the domain {domain!r} has {sizes[domain]} of {whole} items, less than "
                        f"the {SMALLEST_SUBGROUP:.1%} that its interval counts on",
                        where=f"modes.{by_code(code).mode}.subgroups",
                        remedy='Leave the domain out, or set monitor.items = "these" and '
                        'probes.sampling = "same".',
                    )
            if plan.probes.sampling == "same":
                continue
            if count >= whole:
                continue
            for domain in plan.subgroups(code):
                if least_drawn(sizes[domain], whole, count) < FEWEST_OF_A_DOMAIN:
                    needed = math.ceil(FEWEST_OF_A_DOMAIN * whole / sizes[domain])
                    raise PlanError(
                        f"a client's {count} items may hold fewer than {FEWEST_OF_A_DOMAIN} of the "
                        f"domain {domain!r}, which has {sizes[domain]} of {whole}",
                        where=f"modes.{by_code(code).mode}.subgroups",
                        remedy=f"Set probes.sizes.{role} to {needed}, or leave the domain out.",
                    )
            if mode.needs_home and len(sizes) > 1:
                away = whole - max(sizes.values())
                if least_drawn(away, whole, count) < FEWEST_OF_A_DOMAIN:
                    raise PlanError(
                        f"a client's {count} items may all be of its home domain: the largest "
                        f"domain has {whole - away} of {whole}",
                        where=f"probes.{role}",
                        remedy="Give more items of other domains, or raise probes.sizes."
                        f"{role} to {math.ceil(FEWEST_OF_A_DOMAIN * whole / away)}.",
                    )


def domains_of(items: ItemSet) -> Counter[str]:
    """Units of each domain, by their first item."""
    return Counter(items.items[places[0]].domain or "" for places in units_of(items))


def least_drawn(part: int, whole: int, count: int) -> int:
    """The fewest of ``part`` neighbouring units that a draw of ``count`` of ``whole`` holds."""
    return part if count >= whole else count * part // whole


def overlap(count: int, bank: int) -> float:
    """Units that two clients' draws have in common, in the mean over draws."""
    return count * count / bank if count < bank else float(bank)


def _unit(item: Item) -> tuple[bool, str]:
    return (True, item.pair) if item.pair is not None else (False, item.id)


def _check_kinds(plan: MonitoringPlan, role: ItemRole, items: ItemSet) -> None:
    """Raise PlanError if a draw may hold too few labelled answers of a kind."""
    # Waits for a plan with labelled answers: it knows the modes' kinds, and they know banks.
    from unsilent.open_text.kinds import kind_of

    there_are, count = domains_of(items), plan.probes.size(role)
    kinds = kind_of(role).mode.kinds
    for kind in kinds:
        there = there_are[kind]
        share = there / there_are.total()
        same = plan.probes.sampling == "same"
        fewest = there if same else math.floor(count * share)
        # A kind's mean rests on its own answers: intervals count on an even share of them.
        even = count // len(kinds)
        if fewest >= FEWEST_OF_A_DOMAIN and not same and round(count * share) < even:
            raise PlanError(
                f"a client's draw of {count} holds {fewest} labelled answers of the kind {kind!r}, "
                f"of which there are {there} of {there_are.total()}, and intervals count on {even}",
                where=f"probes.{role}",
                remedy="Give as many answers of each kind.",
            )
        if fewest < FEWEST_OF_A_DOMAIN:
            raise PlanError(
                f"a client's draw of {count} may hold fewer than {FEWEST_OF_A_DOMAIN} labelled "
                f"answers of the kind {kind!r}, of which there are {there} of "
                f"{there_are.total()}",
                where=f"probes.{role}",
                remedy=f"Raise probes.sizes.{role}, or give as many answers of each kind.",
            )
