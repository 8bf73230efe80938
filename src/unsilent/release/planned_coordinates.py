"""The coordinates that a plan asks for: clips and weights of each."""

from __future__ import annotations

from dataclasses import replace

from unsilent.errors import PlanError
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.performance.family import is_count
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import (
    ACCURACY,
    CLIPPED,
    CLIPPED_RECORDS,
    LOSS,
    MODEL_NAMES,
    REPORTS,
    SPREAD,
    SQUARE,
    SUBGROUP,
    SYSTEM_NAMES,
    VARIANCE,
    Coordinate,
    subgroup_name,
)
from unsilent.release.counts import BESIDE_COUNTS, Counting
from unsilent.taxonomy import by_code

_EXACT_BITS = 16
"""Without noise a number is written down in up to 2^16 steps of its clip."""
_SUM_BITS = 30
"""And a sum of as many as take part within 2^30: a secure sum counts modulo 2^32."""
_SPREADS = 2.0
"""Clip of a released spread, in spreads of an unaffected client: each unit of it costs noise."""
_SUBGROUP_WEIGHT = 0.2
_REPORT_WEIGHT = 0.68
"""An interval's end rests on a report as much as on the effect, so that both are to be known about
as well. Their squares add up to less than 1, which leaves room for any client."""
_BOX_WEIGHT = 0.35
"""Without a joint clip no client makes room for it, so that it costs noise."""
_MODEL_WEIGHT = 0.4
"""A client that could show its model has 0 there, so that the weight takes no room from it. One
that could not has its numbers shrunk by it, and a failure is still to be seen in them."""


def planned_coordinates(
    plan: MonitoringPlan, counted: Counting | None, clip: float, *, model: bool
) -> tuple[Coordinate, ...]:
    """A plan's modes in the taxonomy's order, counts, system metrics, model, reports.

    A subgroup is clipped as its mode and takes a small share of the joint clip: in a healthy
    federation it costs the modes nothing, and it says where a failure is, not whether.

    Args:
        plan: The plan; its modes are installed here.
        counted: How its counts of records enter, if it has any.
        clip: The joint clip.
        model: False leaves out what is said of the measured model.
    """
    coordinates: list[Coordinate] = []
    for code in plan.planned:
        mode = plan.mode(by_code(code).mode)
        if mode is None:
            continue
        coordinates.append(Coordinate(code, mode.clip, mode.weight))
        coordinates.append(_spread(plan, code))
        if sampled_clients(plan):
            # What the clients' variance is read off. A share is 0 or 1 and its square with
            # it: more weight would cut off the clients that are in the tail.
            share = MODES[code].range[0] == 0
            coordinates.append(Coordinate(code + SQUARE, 1.0, 0.2 if share else 0.6))
        for domain in mode.subgroups:
            name = subgroup_name(code, domain)
            coordinates.append(Coordinate(name, mode.clip, _SUBGROUP_WEIGHT))
    coordinates += _counts(counted, clip)
    coordinates.append(Coordinate(LOSS, 1.0, 0.5))
    coordinates.append(Coordinate(ACCURACY, 0.5, 0.4))
    if model:
        coordinates += [Coordinate(name, 1.0, _MODEL_WEIGHT) for name in MODEL_NAMES]
    if plan.privacy.unit == "client":
        weight = BESIDE_COUNTS if counted else _REPORT_WEIGHT
        coordinates += [Coordinate(name, 1.0, weight) for name in REPORTS]
        return tuple(coordinates)
    coordinates.append(Coordinate(CLIPPED, 1.0, _BOX_WEIGHT))
    if plan.privacy.unit == "record":
        coordinates.append(Coordinate(CLIPPED_RECORDS, 1.0, _BOX_WEIGHT))
    return tuple(coordinates)


def sampled_clients(plan: MonitoringPlan) -> bool:
    """Whether the clients in a sum are a sample of those that the plan speaks of."""
    return plan.monitor.population == "like-these" or plan.taking_part < plan.federation.clients


def is_noised(plan: MonitoringPlan, name: str) -> bool:
    """Whether a coordinate carries noise where there is no joint clip."""
    if plan.privacy.unit == "none":
        return False
    if name in (*SYSTEM_NAMES, CLIPPED_RECORDS) or is_count(name):
        return True
    if name in MODEL_NAMES or name == CLIPPED:
        # Asked on public items and training records, and about what no record reaches.
        return False
    code = name.split(SUBGROUP)[0]
    for part in (SPREAD, VARIANCE, SQUARE):
        code = code.removesuffix(part)
    return any(MODES[code].record_reach(plan.federation.held_out))


def _counts(counted: Counting | None, clip: float) -> list[Coordinate]:
    """The coordinates of counts: at the most records of a client a whole number of steps."""
    if counted is None:
        return []
    # Half a step more: what a float makes of it never falls below the whole number.
    weight = (counted.step * counted.count + 0.5) / (clip * counted.scale)
    names = [name for family in counted.families for name in family.names]
    return [Coordinate(name, float(counted.count), weight) for name in names]


def with_all_steps(coordinate: Coordinate) -> Coordinate:
    """With all the steps that there are; counts have whole steps of a record as they are."""
    return coordinate if is_count(coordinate.name) else replace(coordinate, weight=1.0)


def exact_scale(clients: int) -> int:
    """Steps of a clip where nothing is noised: as fine as the sum over so many clients allows."""
    room = _SUM_BITS - (clients - 1).bit_length()
    if room < 1:
        raise PlanError(
            f"a secure sum of {clients} exact numbers could wrap",
            where="federation.clients",
            remedy="Let fewer take part in a round.",
        )
    return 1 << min(_EXACT_BITS, room)


def _spread(plan: MonitoringPlan, code: str) -> Coordinate:
    """The coordinate of a mode's spreads, or of their squares.

    Errors that all clients share add up as spreads do, errors of their own as squares. Each client
    has records of its own. Of public items that each draws from a bank both are there. Where few
    items of the bank carry an effect most clients draw none of them and see no spread at all: the
    mean of their spreads says too little of the bank, the mean of the squares does not.

    Of records its clip is the most that it can be with so many; whoever has fewer is refused. Of
    items it is the plan's, or a little more than what is to be expected, see ``Layout.encode``.
    """
    name, mode, planned = code + SPREAD, MODES[code], plan.mode(by_code(code).mode)
    if mode.view == "client_private":
        largest = mode.largest_spread({"records": plan.federation.held_out})
        return Coordinate(code + VARIANCE, largest**2, 0.5)
    sizes: dict[ItemRole, int] = {role: plan.probes.size(role) for role in plan.roles(code)}
    drawn = any(plan.bank(role) > size for role, size in sizes.items())
    if plan.monitor.items == "these" and not drawn:
        return Coordinate(name, mode.largest_spread(sizes), 0.2)
    largest = mode.largest_spread(sizes)
    if plan.privacy.unit != "client":
        return Coordinate(code + VARIANCE, largest**2, 0.8)
    expected = _SPREADS * mode.expected_spread_of(sizes)
    clip = min((planned.spread_clip if planned else None) or expected, largest)
    if drawn:
        return Coordinate(code + VARIANCE, clip**2, 0.6)
    return Coordinate(name, clip, 0.4)
