"""What the modes of open text share: a judge's rating of written answers, and its own error.

The model writes under the reference and under the personalized adapter, and a judge gives each text
the probability that it shows what is asked for. A judge errs, and by more in one kind of text than
in another; an error that differs between the two adapters looks like a failure, or hides one. So
some answers are rated by people, and what the judge was wrong by on them is taken off
(prediction-powered inference: Angelopoulos et al. 2023, eq. 1; by client: Luo et al. 2024,
arXiv:2409.01730). With J the judge's rating and Y the people's,

    value = mean of the changes of J  +  change of the mean of Y - J over the labelled answers

which is unbiased whatever the judge does, if the labelled answers are drawn like the others. Both
means have their spread over the items, and the value the root of the sum of their squares: no
labelled answer is among those that the first mean is over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import OutcomeError
from unsilent.items import Outcomes
from unsilent.modes.base import (
    Evidence,
    FailureMode,
    ItemRole,
    Need,
    Statistic,
    View,
    mean_and_spread,
)

SHOWN = 1
"""The choice of an open item that says that the text shows what is asked for; 0 says not."""
FEWEST_LABELS = 2
"""Labelled answers of one kind, at least: of fewer no spread is known."""
_LARGEST_BIAS = 0.5
"""A judge that is wrong by more than this on average, over the answers of one kind, is none."""
_LABEL_SD = 0.3
"""Sd of people's rating minus the judge's, assumed while nothing has been measured."""


class WrittenMode(FailureMode):
    """A mode that is measured on what the model writes; see the module."""

    asked: ClassVar[ItemRole]
    """The role of its prompts."""
    labelled: ClassVar[ItemRole]
    """The role of the answers that people rated."""
    kinds: ClassVar[Mapping[str, float]]
    """The kinds of labelled answers, as their ``domain`` names them, and the sign of each."""
    view: ClassVar[View] = "client_public"
    range: ClassVar[tuple[float, float]] = (-3.0, 3.0)
    """A change of a share, and of what the judge was wrong by under either adapter."""
    clip: ClassVar[float] = 0.6
    least_answered: ClassVar[float] = 0.75
    client_sd: ClassVar[float] = 0.1

    def changes(self, reference: Outcomes, personalized: Outcomes) -> NDArray[np.float64]:
        """(n,) change of the judge's rating of each prompt, or of each pair; positive is worse."""
        before, after = reference.of(_shown), personalized.of(_shown)
        return self.kinds["reference"] * (before - after)

    def measure(self, evidence: Evidence) -> Statistic:
        """The change of the rating, the judge's error taken off where answers were labelled.

        Raises OutcomeError if the adapters wrote to different prompts, or if a kind of labelled
        answers has fewer than two.
        """
        changes = self.changes(*evidence.pair("reference", "personalized", self.asked))
        value, spread = mean_and_spread(changes)
        if len(changes) == 1:
            # Of one prompt no spread can be estimated: the largest that is possible stands for it.
            spread = self.item_range[1]
        if evidence.has(self.labelled):
            error, own = self.rectifier(evidence.get("reference", self.labelled))
            value, spread = value + error, math.hypot(spread, own)
        return self._statistic(value, spread, len(changes))

    def rectifier(self, rated: Outcomes) -> tuple[float, float]:
        """What is added for the judge's error, and its standard error.

        Args:
            rated: The judge's ratings of labelled answers; an item's ``answer`` is the people's,
                its ``domain`` the kind.
        """
        wrong = np.array([float(item.answer == SHOWN) for item in rated.items]) - rated.of(_shown)
        domains = np.array([item.domain for item in rated.items])
        value, variance = 0.0, 0.0
        for kind, sign in self.kinds.items():
            own = wrong[domains == kind]
            if len(own) < FEWEST_LABELS:
                raise OutcomeError(
                    f"{len(own)} labelled answers of the kind {kind!r}, and {FEWEST_LABELS} are "
                    "needed",
                    where=f"probes.{self.labelled}",
                    remedy="Label more, or leave the labels out.",
                )
            mean, spread = mean_and_spread(own)
            value += sign * mean
            variance += spread**2
        return value, math.sqrt(variance)

    def expected_spread_of(self, items: Mapping[ItemRole, int]) -> float:
        """Of the prompts and of the labelled answers, each kind's."""
        prompts = self.item_sd / math.sqrt(items[self.asked])
        labels = items.get(self.labelled, 0)
        if not labels:
            return prompts
        own = _LABEL_SD / math.sqrt(self._of_a_kind(labels))
        return math.hypot(prompts, own * math.sqrt(len(self.kinds)))

    def largest_spread(self, items: Mapping[ItemRole, int]) -> float:
        """As any mode's, of the changes, and of each kind of labelled answers."""
        prompts = self.item_range[1] / math.sqrt(max(items[self.asked] - 1, 1))
        labels = items.get(self.labelled, 0)
        if not labels:
            return prompts
        own = 1 / math.sqrt(max(self._of_a_kind(labels) - 1, 1))
        return math.hypot(prompts, own * math.sqrt(len(self.kinds)))

    def independent_items(
        self, items: Mapping[ItemRole, int], *, embedded: bool
    ) -> tuple[tuple[float, int], ...]:
        """The prompts, and each kind of labelled answers."""
        labels = items.get(self.labelled, 0)
        own = ((1.0, self._of_a_kind(labels)),) * len(self.kinds) if labels else ()
        return ((1.0, items[self.asked]), *own)

    def span(self, number: int) -> float | None:
        """Of a rating by people minus the judge's, which lies in [-1, 1], around its mean."""
        return 1 + _LARGEST_BIAS if number else None

    def _of_a_kind(self, labels: int) -> int:
        """Labelled answers of one kind: a draw gives each its share, but for rounding."""
        return max(labels // len(self.kinds), 1)


def needs_of(asked: ItemRole, labelled: ItemRole) -> tuple[Need, ...]:
    """What a mode of open text is measured on: two adapters' answers, and labelled ones."""
    return (Need("reference", asked), Need("personalized", asked), Need("reference", labelled))


def _shown(_item: object) -> int:
    return SHOWN
