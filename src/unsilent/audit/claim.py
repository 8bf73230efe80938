"""What a plan promises, worked out a second time from its numbers alone.

An audit that takes its claim from the code it attacks believes that code's mistakes. Nothing here
comes from ``accountant``, ``noise`` or ``record_unit``: only a plan's numbers, what modes and
coordinates say of themselves, and published formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import (
    ACCURACY,
    CLIPPED,
    CLIPPED_RECORDS,
    LOSS,
    MODEL_NAMES,
    SPREAD,
    SQUARE,
    SUBGROUP,
    VARIANCE,
    is_variance,
    source,
)
from unsilent.release.layout import Layout

_FEWEST_STEPS = 1024
_LEAST_VARIANCE = 15.0
_LARGEST = 2**31 - 1
_COUNT = "records:"
"""What the names of counts of records begin with."""

_LEAST_PROBABILITY = 1e-12
_DEEP = -30.0
_HALVINGS = 200


def honest_floor(plan: MonitoringPlan) -> int:
    """N_min: ``(1 - dropout - collusion) * N`` in exact decimals, rounded down.

    The fewest honest clients whose noise is in a sum that is used. The only place of the audit
    that knows this formula.
    """
    privacy = plan.privacy
    share = 1 - _decimal(privacy.dropout) - _decimal(privacy.collusion)
    return math.floor(share * _taking_part(plan))


def colluders(plan: MonitoringPlan) -> int:
    """How many clients may side with the server: their noise protects nobody."""
    return math.ceil(_decimal(plan.privacy.collusion) * _taking_part(plan))


def steps(plan: MonitoringPlan) -> int:
    """Integer steps per unit of the joint clip: how vectors are written down.

    1024, doubled until an honest client's share of the noise has a standard deviation of 4 steps,
    its variance rounded up, as long as so many clients' numbers cannot wrap.
    """
    found, room = _FEWEST_STEPS, _LARGEST
    if plan.performance is not None:
        # A record is as many whole steps as the layout says; what that moves is reckoned here.
        found = Layout.from_plan(plan).scale
    if plan.privacy.aggregation == "secure-sum":
        room //= _taking_part(plan)
    honest = honest_floor(plan)
    while honest > 0:
        share = _reach(plan, found) / mu_of_one(plan) / math.sqrt(honest)
        finer = 2 * (plan.privacy.clip * found + 8 * share)
        if share**2 > _LEAST_VARIANCE or finer > room:
            break
        found *= 2
    return found


def reach(plan: MonitoringPlan) -> float:
    """How far one unit moves the sum, in L2 norm and integer units: the sensitivity.

    A client: C, twice if it is replaced. One of n held-out records: what ``record_moves`` says of
    each coordinate, each clipped by itself and rounded up to whole steps, and what
    ``clipped.records`` follows.
    """
    return _reach(plan, steps(plan))


def _reach(plan: MonitoringPlan, per_unit: int) -> float:
    bound = plan.privacy.clip * per_unit
    if plan.privacy.unit == "client":
        return bound * (2 if plan.privacy.adjacency == "replace-one" else 1)
    layout = Layout.from_plan(plan)
    moves: list[int] = []
    lost = 0.0
    for coordinate in layout.coordinates:
        name, clip = coordinate.name, coordinate.clip
        if name in (CLIPPED, CLIPPED_RECORDS) or name.startswith(_COUNT):
            continue
        moved = record_moves(plan, name) / clip
        if name.endswith(SQUARE) and SUBGROUP not in name:
            value = name.removesuffix(SQUARE)
            own = next(c.clip for c in layout.coordinates if c.name == value)
            moved = min(1.0, 2 * record_moves(plan, value) / own)
        if name.endswith(VARIANCE) and SUBGROUP not in name:
            # Of a spread within [0, L], whose square enters as a part of L^2.
            moved = min(1.0, 2 * record_moves(plan, name) / math.sqrt(clip))
        low, high = _box(name, clip)
        moved = min(moved, (high - low) / clip)
        moves.append(_whole_steps(moved * math.floor(coordinate.weight * bound)))
        lost = max(lost, _cut(plan, name, clip))
    report = next(c.weight for c in layout.coordinates if c.name == CLIPPED_RECORDS)
    moves.append(_whole_steps(lost * math.floor(report * bound)))
    return math.hypot(*moves, counts_move(plan, layout))


def longest(plan: MonitoringPlan) -> float:
    """The largest norm that a plan allows a vector, in integer units.

    Where the unit is the record each number is clipped by itself alone.
    """
    bound = plan.privacy.clip * steps(plan)
    if plan.privacy.unit == "client":
        return bound
    layout = Layout.from_plan(plan)
    return math.hypot(*(math.floor(each.weight * bound) for each in layout.coordinates))


def record_moves(plan: MonitoringPlan, name: str) -> float:
    """How far one of n held-out records moves a value, in natural units, before any clip.

    A mean over n moves by the width of one record's part over n. A mode that looks at records
    moves by what it declares, over its whole range if it says nothing, and a domain of it without
    bound; a mode that looks at public probes does not move.
    """
    records = plan.federation.held_out
    if name == ACCURACY:
        return 2 / records
    if name == LOSS:
        return 2 * math.log(1 / _LEAST_PROBABILITY) / records
    if name in MODEL_NAMES:
        return 0.0
    if name.startswith(_COUNT):
        return 1.0
    code = name.split(SUBGROUP)[0]
    for part in (SPREAD, VARIANCE, SQUARE):
        code = code.removesuffix(part)
    mode = MODES[code]
    if all(need.items != "records" for need in mode.needs):
        return 0.0
    value, spread = mode.record_reach(records)
    if name == code:
        return min(value, mode.range[1] - mode.range[0])
    return spread if SUBGROUP not in name else math.inf


def noised(plan: MonitoringPlan, layout: Layout) -> list[int]:
    """Positions of the coordinates that have to carry noise: where one unit shows at all.

    A client shows in all of them. A record in what it moves, and in what is said of clipping that.
    """
    names = layout.names
    if plan.privacy.unit == "client":
        return list(range(len(names)))
    return [
        at
        for at, name in enumerate(names)
        if name == CLIPPED_RECORDS
        or name.startswith(_COUNT)
        or (name != CLIPPED and record_moves(plan, name) > 0)
    ]


def record_worlds(
    plan: MonitoringPlan, layout: Layout, names: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Values of two clients that one record sets apart, as far as can be in these coordinates."""
    worlds = (dict.fromkeys(layout.inputs, 0.0), dict.fromkeys(layout.inputs, 0.0))
    for coordinate in layout.coordinates:
        name, own = coordinate.name, source(coordinate.name)
        if name not in names or own not in worlds[0]:
            continue
        low, high = _box(name, coordinate.clip)
        if is_variance(name):
            # A square is moved furthest where it is largest.
            most = math.sqrt(high)
            worlds[0][own], worlds[1][own] = most, max(0.0, most - record_moves(plan, name))
        elif own == name:
            half = min(record_moves(plan, name), high - low) / 2
            for world, side in zip(worlds, (half, -half), strict=True):
                world[name] = (low + high) / 2 + side
    return worlds


