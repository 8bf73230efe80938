"""Advice: the cheapest change of a plan that brings a verdict within its reach.

Seven settings are tried, each alone, and of each the smallest change that works: more clients,
more budget, fewer monitoring rounds, more held-out records, more probes, a larger bank that they
are drawn from, a smaller clip. Where none does alone, clients and budget together. Every candidate
is a whole plan and goes through the same power analysis as the plan itself, so its critical values
are the judge's.

A change costs its relative increase: twice the clients cost 1, half as much epsilon again 0.5, a
third of the monitoring rounds 2, as each stands for three times as many training rounds. What is
changed together adds up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from unsilent.errors import PlanError
from unsilent.inference.power import Outlook, PowerRow, power_table
from unsilent.inference.remedy import LARGEST_EPSILON, MOST
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import LABELLED_OF, LABELLED_ROLES, SITES, UNLABELLED
from unsilent.plan.probes import LABELLED_ITEMS, LARGEST_BANK, ProbesPlan
from unsilent.taxonomy import by_code

Reached = Literal["failure", "healthy"]

Works = Callable[["Change"], "bool | None"]

_BUDGETS = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0)
_PARTS = 8
MOST_PROBES = 2000
"""The largest ``probes.items``, and the most of one set."""
LEAST_LABELS, MOST_LABELS = 4, 400
"""Labelled answers of which a spread can be told, and the most that anybody is asked for."""


@dataclass(frozen=True)
class Change:
    """Other settings than the plan's; None where a setting stays.

    Attributes:
        clients: Enrolled clients.
        epsilon: Budget for all monitoring rounds together.
        rounds: How many monitoring rounds, evenly spread over the planned ones, the last kept.
        records: Held-out records a client.
        probes: Items of each probe set of ``roles``; one that has more keeps them.
        bank: Units of the bank of each of them, the same.
        roles: The probe sets that a mode asks.
        clip: Of the mode ``mode``.
        mode: A plan key; None without ``clip``.
    """

    clients: int | None = None
    epsilon: float | None = None
    rounds: int | None = None
    records: int | None = None
    probes: int | None = None
    roles: tuple[ItemRole, ...] = ()
    bank: int | None = None
    clip: float | None = None
    mode: str | None = None
    labels: int | None = None
    labelled: tuple[ItemRole, ...] = ()

    def of(self, plan: MonitoringPlan) -> MonitoringPlan:
        """The plan with these settings."""
        federation, monitor, privacy = plan.federation, plan.monitor, plan.privacy
        probes = plan.probes
        if self.clients is not None:
            federation = federation.model_copy(update={"clients": self.clients})
        if self.records is not None:
            federation = federation.model_copy(update={"held_out": self.records})
        if self.epsilon is not None:
            privacy = privacy.model_copy(update={"epsilon": self.epsilon})
        if self.rounds is not None:
            planned = plan.monitoring_rounds
            ends = (len(planned) * part // self.rounds for part in range(1, self.rounds + 1))
            monitor = monitor.model_copy(update={"rounds": tuple(planned[end - 1] for end in ends)})
        if self.probes is not None:
            sizes = {role: max(self.probes, probes.size(role)) for role in self.roles}
            probes = probes.model_copy(update={"sizes": probes.sizes.model_copy(update=sizes)})
        if self.bank is not None:
            held = {role: max(self.bank, plan.bank(role)) for role in self.roles}
            probes = probes.model_copy(update={"banks": probes.banks.model_copy(update=held)})
        if self.labels is not None:
            probes = _labelled(probes, self.labelled, self.labels)
        modes = plan.modes
        if self.clip is not None and self.mode is not None:
            own = plan.mode(self.mode)
            if own is not None:
                clipped = own.model_copy(update={"clip": self.clip})
                modes = modes.model_copy(update={self.mode: clipped})
        sections = {
            "modes": modes,
            "federation": federation,
            "monitor": monitor,
            "privacy": privacy,
            "probes": probes,
        }
        return plan.model_copy(update=sections)

    def cost(self, plan: MonitoringPlan) -> float:
        """Sum of the relative increases."""
        ratios = (
            (self.clients, plan.federation.clients),
            (self.epsilon, plan.privacy.epsilon),
            (self.records, plan.federation.held_out),
            (self.probes, _asked(plan, self.roles)),
            (self.bank, _held(plan, self.roles)),
            (self.labels, max(_asked(plan, self.labelled), LABELLED_ITEMS)),
        )
        total = sum(now / before - 1 for now, before in ratios if now is not None)
        if self.rounds is not None:
            total += len(plan.monitoring_rounds) / self.rounds - 1
        return total

    def words(self) -> str:
        """The settings for people: ``34 clients and epsilon 4``."""
        parts: list[str] = []
        if self.clients is not None:
            parts.append(f"{self.clients} clients")
        if self.epsilon is not None:
            parts.append(f"epsilon {self.epsilon:g}")
        if self.rounds is not None:
            parts.append(f"{self.rounds} monitoring round{'s' if self.rounds > 1 else ''}")
        if self.records is not None:
            parts.append(f"{self.records} held-out records a client")
        if self.probes is not None:
            sets = "set" if len(self.roles) == 1 else "sets"
            parts.append(f"{self.probes} items of the probe {sets} {' and '.join(self.roles)}")
        if self.bank is not None:
            banks = "a bank" if len(self.roles) == 1 else "banks"
            parts.append(f"{banks} of {self.bank:,} for {' and '.join(self.roles)}")
        if self.labels is not None:
            parts.append(f"{self.labels} of {' and '.join(self.labelled)} a client")
        if self.clip is not None:
            parts.append(f"{self.mode}.clip {self.clip:g}")
        return " and ".join(parts)


@dataclass(frozen=True)
class Advice:
    """What would bring one verdict of one mode within reach.

    Attributes:
        code, mode: Which mode.
        verdict: The one that the plan can never reach.
        alone: The smallest change of each single setting that does; those that exist.
        cheapest: The cheapest of these, or clients and epsilon together where no setting does
            alone; None if nothing up to ``MOST`` times the clients and ``LARGEST_EPSILON`` does.
        cost: Of the cheapest; None without one.
    """

    code: str
    mode: str
    verdict: Reached
    alone: Change
    cheapest: Change | None
    cost: float | None


def advise(plan: MonitoringPlan, rows: Sequence[PowerRow] | None = None) -> tuple[Advice, ...]:
    """Advice on each verdict that the plan can never reach.

    Args:
        plan: The plan.
        rows: Its ``power_table``, where that is known already.

    Raises:
        PlanError: As ``power_table``.
    """
    known = power_table(plan) if rows is None else rows
    never: list[tuple[str, Reached]] = []
    for row in known:
        if not row.failure_reachable:
            never.append((row.code, "failure"))
        if not row.healthy_reachable:
            never.append((row.code, "healthy"))
    return tuple(_advice(plan, code, verdict) for code, verdict in never)


def refuse_underpowered(
    plan: MonitoringPlan,
    rows: Sequence[PowerRow] | None = None,
    advice: Sequence[Advice] | None = None,
) -> None:
    """Refuse a plan that is hopeless in every mode.

    Args:
        plan: The plan.
        rows: Its ``power_table``, where that is known already.
        advice: Its ``advise``, the same.

    Raises:
        PlanError: Only UNDETERMINED is within reach for each planned mode; the remedy is the
            cheapest change that brings a verdict within reach.
    """
    if rows is None:
        # Every run begins with this: one mode that can be judged is enough, and is soon seen.
        hopeless = not any(Outlook(plan, code).any_verdict() for code in plan.planned)
    else:
        hopeless = all(row.only_undetermined for row in rows)
    if not hopeless:
        return
    given = advise(plan, rows) if advice is None else advice
    best = min(
        (each for each in given if each.cost is not None),
        key=lambda each: each.cost or 0.0,
        default=None,
    )
    remedy = "Raise the tolerances"
    if best is not None and best.cheapest is not None:
        words = f"{best.verdict.upper()} for {best.code} comes within reach"
        remedy = f"The cheapest way out is {best.cheapest.words()}: {words}"
    raise PlanError(
        "only UNDETERMINED is within reach for every planned mode",
        where="modes",
        remedy=f"{remedy}. --accept-underpowered goes on nevertheless.",
    )


def _advice(plan: MonitoringPlan, code: str, verdict: Reached) -> Advice:
    def works(change: Change) -> bool | None:
        """Whether the verdict is within reach; None for a plan that cannot be used at all."""
        try:
            outlook = Outlook(change.of(plan), code)
        except PlanError:
            return None
        looks = len(outlook.plan.monitoring_rounds)
        if verdict == "failure":
            return outlook.judged(outlook.largest, looks) == 1
        return outlook.judged(0.0, looks) == -1

    planned = plan.federation
    asked: list[ItemRole] = [r for r in plan.roles(code) if r not in ("records", *LABELLED_ROLES)]
    roles: tuple[ItemRole, ...] = tuple(asked)
    labelled: tuple[ItemRole, ...] = tuple(LABELLED_OF[r] for r in roles if r in LABELLED_OF)
    singles = [
        change
        for change in (
            _more(planned.clients, works, lambda number: Change(clients=number)),
            _budget(plan, works),
            _fewer_rounds(plan, works),
            _more(planned.held_out, works, lambda number: Change(records=number)),
            _more(
                _asked(plan, roles),
                works,
                lambda number: Change(probes=number, roles=roles),
                MOST_PROBES,
            )
            if roles
            else None,
            _more(
                _held(plan, roles),
                works,
                lambda number: Change(bank=number, roles=roles),
                LARGEST_BANK,
            )
            if roles and plan.probes.sampling == "matrix"
            else None,
            _more(
                max(_asked(plan, labelled), LEAST_LABELS),
                works,
                lambda number: Change(labels=number, labelled=labelled),
                MOST_LABELS,
            )
            if labelled
            else None,
            _smaller_clip(plan, code, works),
        )
        if change is not None
    ]
    alone = Change()
    for change in singles:
        settings = {name: value for name, value in vars(change).items() if value}
        alone = replace(alone, **settings)
    ways = singles or _together(plan, works)
    cheapest = min(ways, key=lambda change: change.cost(plan), default=None)
    return Advice(
        code=code,
        mode=by_code(code).mode,
        verdict=verdict,
        alone=alone,
        cheapest=cheapest,
        cost=None if cheapest is None else cheapest.cost(plan),
    )


CLIPS = 2.5
"""Tolerances that a clip should have: what is beyond them finds nothing sooner, and every unit of a
clip costs noise."""


@dataclass(frozen=True)
class ClipAdvice:
    """What a smaller clip would do for a mode.

    Attributes:
        code, mode: Which.
        clip, advised: The plan's, and ``CLIPS`` tolerances.
        minimal_detectable_effect, half_width: As in ``PowerRow``, with that clip.
    """

    code: str
    mode: str
    clip: float
    advised: float
    minimal_detectable_effect: float
    half_width: float


def clip_advice(plan: MonitoringPlan, rows: Sequence[PowerRow]) -> tuple[ClipAdvice, ...]:
    """The modes whose clip costs more noise than it has to, and what a smaller one would do.

    Left out is a mode that would gain less than a tenth of its half-width. A client's effect
    beyond its clip does not count: where few clients carry a failure, a clip has to leave room.
    """
    found: list[ClipAdvice] = []
    for row in rows:
        change = _clip_of(plan, row.code)
        if change is None or change.clip is None:
            continue
        try:
            outlook = Outlook(change.of(plan), row.code)
        except PlanError:
            continue
        reach = outlook.reach(len(plan.monitoring_rounds))
        if reach.half_width > 0.9 * row.half_width:
            continue
        found.append(
            ClipAdvice(
                row.code,
                row.mode,
                row.clip,
                change.clip,
                reach.minimal_detectable_effect,
                reach.half_width,
            )
        )
    return tuple(found)


def _clip_of(plan: MonitoringPlan, code: str) -> Change | None:
    """The advised clip, where it is smaller than the plan's and the mode is no share."""
    name = by_code(code).mode
    mode = plan.mode(name)
    if mode is None or MODES[code].range[0] == 0:
        return None
    advised = round(CLIPS * mode.tolerance, 4)
    return Change(clip=advised, mode=name) if advised < mode.clip else None


