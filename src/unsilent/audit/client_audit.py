"""The audit of what a client keeps to: its plan's figures, and its own limit over all plans.

Nothing is drawn here, so nothing here fails by chance. The figures are those of ``claim``, worked
out again; the limit is tried on the observer that real clients run, in a folder of its own.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.audit import claim
from unsilent.audit.audit_result import Check
from unsilent.client.limit import Limit, LimitFile
from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError, PlanError
from unsilent.modes import MODES
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan
from unsilent.plan.modes import ModePlan
from unsilent.release import accountant, noise
from unsilent.release.coordinate import ACCURACY, LOSS
from unsilent.release.layout import Layout
from unsilent.release.release import Release

_CLOSE = 1 + 1e-6
_FIVE = (1, 2, 3, 4, 5)


def figures(plan: MonitoringPlan) -> list[Check]:
    """Noise and booked cost of the plan, and of others like it, against what they claim.

    ``noise`` is the largest loss of one release, by the fewest honest shares that a sum may hold,
    as a multiple of the claim's; ``cost`` the largest multiple by which the books say too little;
    ``spare`` the largest multiple of the variance that is needed, which costs usefulness alone.
    """
    short = cheap = spare = 0.0
    for variant in _variants(plan):
        try:
            variance = noise.share_variance(variant)
            event = noise.planned_event(variant, variant.monitoring_rounds[0])
            fewest = noise.needed_releases(variant) - claim.colluders(variant)
        except PlanError:
            # Nothing is released under such a plan; the audited one itself was accepted.
            continue
        honest = min(fewest, claim.honest_floor(variant))
        if honest < 1:
            short = math.inf
            continue
        lost = claim.reach(variant) / math.sqrt(variance * honest)
        short = max(short, lost / claim.mu_of_one(variant))
        needed = (claim.reach(variant) / claim.mu_of_one(variant)) ** 2
        # A share's variance is rounded up to a whole number.
        spare = max(spare, (variance - 1) * claim.honest_floor(variant) / needed)
        releases = claim.most_releases(variant)
        delta = variant.privacy.delta
        told = accountant.epsilon([event] * releases, delta)
        real = claim.epsilon_of(lost * math.sqrt(releases), delta)
        cheap = max(cheap, real / told if told > 0 else math.inf)
    return [
        Check("noise against the plan's own numbers", "claim", short, _CLOSE),
        Check("noise beyond the plan's own numbers", "claim", spare, _CLOSE),
        Check("booked cost against the plan's own numbers", "claim", cheap, _CLOSE),
    ]


def client(plan: MonitoringPlan, kind: type[Observer]) -> list[Check]:
    """What a client lets go, under one plan and under several, against its own limit."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        return [
            Check(
                "what a client adds to its values", "client", _differences(plan, kind, folder), 0
            ),
            *(
                Check(f"epsilon of all releases, {name}", "limit", spent, allowed * _CLOSE)
                for name, spent, allowed in _limits(plan, kind, folder)
            ),
        ]


