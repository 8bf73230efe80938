"""The record as unit: what one held-out record can change in what its client releases.

Only records that the client is evaluated on, and never trained on, can be the unit: an adapter
depends on every record it was trained on, so nothing about those is promised. Given the adapters,
answers to public probes do not depend on evaluation records at all, and a mean over n of them
moves by a width over n. That a record enters in no other way is what ``record_rules`` sees to.
"""

from __future__ import annotations

import math
from dataclasses import replace

from unsilent.errors import OutcomeError
from unsilent.items import Item, ItemSet
from unsilent.modes import MODES
from unsilent.performance.family import is_count
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import (
    ACCURACY,
    CLIPPED_RECORDS,
    LOSS,
    MODEL_NAMES,
    SPREAD,
    SQUARE,
    SUBGROUP,
    VARIANCE,
    Coordinate,
)
from unsilent.release.counts import Counting, counting
from unsilent.release.layout import Layout

SMALLEST_PROBABILITY = 1e-12
"""A probability below counts as this much in the loss of one record, which is then bounded."""

RECORD_CONDITION = (
    "The unit is one evaluation record, given the adapters, which have seen the training records: "
    "how well anyone can tell what one such record says, another being in its place. It says "
    "nothing about the training records, nor about a client as a whole, and it holds only where no "
    "evaluation record was trained on or chosen by. No record decides what is asked: a client's "
    "home domain is declared by its owner. How many records a client has is not hidden, nor that a "
    "client stays away whose records are too few, cannot be scored or were trained on."
)


def disjoint(train: ItemSet, held_out: ItemSet) -> None:
    """Check that no held-out record has the text of a training record.

    Case and white space make no difference. Raises OutcomeError naming the record by its place:
    the error may travel, and an id of a private record is private too.
    """
    trained = {_text(item) for item in train}
    for number, item in enumerate(held_out, 1):
        if _text(item) in trained:
            raise OutcomeError(
                f"held-out record {number} has the text of a training record",
                where=held_out.name,
                remedy="Take it out of one of the two, or set privacy.unit to client.",
            )


def evaluation_records(plan: MonitoringPlan, train: ItemSet | None, held_out: ItemSet) -> None:
    """Check what the plan's unit demands of a client's records, before anything is measured.

    Args:
        plan: For its unit, and how many records it counts on.
        train: What the client trained on; None where its app does not tell, which only a plan with
            ``privacy.training`` leaves open: what it promises holds for a record that was both.
        held_out: What it is measured on.

    Raises OutcomeError, if the unit is the record, where a held-out record was trained on or
    there are fewer than ``federation.held_out``, which the sensitivity counts on.
    """
    if plan.privacy.unit != "record":
        return
    if train is not None:
        disjoint(train, held_out)
    if len(held_out) < plan.federation.held_out:
        raise OutcomeError(
            "fewer held-out records than the plan's sensitivity counts on",
            where=held_out.name,
            remedy="Hold out more, or lower federation.held_out.",
        )


def record_sensitivity(plan: MonitoringPlan, scale: int | None = None) -> float:
    """How far, in L2 norm, one held-out record can move its client's encoded vector.

    One of ``federation.held_out`` records replaced, the adapters as they are. Each coordinate moves
    by what its mode declares (``record_reach``) within its clip, rounded up: of integers, truncated
    numbers differ by no more. One that no record reaches does not move, since each number is
    clipped by itself, and carries no noise. ``clipped.records`` moves no more than the factors of
    the clips that it is about.

    Args:
        plan: The plan.
        scale: Integer steps per unit of the clip; by default the plan's.

    Returns:
        In integer units, above 0.
    """
    layout = Layout.from_plan(plan, scale=scale)
    body = [c for c in layout.coordinates[: -len(layout.reports)] if not is_count(c.name)]
    parts = [(_moved(plan, layout, each), layout.unit(each.name)) for each in body]
    boxed = max((_box_factor(plan, c) for c in body if _may_be_cut(c.name)), default=0.0)
    # Floats may put what is a whole number just below it.
    parts.append((boxed, layout.unit(CLIPPED_RECORDS)))
    steps = [math.ceil(part * unit + 1e-6) for part, unit in parts if part]
    counted = counting(plan, layout.clip, layout.scale)
    return math.hypot(*steps, 0.0 if counted is None else counted.moved)