def mu_of_all(plan: MonitoringPlan) -> float:
    """The Gaussian-DP parameter that all releases of a client may reach together."""
    epsilon, delta = plan.privacy.epsilon, plan.privacy.delta
    return _crossing(lambda mu: log_delta(epsilon, mu) > math.log(delta), 1e-12, 1e6)


def mu_of_one(plan: MonitoringPlan) -> float:
    """As ``mu_of_all``, of one of the plan's releases: their squares add up."""
    return mu_of_all(plan) / math.sqrt(most_releases(plan))


def most_releases(plan: MonitoringPlan) -> int:
    """How many of the plan's releases any one client makes at most."""
    rounds = len(plan.monitoring_rounds)
    cap = plan.privacy.rounds_per_client
    return rounds if cap is None or cap > rounds else cap


def epsilon_of(mu: float, delta: float) -> float:
    """The epsilon that a mu-GDP mechanism costs at a delta."""
    if mu <= 0 or log_delta(0.0, mu) <= math.log(delta):
        return 0.0
    return _crossing(lambda epsilon: log_delta(epsilon, mu) <= math.log(delta), 1e-12, 1e9)


def log_delta(epsilon: float, mu: float) -> float:
    """log of the smallest delta of a Gaussian mechanism (Balle and Wang 2018, equation 6).

    ``delta = Phi(mu / 2 - epsilon / mu) - exp(epsilon) Phi(-mu / 2 - epsilon / mu)``.
    """
    first = _log_phi(mu / 2 - epsilon / mu)
    second = epsilon + _log_phi(-mu / 2 - epsilon / mu)
    return first + math.log(-math.expm1(second - first)) if second < first else -math.inf


