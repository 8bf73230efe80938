"""What a failure mode is: evidence in, one bounded statistic out.

A mode is one file with one class. It says what it is called, which items it needs under which
adapters, and turns the outcomes into a statistic whose bound is part of it. Positive is worse.
Statistics are paired: the same items under both adapters, on the client, before anything is
released.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import OutcomeError
from unsilent.items import ItemSet, Outcomes

AdapterRole = Literal["reference", "start", "local", "global", "personalized"]
"""reference: the plan's; start: global adapter at the round's start; local: after local training;
global: the newly aggregated one; personalized: the client's own."""

ItemRole = Literal[
    "bias",
    "task",
    "general",
    "harmful",
    "benign",
    "records",
    "live",
    "open_refusal",
    "open_persona",
    "open_regard",
    "open_help",
    "open_facts",
    "labelled_refusal",
    "labelled_persona",
    "labelled_regard",
    "labelled_help",
    "labelled_facts",
]
"""bias, general, harmful, benign: public probes; task: public probes of the federation's task with
a domain each; records: the client's own held-out private records; live: those that came in since,
which only counts of performance are made of; open_…: public prompts that the model writes an answer
to, which a judge then rates; labelled_…: written answers that people rated as well."""

PRIVATE: tuple[ItemRole, ...] = ("records", "live")
"""Roles of private records."""

_ROUNDING = 1e-5
"""Rows of outcomes sum to 1 within 1e-6, so a mean may pass its range by a little."""

View = Literal["server", "client_public", "client_private"]
Layer = Literal["data", "model", "system"]
"""Where in a federation a mode has its cause."""


@dataclass(frozen=True)
class Need:
    """One scoring job: these items under this adapter."""

    adapter: AdapterRole
    items: ItemRole


@dataclass(frozen=True)
class Evidence:
    """All outcomes of one client in one monitoring round. Never leaves the client."""

    outcomes: Mapping[Need, Outcomes]
    home_domain: str | None = None

    def get(self, adapter: AdapterRole, items: ItemRole) -> Outcomes:
        """The outcomes of one job. Raises OutcomeError if it was not scored."""
        try:
            return self.outcomes[Need(adapter, items)]
        except KeyError:
            raise OutcomeError(f"no outcomes for {items} under the {adapter} adapter") from None

    def pair(
        self, before: AdapterRole, after: AdapterRole, items: ItemRole
    ) -> tuple[Outcomes, Outcomes]:
        """The outcomes of the same items, in the same order, under two adapters.

        Raises OutcomeError if one was not scored or their items differ.
        """
        first, second = self.get(before, items), self.get(after, items)
        if first.items.digest != second.items.digest:
            raise OutcomeError(
                f"the {before} and the {after} adapter were scored on different {items} items",
                remedy="Score the same items, in the same order, under both.",
            )
        return first, second

    def has(self, items: ItemRole) -> bool:
        """Whether items of this role were scored at all."""
        return any(need.items == items for need in self.outcomes)

    def of(self, needs: Sequence[Need]) -> Evidence:
        """The same evidence without the outcomes that are not asked for here."""
        return replace(self, outcomes={n: o for n, o in self.outcomes.items() if n in needs})

    def within(self, domain: str) -> Evidence:
        """The same evidence on the items of one domain; roles without such an item fall out.

        Raises OutcomeError if no item of any role is of that domain.
        """
        found = {
            need: outcomes.where(lambda item: item.domain == domain)
            for need, outcomes in self.outcomes.items()
            if any(item.domain == domain for item in outcomes.items)
        }
        if not found:
            raise OutcomeError(
                f"no item is of the domain {domain!r}",
                where="subgroups",
                remedy="List domains that the mode's probes have.",
            )
        return replace(self, outcomes=found)


@dataclass(frozen=True)
class Statistic:
    """One client's bounded number for one mode.

    Attributes:
        code: The mode's code.
        value: The effect on this client, within [lower, upper]; positive is worse.
        lower, upper: Declared range; a value outside it is a bug and raises.
        spread: Standard deviation of ``value`` over the choice of items (>= 0).
        items: How many independent items (or pairs) it rests on.
        subgroups: The same statistic on the items of single domains, by domain, in the same
            range; only those that the plan lists.
    """

    code: str
    value: float
    lower: float
    upper: float
    spread: float
    items: int
    subgroups: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        values = (self.value, *self.subgroups.values())
        numbers = (*values, self.lower, self.upper, self.spread)
        if not all(np.isfinite(n) for n in numbers):
            raise OutcomeError("a statistic is not finite", where=self.code)
        inside = all(self.lower <= value <= self.upper for value in values)
        if not self.lower < self.upper or not inside:
            raise OutcomeError(
                f"a statistic lies outside its range [{self.lower}, {self.upper}]",
                where=self.code,
            )
        if self.spread < 0 or self.items < 1:
            raise OutcomeError(
                "a statistic needs items and a spread of at least 0", where=self.code
            )