def eased(plan: MonitoringPlan, layout: Layout, counted: Counting) -> tuple[Coordinate, ...]:
    """The coordinates of a layout whose other noised numbers leave the noise to the counts.

    All noised numbers have the same noise, as large as one record moves all of them. A metric over
    few records is moved by one of them a great deal, and would drown the counts. So each other
    number has a weight at which it is moved by a part of what the counts are, and no more: half of
    it, all of them together.
    """
    named = [c.name for c in layout.coordinates]
    body = named[: -len(layout.reports)]
    others = [n for n in named if n not in layout.exact and not is_count(n)]
    most = counted.moved / (2 * math.sqrt(max(len(others), 1)))
    boxed = [_box_factor(plan, c) for c in layout.coordinates if _may_be_cut(c.name)]

    def eased_one(each: Coordinate) -> Coordinate:
        if each.name not in others:
            return each
        moved = _moved(plan, layout, each) if each.name in body else max(boxed, default=0.0)
        steps = moved * layout.unit(each.name)
        if steps <= most:
            return each
        # Never less than one step.
        unit = max(1, math.floor(most / moved)) + 0.5
        return replace(each, weight=unit / (layout.clip * layout.scale))

    return tuple(map(eased_one, layout.coordinates))


def _moved(plan: MonitoringPlan, layout: Layout, coordinate: Coordinate) -> float:
    """Largest change of a coordinate as a share of its clip, before the joint clip."""
    lower, upper = _box(coordinate)
    if coordinate.name.endswith(SQUARE) and SUBGROUP not in coordinate.name:
        # |a^2 - b^2| <= 2 |a - b| for a and b in [-1, 1].
        code = coordinate.name.removesuffix(SQUARE)
        clip = layout.coordinates[layout.index(code)].clip
        return min(1.0, 2 * _reach(plan, code) / clip)
    if coordinate.name.endswith(VARIANCE) and SUBGROUP not in coordinate.name:
        # The same of a spread within [0, L], whose square enters as a part of its clip L^2.
        return min(1.0, 2 * _reach(plan, coordinate.name) / math.sqrt(coordinate.clip))
    return min(_reach(plan, coordinate.name), upper - lower) / coordinate.clip


def _box_factor(plan: MonitoringPlan, coordinate: Coordinate) -> float:
    """Largest change of min(1, clip / |value|) of a mode's effect, or of a metric's excess."""
    if coordinate.name in (LOSS, ACCURACY):
        return min(0.5, _reach(plan, coordinate.name) / coordinate.clip / 2)
    mode = MODES[coordinate.name]
    largest = max(abs(bound) for bound in mode.range)
    if largest <= coordinate.clip:
        return 0.0
    reach = mode.record_reach(plan.federation.held_out)[0]
    return min(reach / coordinate.clip, 1 - coordinate.clip / largest)


def _may_be_cut(name: str) -> bool:
    return name in MODES or name in (LOSS, ACCURACY)


def _reach(plan: MonitoringPlan, name: str) -> float:
    """Largest change of a value, in natural units, before any clip."""
    records = plan.federation.held_out
    if name == ACCURACY:
        return 2 / records
    if name == LOSS:
        return -2 * math.log(SMALLEST_PROBABILITY) / records
    if name in MODEL_NAMES:
        # Asked on public items and training records (``client.model_check``).
        return 0.0
    if SUBGROUP in name:
        # A domain may hold a single record.
        mode = MODES[name.split(SUBGROUP)[0]]
        return math.inf if mode.record_reach(records)[0] > 0 else 0.0
    value, spread = MODES[name.removesuffix(SPREAD).removesuffix(VARIANCE)].record_reach(records)
    return spread if name.endswith((SPREAD, VARIANCE)) else value


def _box(coordinate: Coordinate) -> tuple[float, float]:
    """The range of a coordinate's value after its own clip."""
    name, clip = coordinate.name, coordinate.clip
    if name in (LOSS, ACCURACY):
        return -clip, clip
    if name in MODEL_NAMES:
        return 0.0, clip
    if SUBGROUP not in name and name.endswith((SPREAD, VARIANCE)):
        lower, upper = 0.0, math.inf
    else:
        lower, upper = MODES[name.split(SUBGROUP)[0].removesuffix(SQUARE)].range
    return max(lower, -clip), min(upper, clip)


def _text(item: Item) -> str:
    return " ".join(item.prompt.casefold().split())