def _log_phi(x: float) -> float:
    """log of the normal distribution function; far out by Mills' ratio as a continued fraction."""
    if x > _DEEP:
        return math.log(math.erfc(-x / math.sqrt(2)) / 2)
    ratio = -x
    for step in range(40, 0, -1):
        ratio = -x + step / ratio
    return -x * x / 2 - math.log(2 * math.pi) / 2 - math.log(ratio)


def _crossing(beyond: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition begins to hold between two positive numbers, by halving their ratio."""
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low


def _whole_steps(move: float) -> int:
    """The most integer steps between two truncated numbers that are so far apart."""
    return math.ceil(move + 1e-6) if move else 0


def _taking_part(plan: MonitoringPlan) -> int:
    return math.floor(_decimal(plan.federation.participation) * plan.federation.clients)


def _decimal(number: float) -> Fraction:
    """The number as it was written, so that 1 - 0.1 - 0.1 is 0.8."""
    return Fraction(repr(number))


def counts_move(plan: MonitoringPlan, layout: Layout) -> float:
    """How far one record moves all counts, in integer units; 0 of a plan without.

    By what the names say, not by what the release reckons with: of answers a record adds at most
    one each to how many there are, are right, were lost or gained, and never is lost and gained.
    """
    families: dict[str, list[tuple[str, float]]] = {}
    for coordinate in layout.coordinates:
        if coordinate.name.startswith(_COUNT):
            family, part = coordinate.name.rsplit(":", 1)
            step = math.floor(coordinate.weight * plan.privacy.clip * layout.scale)
            families.setdefault(family, []).append((part, step / coordinate.clip))
    alike: dict[tuple[str, ...], list[str]] = {}
    for family in families:
        _, records, what, of, by, _value = family.split(":")
        # A record is in one group, and of one class, at most.
        shared = (records, what, "" if what == "sensitivity" else of, by)
        alike.setdefault(shared, []).append(family)
    total = 0.0
    for (_, what, _, _), members in alike.items():
        parts = {part for part, _ in families[members[0]]}
        step = families[members[0]][0][1]
        total += (step * math.sqrt(_replaced(what, parts, len(members) > 1)) + _loose(what)) ** 2
    return math.sqrt(total)


def _replaced(what: str, parts: set[str], several: bool) -> float:
    """Square of how far one record in place of another one moves alike counts, in records."""
    kind = what.split(".")[0]
    if kind in ("scores", "mix"):
        return 2.0
    if kind == "words":
        return 3.0
    if kind == "gaps":
        bins = int(what.split(".")[2])
        return 6.0 if several else max(3.0, (1 + 1 / bins) ** 2 + 1)
    # Gained: it is there, right, and was not before; lost: it is there, and was right before.
    gained = 1.0 + ("right" in parts) + ("gained" in parts)
    lost = 1.0 + ("lost" in parts)
    swapped = ("right" in parts) + ("gained" in parts) + ("lost" in parts)
    right = 1.0 + ("right" in parts)
    longest = max(gained, lost, right)
    return max(2 * longest if several else longest, float(swapped))


def _loose(what: str) -> float:
    """What rounding parts of a record to whole steps may add to the length of a move."""
    return {"gaps": 2.0, "words": 3.0}.get(what.split(".")[0], 0.0)


def _box(name: str, clip: float) -> tuple[float, float]:
    """Where a value lies after its own clip."""
    if name in (LOSS, ACCURACY):
        return -clip, clip
    if name in MODEL_NAMES or name.startswith(_COUNT):
        return 0.0, clip
    code = name.split(SUBGROUP)[0]
    if SUBGROUP not in name and code.endswith((SPREAD, VARIANCE, SQUARE)):
        return 0.0, clip
    low, high = MODES[code].range
    return max(low, -clip), min(high, clip)


def _cut(plan: MonitoringPlan, name: str, clip: float) -> float:
    """How far one record moves the share of a value that its own clip leaves.

    ``clip / |value|`` falls by at most 1 / clip a unit; of a metric, half as much to a half.
    """
    if name in (LOSS, ACCURACY):
        return min(0.5, record_moves(plan, name) / clip / 2)
    if name not in MODES:
        return 0.0
    largest = max(abs(end) for end in MODES[name].range)
    return min(record_moves(plan, name) / clip, max(0.0, 1 - clip / largest))