def _smaller_clip(plan: MonitoringPlan, code: str, works: Works) -> Change | None:
    change = _clip_of(plan, code)
    return change if change is not None and works(change) else None


def _labelled(probes: ProbesPlan, roles: Sequence[ItemRole], count: int) -> ProbesPlan:
    """So many labelled answers; at the sites, where there were none."""
    sizes, banks, sources = dict[str, int](), dict[str, int](), dict[str, str]()
    for role in roles:
        sizes[role] = count
        source = str(getattr(probes, role))
        if source == UNLABELLED:
            sources[role] = SITES
        elif source != SITES:
            banks[role] = max(count, getattr(probes.banks, role) or 0)
    return probes.model_copy(
        update={
            **sources,
            "sizes": probes.sizes.model_copy(update=sizes),
            "banks": probes.banks.model_copy(update=banks),
        }
    )


def _held(plan: MonitoringPlan, roles: Sequence[ItemRole]) -> int:
    """Units of the smallest bank of some probe sets."""
    return min((plan.bank(role) for role in roles), default=plan.probes.items)


def _asked(plan: MonitoringPlan, roles: Sequence[ItemRole]) -> int:
    """Items of the smallest of some probe sets."""
    return min((plan.probes.size(role) for role in roles), default=plan.probes.items)