class _Marked:
    """A source whose draws are known, and which keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, int]] = []

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        self.asked.append((scale, size))
        return self.last()

    def last(self) -> NDArray[np.int64]:
        size = self.asked[-1][1]
        return np.arange(1, size + 1, dtype=np.int64) * (7919 * len(self.asked))


def _differences(plan: MonitoringPlan, kind: type[Observer], folder: Path) -> float:
    """How many things about a client's releases are not as the audited function makes them.

    A client that refuses what its plan has paid for is one of them.
    """
    several = _with(_small(plan), {"rounds": 2})
    layout, variance = Layout.from_plan(several), noise.share_variance(several)
    noised = claim.noised(several, layout)
    source, wrong = _Marked(), 0
    for number in several.monitoring_rounds:
        try:
            made = _release(kind(several, "audit", folder / "own", noise=source), number)
        except BudgetError:
            wrong += 1
            continue
        wrong += len(source.asked) != number
        scale, size = source.asked[-1] if source.asked else (0.0, 0)
        wrong += not math.isclose(scale, math.sqrt(variance)) or size != len(noised)
        wrong += not math.isclose(made.noise_variance, variance)
        expected = layout.encode(_values(plan))
        if size == len(noised):
            expected[noised] += source.last()
        wrong += bool((made.vector != expected).any())
        again = _release(kind(several, "audit", folder / "own", noise=source), number)
        wrong += again != made
    try:
        _release(kind(several, "audit", folder / "own", noise=source), 3)
        wrong += 1
    except (PlanError, BudgetError):
        # A round that is not in the plan: refused, as it should be.
        pass
    return float(wrong)


def _limits(
    plan: MonitoringPlan, kind: type[Observer], folder: Path
) -> Iterator[tuple[str, float, float]]:
    """Name, epsilon really spent, and epsilon allowed, of each way to ask for more."""
    once = _small(plan)
    own = once.privacy
    # Each of its releases is within the limit by itself, and its own budget is ten times that.
    rich = {"epsilon": 10 * own.epsilon}
    shares = claim.mu_of_all(_with(once, privacy=rich)) / (0.8 * claim.mu_of_all(once))
    rounds = {"rounds": math.ceil(shares**2)}
    loose = {**rich, "delta": min(0.5, 10 * own.delta)}
    another = _with(once, name="another")
    ways: dict[str, list[tuple[MonitoringPlan, int]]] = {
        "one plan asked again": [(once, 1), (once, 1)],
        "two plans": [(once, 1), (another, 1)],
        "two plans of many rounds": [
            (_with(plan, {"rounds": 5}), number) for plan in (once, another) for number in _FIVE
        ],
        "a richer plan": [(once, 1), *((_with(another, rounds, rich), n) for n in (1, 2))],
        "a looser plan": [(once, 1), *((_with(another, rounds, loose), n) for n in (1, 2))],
        "a richer plan of many": [
            (once, 1),
            *((_with(once, rounds, rich, name=f"plan-{n}"), 1) for n in range(3)),
        ],
    }
    for place, (name, asked) in enumerate(ways.items()):
        yield name, _spent(asked, kind, folder / str(place), own.delta), own.epsilon
    tight = Limit.of(_with(once, privacy={"epsilon": own.epsilon / 2}))
    other = "client" if own.unit == "record" else "record"
    turned = "zero-out" if own.adjacency == "replace-one" else "replace-one"
    plain = _with(once, privacy={"aggregation": "plain"})
    by_hand = {
        "a limit set by hand": (tight, once, tight.epsilon),
        "a limit for another unit": (replace(Limit.of(once), unit=other), once, 0.0),
        "a limit for another adjacency": (replace(Limit.of(once), adjacency=turned), once, 0.0),
        "a limit that asks for a secure sum": (
            replace(Limit.of(once), aggregation="secure-sum"),
            plain,
            0.0,
        ),
    }
    for place, (name, (limit, asked_for, allowed)) in enumerate(by_hand.items()):
        own_folder = folder / f"limit-{place}"
        own_folder.mkdir()
        LimitFile(own_folder).write(limit)
        yield name, _spent([(asked_for, 1)], kind, own_folder, own.delta), allowed
    yield "as far as the limit lets it", _edge(Limit.of(once), claim.mu_of_all(once)), own.epsilon


def _edge(limit: Limit, mu: float) -> float:
    """The largest epsilon, of some at and beyond the limit, that does not pass it."""
    found = 0.0
    for factor in (1 - 1e-6, 1 + 1e-5, 1.001, 1.01, 1.1, 2.0):
        event = accountant.PrivacyEvent("discrete_gaussian", 1, mu * factor, 1.0)
        if not limit.passed_by([event]):
            found = max(found, claim.epsilon_of(mu * factor, limit.delta))
    return found


def _spent(
    asked: Sequence[tuple[MonitoringPlan, int]], kind: type[Observer], folder: Path, delta: float
) -> float:
    """Epsilon of all different vectors that a client lets go, by the plans' own numbers."""
    squares, seen = 0.0, set[bytes]()
    source = _Marked()
    for plan, number in asked:
        try:
            made = _release(kind(plan, "audit", folder, noise=source), number).to_bytes()
        except BudgetError:
            continue
        if made not in seen:
            squares += claim.mu_of_one(plan) ** 2
        seen.add(made)
    return claim.epsilon_of(math.sqrt(squares), delta)