class FailureMode(ABC):
    """One silent failure mode, from outcomes to a bounded statistic.

    Its class says all there is of it: taxonomy, plan key, findings, pages and reports follow. What
    has no value here has to be said; a mode that forgets it is refused when it is loaded.
    """

    code: ClassVar[str]
    """Stable, letters and a number, such as ``SF-1``."""
    name: ClassVar[str]
    """Its key in a plan's ``[modes]``, such as ``amplified_bias``."""
    title: ClassVar[str]
    """A few words for people."""
    what: ClassVar[str]
    """One sentence: what goes wrong."""
    layer: ClassVar[Layer]
    leads_to: ClassVar[tuple[str, ...]] = ()
    """Codes of modes that it can lead to, and below those that it can feed back into."""
    feeds_back_into: ClassVar[tuple[str, ...]] = ()
    tolerance: ClassVar[float]
    """The largest effect that a first plan accepts, until its owner knows better."""
    clip: ClassVar[float] = 0.25
    """The largest effect of one client that a first plan releases."""
    view: ClassVar[View]
    needs: ClassVar[tuple[Need, ...]]
    range: ClassVar[tuple[float, float]]
    """Bounds of one client's number. One from 0 to 1 is judged as a share of clients: 0 or 1."""
    statistic: ClassVar[str]
    """One line for people: what is measured."""
    source: ClassVar[str]
    """Where the statistic comes from."""
    item_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    """Smallest and largest change of one item."""
    needs_home: ClassVar[bool] = False
    """Whether the client's home domain decides which items count."""
    item_sd: ClassVar[float] = 0.3
    """Sd over items of one item's change, assumed while nothing has been measured."""
    client_sd: ClassVar[float] = 0.05
    """Sd over clients of the value, assumed the same way; a share's follows from itself."""
    least_answered: ClassVar[float] = 1.0
    """The part of its items that a client has surely answered, whatever else it has missed."""
    shows: ClassVar[str | None] = None
    """The code of the mode whose failure this one shows in another way, if it does."""

    @property
    def section(self) -> str:
        """What a first plan gives it, as TOML."""
        return f"{{ tolerance = {self.tolerance:.2f}, clip = {self.clip} }}"

    @abstractmethod
    def measure(self, evidence: Evidence) -> Statistic:
        """The client's statistic. Raises OutcomeError or ItemError on unusable evidence."""

    def measure_within(self, evidence: Evidence, domain: str) -> Statistic:
        """The statistic on the items of one domain alone. Raises as ``measure``."""
        return self.measure(evidence.within(domain))

    def measure_with(self, evidence: Evidence, subgroups: Sequence[str]) -> Statistic:
        """The statistic, and beside it that within each listed domain. Raises as ``measure``.

        Nothing but what the mode declares in ``needs`` and ``needs_home`` enters: what one record
        can change of it (``record_reach``) follows from the two.
        """
        own = evidence.of(self.needs)
        if not self.needs_home:
            own = replace(own, home_domain=None)
        within = {domain: self.measure_within(own, domain).value for domain in subgroups}
        return replace(self.measure(own), subgroups=within)

    def domains(self, probes: Mapping[ItemRole, ItemSet]) -> frozenset[str]:
        """The domains within which the mode can be measured: those that all its roles have."""
        roles: set[ItemRole] = {need.items for need in self.needs}
        every = {domain for role in roles for domain in _domains_of(probes[role])}
        return frozenset(d for d in every if all(d in _domains_of(probes[r]) for r in roles))

    def expected_spread(self, items: int) -> float:
        """The spread to reckon with on an unaffected client, before anything is measured."""
        return self.item_sd / math.sqrt(items)

    def expected_spread_of(self, items: Mapping[ItemRole, int]) -> float:
        """The same by the items of each role that is asked; by default of all of them together."""
        return self.expected_spread(sum(items.values()))

    def largest_spread(self, items: Mapping[ItemRole, int]) -> float:
        """The largest spread that a client can have, by the items of each role; at least 2 each.

        Of the mean of n changes within +-b it is ``b / sqrt(n - 1)`` (Popoviciu 1935).
        """
        fewest = min(items[need.items] for need in self.needs)
        return max(-self.range[0], self.range[1]) / math.sqrt(fewest - 1)

    def independent_items(
        self, items: Mapping[ItemRole, int], *, embedded: bool
    ) -> tuple[tuple[float, int], ...]:
        """The probe sets that the value is a mean over: the weight of each, and its items.

        By default one set, of as many items as the smallest role has.

        Args:
            items: How many items each role has, at least.
            embedded: Whether all of them are embedded sets, which are dealt evenly over domains.
        """
        return ((1.0, min(items[need.items] for need in self.needs)),)

    def span(self, number: int) -> float | None:
        """How far one item of a set of ``independent_items`` can lie from the set's mean.

        None where the set is of changes, of which ``item_range`` and the effect tell it.
        """
        return None

    def record_reach(self, records: int) -> tuple[float, float]:
        """How far one held-out record can move the value and the spread, the adapters given.

        Answers to public probes do not depend on held-out records, nor does a home domain that is
        declared (``release.record_rules``); a mode that needs records may by default move over its
        whole range, and its spread without bound.

        Args:
            records: How many held-out records there are, one of which is replaced or left out.
        """
        if all(need.items != "records" for need in self.needs):
            return 0.0, 0.0
        return self.range[1] - self.range[0], math.inf

    def _statistic(self, value: float, spread: float, items: int) -> Statistic:
        """The statistic within the mode's range; only rounding beyond it is clipped."""
        lower, upper = self.range
        if lower - _ROUNDING <= value <= upper + _ROUNDING:
            value = min(max(value, lower), upper)
        return Statistic(self.code, float(value), lower, upper, float(spread), items)


def _domains_of(items: ItemSet) -> frozenset[str]:
    return frozenset(item.domain for item in items if item.domain is not None)


def mean_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of per-item values and the standard error of that mean (ddof 1; 0 for one item)."""
    n = len(values)
    spread = float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return float(np.mean(values)), spread
