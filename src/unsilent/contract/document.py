"""The contract of a plan: each number that leaves a client, who sees it, what it costs.

Derived from the plan alone, before the first round, with the same code that releases: the layout
says which numbers there are, the noise says how they are hidden, the accountant what they cost.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from unsilent.contract.disclosure import (
    IN_THE_HOUSE,
    NOT_PROTECTED,
    SYBILS,
    Unmasking,
    drawn_items,
    open_text,
    seen_in_plain,
    seen_in_sums,
)
from unsilent.modes import MODES
from unsilent.performance.family import is_count
from unsilent.performance.words import counted_as
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent, epsilon
from unsilent.release.coordinate import (
    ACCURACY,
    CLIPPED,
    CLIPPED_RECORDS,
    DIFFERING,
    LOSS,
    MODEL_NAMES,
    RAISED,
    SPREAD,
    SQUARE,
    SUBGROUP,
    UNSHOWN,
    VARIANCE,
    Coordinate,
)
from unsilent.release.layout import Layout
from unsilent.release.noise import (
    needed_releases,
    planned_event,
    sensitivity,
    share_scale,
    smallest_cohort,
)
from unsilent.release.promise import claim, scope
from unsilent.release.release import Release
from unsilent.release.secure_sum.messages_round import CHECK, SEED_BOX, Masked
from unsilent.release.secure_sum.wire import HASH
from unsilent.taxonomy import by_code

CONTRACT_SCHEMA = "unsilent/contract/1"

_WIDTH = 96

OWN_WORDS = {
    LOSS: "change of the mean loss on the client's held-out records, personalized minus reference",
    ACCURACY: "drop of the accuracy on the client's held-out records, reference minus personalized",
    UNSHOWN: "share of what training changed that the measured model was not shown to act by: "
    "whether scores move with the adapter's arrays",
    DIFFERING: "1 if base, tokenizer, layout or engine is not what the plan expects, else 0",
    CLIPPED: "largest share of an effect of this client that clipping cut off",
    CLIPPED_RECORDS: "the same of its numbers on held-out records",
    RAISED: "most that the joint clip raised a number of this client that was below zero, in clips",
}

_SHARES = (CLIPPED, CLIPPED_RECORDS, RAISED, *MODEL_NAMES)
"""Of the release's own numbers those that are never negative."""


@dataclass(frozen=True)
class Leaving:
    """One number that leaves a client.

    Attributes:
        name: The coordinate's name in the release.
        what: What it is, in words.
        lower, upper: Its range after clipping, before noise, in natural units.
        weight: Its share of the joint clip.
        noised: Whether it carries noise; what does not is exact in the sum.
    """

    name: str
    what: str
    lower: float
    upper: float
    weight: float
    noised: bool = True


