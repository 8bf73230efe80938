"""SF-5, out-of-domain degradation: accuracy lost on the domains of the other clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from unsilent.errors import ItemError, OutcomeError
from unsilent.modes.base import Evidence, FailureMode, ItemRole, Layer, Need, Statistic, View
from unsilent.modes.scores import correct, kinds, paired_difference


class OutOfDomainDegradation(FailureMode):
    """Accuracy that personalization cost on task probes away from the client's home domain.

    Positive when the reference answers more of the away items correctly than the personalized
    adapter does. Items of the home domain do not enter: a gain there must not hide the loss.
    """

    code: ClassVar[str] = "SF-5"
    name: ClassVar[str] = "out_of_domain_degradation"
    title: ClassVar[str] = "Out-of-domain degradation"
    what: ClassVar[str] = "Over-specializing to the local domain weakens generalization beyond it."
    layer: ClassVar[Layer] = "system"
    leads_to: ClassVar[tuple[str, ...]] = ("SF-6",)
    tolerance: ClassVar[float] = 0.10
    view: ClassVar[View] = "client_public"
    needs: ClassVar[tuple[Need, ...]] = (Need("reference", "task"), Need("personalized", "task"))
    needs_home: ClassVar[bool] = True
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    item_sd: ClassVar[float] = 0.35
    statistic: ClassVar[str] = (
        "drop of accuracy on task probes of other domains, reference minus personalized"
    )
    source: ClassVar[str] = (
        "Out-of-distribution accuracy drop after Gulrajani and Lopez-Paz 2021, per client with "
        "its own domain as the home"
    )

    def measure(self, evidence: Evidence) -> Statistic:
        """Mean drop of accuracy on away items, in [-1, 1]; ``items`` counts away items.

        Its spread is that of as many items of each domain and answer drawn again.

        Raises OutcomeError if the client's home domain is unknown, if no item is away from it,
        or if the two adapters were not scored on the same items; ItemError for an item without
        a domain or an answer.
        """
        if evidence.home_domain is None:
            raise OutcomeError(
                "the client's home domain is not known",
                where=self.code,
                remedy="Give the evidence a home_domain.",
            )
        reference, personalized = evidence.pair("reference", "personalized", "task")
        away = np.empty(len(reference.items), dtype=np.bool_)
        for row, item in enumerate(reference.items):
            if item.domain is None:
                raise ItemError("this task item has no domain", where=f"item {item.id}")
            away[row] = item.domain != evidence.home_domain
        if not away.any():
            raise OutcomeError(
                "no task item is of another domain than the client's own",
                where=self.code,
                remedy="Give the task probes at least two domains.",
            )
        before, after = correct(reference)[away], correct(personalized)[away]
        kind = kinds(reference.items)[away]
        value, spread = paired_difference(before, after, bound=1.0, kind=kind)
        return self._statistic(value, spread, len(before))

    def largest_spread(self, items: Mapping[ItemRole, int]) -> float:
        """That of a quarter of the items; more are away from any of four homes."""
        return super().largest_spread({"task": max(items["task"] // 4, 2)})

    def independent_items(
        self, items: Mapping[ItemRole, int], *, embedded: bool
    ) -> tuple[tuple[float, int], ...]:
        """The away items: of an embedded set seven in ten; else a quarter, as ``largest_spread``.

        The largest of the four embedded domains has less than three in ten of the items.
        """
        away = 7 * items["task"] // 10 if embedded else items["task"] // 4
        return ((1.0, max(away, 2)),)

    def measure_within(self, evidence: Evidence, domain: str) -> Statistic:
        """The drop on one domain; 0 for a client at home there, since nothing is away from it.

        The mean over clients therefore counts those at home as without a loss.
        """
        inside = evidence.within(domain)
        if evidence.home_domain == domain:
            items = len(inside.get("reference", "task").items)
            return self._statistic(0.0, 0.0, items)
        return self.measure(inside)