def _more(
    planned: int,
    works: Works,
    change: Callable[[int], Change],
    most: int | None = None,
) -> Change | None:
    """The smallest number above the planned one that works, by default up to ``MOST`` times."""
    most = most or planned * MOST
    if planned >= most or not works(change(most)):
        return None
    low, high = planned, planned
    while not works(change(high)):
        low, high = high, min(2 * max(high, 2), most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(change(middle)) else (middle, high)
    return change(high)


def _budget(plan: MonitoringPlan, works: Works) -> Change | None:
    """The smallest epsilon above the planned one that works, to a tenth; to 0.01 below 1.

    Too large a budget is refused, as its noise cannot be drawn well; so the search is for the
    smallest epsilon that is refused or works.
    """
    if not plan.privacy.private:
        return None
    parts = 100 if plan.privacy.epsilon < 1 else 10
    low, high = math.floor(parts * plan.privacy.epsilon), math.floor(parts * LARGEST_EPSILON)
    if high <= low or works(Change(epsilon=high / parts)) is False:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        short = works(Change(epsilon=middle / parts)) is False
        low, high = (middle, high) if short else (low, middle)
    found = Change(epsilon=high / parts)
    return found if works(found) else None


def _fewer_rounds(plan: MonitoringPlan, works: Works) -> Change | None:
    """The most monitoring rounds below the planned that work, in steps of an eighth of them.

    The noise of all rounds together stays the same, so one round, with one look and one window,
    shows most: where that does not work, nothing does. In between each is tried, since how many
    rounds the recent guard holds makes this no monotone function.
    """
    total = len(plan.monitoring_rounds)
    if total == 1 or not works(Change(rounds=1)):
        return None
    counts = {max(total * part // _PARTS, 1) for part in range(_PARTS)}
    tried = (Change(rounds=count) for count in sorted(counts, reverse=True))
    return next((change for change in tried if works(change)), None)


def _together(plan: MonitoringPlan, works: Works) -> list[Change]:
    """For some larger budgets, the fewest clients with which they work."""
    found: list[Change] = []
    for factor in _BUDGETS if plan.privacy.private else ():
        epsilon = math.ceil(10 * factor * plan.privacy.epsilon - 1e-9) / 10
        if epsilon > LARGEST_EPSILON:
            break

        def both(number: int, epsilon: float = epsilon) -> Change:
            return Change(clients=number, epsilon=epsilon)

        change = _more(plan.federation.clients, works, both)
        if change is not None:
            found.append(change)
    return found