@dataclass(frozen=True)
class Contract:
    """What a plan takes from a client, and what it promises.

    Attributes:
        plan: Digest of the plan.
        name: The plan's name.
        numbers: Each number of a release, in order.
        release_bytes: Size of what a client sends with its numbers in a monitoring round.
        rounds: Monitoring rounds, one release from each client in each.
        releases: How many of them any one client releases in at most.
        clients, smallest_cohort, needed: Enrolled clients; honest ones whose noise the epsilon
            counts on; the fewest releases a sum may hold.
        unit, adjacency, aggregation, delta: As planned.
        epsilon: Budget of the plan.
        epsilon_sum: What the sums of all planned rounds cost together.
        epsilon_single: What one client's vectors would cost if looked at by themselves, with only
            the client's own share of the noise; infinite where no useful bound is left.
        sum_noise, share_noise: Standard deviations in integer units of the sum's noise and of
            one client's share.
        norm: Largest L2 norm of one client's vector before noise, in integer units.
        sensitivity: Largest change of the sum by one client's own numbers (or one record) under
            the adjacency, in these units.
        secure_sum: What it takes to see one client's vector; None if aggregation is plain.
        promise: What the planned epsilon is about and what it is not, in sentences.
        who_sees, not_protected: Sentences.
    """

    plan: str
    name: str
    numbers: tuple[Leaving, ...]
    release_bytes: int
    rounds: tuple[int, ...]
    clients: int
    smallest_cohort: int
    needed: int
    unit: str
    adjacency: str
    aggregation: str
    delta: float
    epsilon: float
    epsilon_sum: float
    epsilon_single: float
    sum_noise: float
    share_noise: float
    norm: float
    sensitivity: float
    secure_sum: Unmasking | None
    promise: tuple[str, ...]
    who_sees: tuple[str, ...]
    not_protected: tuple[str, ...]
    releases: int = 0

    def to_json(self) -> dict[str, Any]:
        """The contract as JSON-ready data; an infinite epsilon is null.

        Without differential privacy so are delta, adjacency and sensitivity. How many releases
        are one client's is there where these are fewer than the rounds.
        """
        data = {"schema": CONTRACT_SCHEMA, **asdict(self)}
        for name in ("epsilon", "epsilon_sum", "epsilon_single"):
            if math.isinf(data[name]):
                data[name] = None
        if self.releases == len(self.rounds):
            del data["releases"]
        if self.unit == "none":
            data |= dict.fromkeys(("delta", "adjacency", "sensitivity"))
        return data

    def text(self) -> str:
        """The contract in plain words, for a terminal or a file."""
        width = max(len(number.name) for number in self.numbers)
        noised = [number for number in self.numbers if number.noised]
        noise = "clipped, plus noise" if noised else "clipped, as they are"
        if 0 < len(noised) < len(self.numbers):
            noise = f"clipped, plus noise on {len(noised)} of them"
        lines = [
            f"What leaves a client under plan {self.name!r}",
            "",
            *_wrapped(
                f"After round{'s' if len(self.rounds) > 1 else ''} {_listed(self.rounds)}, each "
                f"client{self._at_most()} sends one vector of {len(self.numbers)} whole numbers, "
                f"{self.release_bytes} bytes: its own numbers, {noise}"
                f"{', masked' if self.secure_sum else ''}.",
                "",
            ),
            "",
        ]
        for number in self.numbers:
            span = f"[{number.lower:g}, {number.upper:g}]"
            how = f"weight {number.weight:g}" if number.noised else "exact"
            lines.append(f"  {number.name:<{width}}  {span:<14} {how}")
            lines += _wrapped(number.what, " " * (width + 4))
        for title, sentences in (
            ("Noise and budget", self._budget()),
            ("What is promised", self.promise),
            ("Who sees what", self.who_sees),
            ("What is not protected", self.not_protected),
        ):
            lines += ["", title, ""]
            for sentence in sentences:
                lines += _wrapped(sentence, "    ", first="  - ")
        return "\n".join(lines)

    def _at_most(self) -> str:
        few = self.releases < len(self.rounds)
        return f" that takes part, in {self.releases} of them at most," if few else ""

    def _budget(self) -> tuple[str, ...]:
        counts = f"a sum of fewer than {self.needed} releases is not used."
        if self.unit == "none":
            return (
                "There is no noise and no budget. Each number is limited to its range and written "
                f"down in whole steps; {counts}",
            )
        if self.unit == "record":
            return (self._blocks(), self._cost(counts))
        # A client also moves the others' numbers, through the aggregate: see ``promise.OTHERS``.
        changes = "client's own numbers change" if self.unit == "client" else "record changes"
        return (
            f"All numbers together are clipped to L2 norm {self.norm:g} in whole-number units, so "
            f"that one {changes} the sum by at most {self.sensitivity:.6g} (adjacency "
            f"{self.adjacency}). The sum over the clients carries Gaussian noise of standard "
            f"deviation {self.sum_noise:.0f}; each client adds a share of {self.share_noise:.0f}.",
            self._cost(counts),
        )

    def _blocks(self) -> str:
        names = [number.name for number in self.numbers if number.noised]
        return (
            f"One record changes the sum by at most {self.sensitivity:.6g} in whole-number units, "
            f"and only in {', '.join(names)}. There the sum over the clients carries Gaussian "
            f"noise of standard deviation {self.sum_noise:.0f}; each client adds a share of "
            f"{self.share_noise:.0f}. The other numbers are exact."
        )

    def _cost(self, counts: str) -> str:
        few = self.releases < len(self.rounds)
        each = f", of which a client is in {self.releases} at most," if few else ""
        return (
            f"The sums of {len(self.rounds)} monitoring round"
            f"{'s' if len(self.rounds) > 1 else ''}{each} cost epsilon {self.epsilon_sum:.3g} of "
            f"{self.epsilon:g} at delta {self.delta:g}; the unit is the {self.unit}. This counts "
            f"on the noise of {self.smallest_cohort} of {self.clients} clients; {counts}"
        )


