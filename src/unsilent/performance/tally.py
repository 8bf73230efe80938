"""A client's tally: its own labelled records, scored under both adapters, counted into cells."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError, OutcomeError
from unsilent.items import Item, Outcomes
from unsilent.performance.cells import families_of
from unsilent.performance.family import (
    GAINED,
    LENGTH,
    LOST,
    OTHER,
    RIGHT,
    SQUARE,
    SUPPORT,
    WORD_BINS,
    Family,
)
from unsilent.plan.performance import PerformancePlan, Source, plain

Flags = NDArray[np.bool_]

_LOGITS = 6.0
"""Bins of AUROC lie evenly between the logits -6 and 6; the outer ones are open."""
_LONGEST = 16.0
"""Bits of the length of a text that counts as 1."""


@dataclass(frozen=True)
class Answered:
    """Some records of a client, answered under both adapters.

    Attributes:
        reference, personalized: Outcomes of the same records, in the same order.
    """

    reference: Outcomes
    personalized: Outcomes

    def __post_init__(self) -> None:
        if self.reference.items.digest != self.personalized.items.digest:
            raise OutcomeError(
                "the two adapters were scored on different records",
                remedy="Score the same records, in the same order, under both.",
            )


def tally(
    plan: PerformancePlan | None,
    answered: Mapping[Source, Answered],
    *,
    site: str | None = None,
    words: str = "",
) -> dict[str, float]:
    """All counts of a client, by the coordinate's name; empty where the plan asks for none.

    Args:
        plan: The plan's ``[performance]``.
        answered: The client's records, as far as it has any: who has none counts none.
        site: The class of sites that its owner declared, if any.
        words: What it is drawn by, where there are more records than the plan counts.

    Raises:
        ItemError: A record has no answer; named by its place.
    """
    found: dict[str, float] = {}
    views = {
        source: _View.of(both, _drawn(len(both.reference.items), plan.count, words))
        for source, both in answered.items()
        if plan is not None
    }
    for family in families_of(plan):
        view = views.get(family.records)
        parts = dict.fromkeys(family.parts, 0.0) if view is None else view.count(family, site)
        found |= {family.name(part): float(parts[part]) for part in family.parts}
    return found


@dataclass(frozen=True)
class _View:
    """The records that count: (n,) items, and their rows under both adapters."""

    items: tuple[Item, ...]
    before: NDArray[np.float64]
    now: NDArray[np.float64]

    @classmethod
    def of(cls, both: Answered, rows: NDArray[np.int64]) -> _View:
        items = both.reference.items.items
        for number, item in enumerate(items, 1):
            if item.answer is None:
                raise ItemError(
                    f"record {number} does not say which choice is correct",
                    where="performance",
                    remedy="Give each record an answer.",
                )
        return cls(
            tuple(items[row] for row in rows),
            both.reference.probabilities[rows],
            both.personalized.probabilities[rows],
        )

    def count(self, family: Family, site: str | None) -> dict[str, float]:
        """The parts of one family."""
        inside = self._inside(family, site)
        if family.what == "mix":
            return self._mix(family)
        if family.what == "words":
            return self._words()
        if family.what == "scores":
            return self._scores(family, inside)
        if family.what == "gaps":
            return self._gaps(family, inside)
        asked, before, now = self._answers(family)
        asked &= inside
        told = {
            SUPPORT: asked,
            RIGHT: asked & now,
            LOST: asked & before & ~now,
            GAINED: asked & now & ~before,
        }
        return {part: float(told[part].sum()) for part in family.fields}

    def _inside(self, family: Family, site: str | None) -> Flags:
        if family.by == "site":
            return np.full(len(self.items), site is not None and _same(site, family.value))
        if family.by == "all":
            return np.ones(len(self.items), dtype=np.bool_)
        told = _GROUPS[family.by]
        return np.array([_same(told(item), family.value) for item in self.items], dtype=np.bool_)

    def _answers(self, family: Family) -> tuple[Flags, Flags, Flags]:
        """Which records are asked about, and which of all are right before and now."""
        answers = np.array([item.answer for item in self.items], dtype=np.int64)
        chosen = [np.argmax(table, axis=1) for table in (self.before, self.now)]
        if family.what == "accuracy":
            return np.ones(len(answers), dtype=np.bool_), chosen[0] == answers, chosen[1] == answers
        place = self._places(family.of)
        known, own = place >= 0, place == answers
        hits = [pick == place for pick in chosen]
        if family.what == "sensitivity":
            return known & own, hits[0], hits[1]
        return known & ~own, ~hits[0], ~hits[1]

    def _places(self, of: str | None) -> NDArray[np.int64]:
        """(n,) the choice that names a class; -1 where none does."""
        # Records of one kind have the same choices: each set of them is looked through once.
        places = {
            choices: next((at for at, choice in enumerate(choices) if _same(choice, of)), -1)
            for choices in {item.choices for item in self.items}
        }
        return np.array([places[item.choices] for item in self.items], dtype=np.int64)

    def _outcome(self, family: Family) -> tuple[Flags, NDArray[np.float64], Flags]:
        """Which records count, their scores, and whether what is scored is so."""
        table = self.before if family.adapter == "reference" else self.now
        answers = np.array([item.answer for item in self.items], dtype=np.int64)
        place = np.argmax(table, axis=1) if family.of is None else self._places(family.of)
        scores = table[np.arange(len(place)), np.maximum(place, 0)]
        return place >= 0, np.clip(scores, 0.0, 1.0), place == answers

    def _scores(self, family: Family, inside: Flags) -> dict[str, float]:
        known, scores, positive = self._outcome(family)
        bins = np.searchsorted(score_edges(family.bins), scores, side="right")
        found: dict[str, float] = {}
        for side, where in (("in", positive), ("out", ~positive)):
            counted = np.bincount(bins[known & inside & where], minlength=family.bins)
            found |= {f"{side}.{at}": float(each) for at, each in enumerate(counted)}
        return found

    def _gaps(self, family: Family, inside: Flags) -> dict[str, float]:
        known, scores, so = self._outcome(family)
        where = known & inside
        gap = np.where(where, scores - so, 0.0)
        bins = np.minimum((scores * family.bins).astype(np.int64), family.bins - 1)
        summed = np.bincount(bins, weights=gap, minlength=family.bins)
        found = {SUPPORT: float(where.sum()), SQUARE: float((gap**2).sum())}
        return found | {f"gap.{at}": float(each) for at, each in enumerate(summed)}

    def _mix(self, family: Family) -> dict[str, float]:
        found = dict.fromkeys(family.parts, 0.0)
        told = _GROUPS["class" if family.of == "classes" else str(family.of).removesuffix("s")]
        for item in self.items:
            own = told(item)
            value = next((each for each in family.fields if _same(own, each)), OTHER)
            found[value] += 1
        return found

    def _words(self) -> dict[str, float]:
        shares, length = np.zeros(WORD_BINS), 0.0
        for item in self.items:
            words = item.prompt.casefold().split() or [""]
            places = [zlib.crc32(word.encode()) % WORD_BINS for word in words]
            shares += np.bincount(places, minlength=WORD_BINS) / len(places)
            length += min(np.log2(1 + len(item.prompt)) / _LONGEST, 1.0)
        found = {f"word.{at}": float(each) for at, each in enumerate(shares)}
        return found | {LENGTH: length}


def score_edges(bins: int) -> NDArray[np.float64]:
    """(bins - 1,) edges of AUROC's bins, as probabilities: evenly spaced in the logit."""
    logits = np.linspace(-_LOGITS, _LOGITS, bins + 1)[1:-1]
    return 1 / (1 + np.exp(-logits))


def _answer_text(item: Item) -> str | None:
    return None if item.answer is None else item.choices[item.answer]


_GROUPS: Mapping[str, Callable[[Item], str | None]] = {
    "class": _answer_text,
    "group": lambda item: item.group,
    "domain": lambda item: item.domain,
}


def _same(text: str | None, word: str | None) -> bool:
    """Whether two words mean the same: case and outer blanks make no difference."""
    return text is not None and word is not None and plain(text) == plain(word)


def _drawn(there: int, count: int, words: str) -> NDArray[np.int64]:
    """Places of the records that count: all of them, or so many drawn by a public hash.

    Places and not records: what a record says decides nothing of what is drawn.
    """
    if there <= count:
        return np.arange(there, dtype=np.int64)
    seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8])
    return np.sort(np.random.default_rng(seed).choice(there, count, replace=False))