def _small(plan: MonitoringPlan) -> MonitoringPlan:
    """The plan with one client and one round, and at most epsilon 1: its noise can be drawn."""
    return _with(
        plan,
        {"clients": 1, "participation": 1.0, "rounds": 1},
        {"epsilon": min(1.0, plan.privacy.epsilon), "dropout": 0.0, "collusion": 0.0},
        every=True,
    )


def _release(observer: Observer, number: int) -> Release:
    values = _values(observer.plan)
    statistics = [
        Statistic(
            code,
            values[code],
            MODES[code].range[0],
            MODES[code].range[1],
            values[f"{code}.spread"],
            50,
            {name.partition("/")[2]: 0.0 for name in values if name.startswith(f"{code}/")},
        )
        for code in observer.plan.planned
    ]
    system = SystemChange(values[LOSS], values[ACCURACY])
    return observer.release(number, statistics, system, ModelCheck(0.0))


def _values(plan: MonitoringPlan) -> dict[str, float]:
    """A client's values that nothing clips."""
    values = dict.fromkeys(Layout.from_plan(plan).inputs, 0.0)
    return values | {LOSS: 0.01, ACCURACY: 0.02}


def _variants(plan: MonitoringPlan) -> Iterator[MonitoringPlan]:
    """The plan, and plans like it in which other terms of the formulas count."""
    yield plan
    yield plan.model_copy(
        update={"monitor": plan.monitor.model_copy(update={"population": "like-these"})}
    )
    for mode in ("amplified_bias", "fairness_collapse"):
        # One on public probes, one on records: what a record reaches is not the same.
        for held_out in (60, 2000):
            one = _with(plan, {"clients": 10, "held_out": held_out}, {"unit": "record"})
            others = dict.fromkeys(type(plan.modes).model_fields)
            own = plan.modes.model_copy(
                update={**others, mode: plan.mode(mode) or ModePlan(tolerance=0.1)}
            )
            yield one.model_copy(update={"modes": own})
    for unit, adjacency in itertools.product(("client", "record"), ("zero-out", "replace-one")):
        for dropout, collusion, taking_part in ((0, 0, 1), (0, 0.25, 1), (0.1, 0.2, 0.5)):
            yield _with(
                plan,
                {"clients": 40, "participation": float(taking_part), "held_out": 60},
                {
                    "unit": unit,
                    "adjacency": adjacency,
                    "dropout": float(dropout),
                    "collusion": float(collusion),
                },
            )
    for rounds, budget, delta in ((1, 0.5, 1e-6), (3, 3.0, 1e-5), (40, 12.0, 1e-4)):
        for unit, held_out in (("client", 25), ("record", 25), ("record", 2000)):
            yield _with(
                plan,
                {"clients": 10, "participation": 1.0, "rounds": rounds, "held_out": held_out},
                {"epsilon": budget, "delta": delta, "unit": unit},
                every=True,
            )


def _with(
    plan: MonitoringPlan,
    federation: Mapping[str, Any] = {},
    privacy: Mapping[str, Any] = {},
    *,
    name: str | None = None,
    every: bool = False,
) -> MonitoringPlan:
    """The plan with other numbers; monitored in every round if that is asked for."""
    monitor = plan.monitor.model_copy(update={"rounds": "every"} if every else {})
    changed = plan.model_copy(
        update={
            "name": name or plan.name,
            "federation": plan.federation.model_copy(update=dict(federation)),
            "privacy": plan.privacy.model_copy(update=dict(privacy)),
            "monitor": monitor,
        }
    )
    # A copy takes along what was worked out of the first one.
    vars(changed).pop("digest", None)
    return changed