def contract(plan: MonitoringPlan) -> Contract:
    """The contract of a plan. Raises PlanError if its budget cannot be turned into noise."""
    layout = Layout.from_plan(plan)
    rounds = plan.monitoring_rounds
    events = [planned_event(plan, number) for number in rounds]
    share = share_scale(plan)
    needed = max(needed_releases(plan), plan.monitor.min_cohort)
    private = plan.privacy.private
    alone = [
        PrivacyEvent("discrete_gaussian", event.round, event.sensitivity, share)
        for event in events
        if private
    ]
    most = plan.releases_per_client
    spent, single = (epsilon(each, plan.privacy.delta, most) for each in (events, alone))
    unmasking = Unmasking.of(plan)
    return Contract(
        plan=plan.digest,
        name=plan.name,
        numbers=tuple(
            replace(_leaving(coordinate), noised=coordinate.name not in layout.exact)
            for coordinate in layout.coordinates
        ),
        release_bytes=_bytes(layout, unmasking),
        rounds=rounds,
        clients=plan.federation.clients,
        smallest_cohort=smallest_cohort(plan),
        needed=needed,
        unit=plan.privacy.unit,
        adjacency=plan.privacy.adjacency,
        aggregation=plan.privacy.aggregation,
        delta=plan.privacy.delta,
        epsilon=plan.privacy.epsilon,
        epsilon_sum=spent,
        epsilon_single=single if private else math.inf,
        sum_noise=events[0].sigma,
        share_noise=share,
        norm=layout.bound,
        sensitivity=sensitivity(plan),
        secure_sum=unmasking,
        promise=(claim(plan, spent), *scope(plan)),
        who_sees=(
            IN_THE_HOUSE,
            *drawn_items(plan),
            *open_text(plan),
            *(
                seen_in_plain(spent, single, exact=bool(layout.exact))
                if unmasking is None
                else seen_in_sums(unmasking, spent, private=private)
            ),
            "Whoever reads the findings, the ledger's sums or the report sees sums over "
            f"{needed} clients or more, {'with all of the noise' if private else 'exact'}.",
        ),
        not_protected=NOT_PROTECTED if unmasking is None else (*NOT_PROTECTED, SYBILS),
        releases=most,
    )


def _leaving(coordinate: Coordinate) -> Leaving:
    name, clip, weight = coordinate.name, coordinate.clip, coordinate.weight
    if name in OWN_WORDS:
        return Leaving(
            name,
            OWN_WORDS[name],
            0.0 if name in _SHARES else -clip,
            clip,
            weight,
        )
    if is_count(name):
        what, signed = counted_as(name)
        return Leaving(name, what, -clip if signed else 0.0, clip, weight)
    if SUBGROUP in name:
        mode, domain = name.split(SUBGROUP, 1)
        what = f"{mode} on the probes of the domain {domain!r} alone"
        lower, upper = MODES[mode].range
        return Leaving(name, what, max(lower, -clip), min(upper, clip), weight)
    code = name.removesuffix(SPREAD).removesuffix(VARIANCE).removesuffix(SQUARE)
    if name.endswith(VARIANCE):
        what = f"square of the standard error of {code} over the choice of items"
        return Leaving(name, what, 0.0, clip, weight)
    if name.endswith(SPREAD):
        what = f"standard error of {code} over the choice of items"
        return Leaving(name, what, 0.0, clip, weight)
    if name.endswith(SQUARE):
        return Leaving(name, f"square of {code} as a share of its clip", 0.0, clip, weight)
    mode = MODES[code]
    what = f"{by_code(code).title}: {mode.statistic}"
    lower, upper = mode.range
    return Leaving(name, what, max(lower, -clip), min(upper, clip), weight)


def _bytes(layout: Layout, unmasking: Unmasking | None) -> int:
    if unmasking is None:
        return len(Release.zero(layout, 1).to_bytes())
    length = len(layout.coordinates)
    boxes = np.zeros((unmasking.neighbours, SEED_BOX), dtype=np.uint8)
    vector = np.zeros(length, dtype=np.uint32)
    return len(Masked(bytes(HASH), 1, 0, bytes(CHECK), vector, boxes).to_bytes())


def _listed(rounds: tuple[int, ...]) -> str:
    if len(rounds) > 3 and rounds == tuple(range(rounds[0], rounds[-1] + 1)):
        return f"{rounds[0]} to {rounds[-1]}"
    return ", ".join(map(str, rounds))


def _wrapped(text: str, indent: str, *, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent
    )
