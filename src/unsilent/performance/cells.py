"""Which counts a plan asks for, and which questions they answer: all of it from the plan alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from unsilent.performance.family import (
    GAINED,
    LOST,
    RIGHT,
    SUPPORT,
    Adapter,
    Family,
    What,
)
from unsilent.plan.performance import PerformancePlan, Source, StatisticPlan


@dataclass(frozen=True)
class Question:
    """One verdict: a statistic in one group.

    Attributes:
        name: The statistic's key in the plan.
        asked: Its plan.
        of: The class that it is about; None for none.
        group: The group; None for all records.
        share: Its part of the statistic's error.
    """

    name: str
    asked: StatisticPlan
    of: str | None
    group: str | None
    share: float

    @property
    def key(self) -> str:
        """Names it among a plan's: the statistic's key, and the group behind a slash."""
        return self.name if self.group is None else f"{self.name}/{self.group}"

    def families(self, group: str | None) -> tuple[Family, ...]:
        """What it reads in a group: one family for each part of it and each adapter compared."""
        asked = self.asked
        # A class is no group of records: it decides which of them are asked about.
        sliced = asked.by not in ("all", "class")
        base = Family(
            "accuracy",
            asked.records,
            of=self.of,
            by=asked.by if sliced else "all",
            value=(group or "") if sliced else "",
        )
        paired = asked.compared == "reference"
        if asked.statistic in ("auroc", "calibration"):
            what: What = "scores" if asked.statistic == "auroc" else "gaps"
            adapters: tuple[Adapter, ...] = ("personalized",)
            if paired:
                adapters = ("reference", "personalized")
            binned = replace(base, what=what, bins=asked.bin_count)
            return tuple(replace(binned, adapter=each) for each in adapters)
        fields = (SUPPORT, RIGHT, LOST, GAINED) if paired else (SUPPORT, RIGHT)
        counted = replace(base, fields=fields)
        if asked.statistic == "balanced-accuracy":
            return tuple(replace(counted, what=each) for each in ("sensitivity", "specificity"))
        if asked.statistic == "accuracy":
            # Of the records of a class it is the sensitivity to that class.
            return (replace(counted, what="accuracy" if self.of is None else "sensitivity"),)
        return (replace(counted, what=asked.statistic),)


def questions_of(plan: PerformancePlan | None) -> tuple[Question, ...]:
    """All verdicts of a plan, in its order."""
    found: list[Question] = []
    for name, asked in (plan.statistics if plan else {}).items():
        values = plan.values(asked.by) if plan else ()
        if not values:
            found.append(Question(name, asked, asked.of, None, 1.0))
        for value in values:
            of = value if asked.by == "class" else asked.of
            found.append(Question(name, asked, of, value, 1 / len(values)))
    return tuple(found)


def keys_of(plan: PerformancePlan | None, names: Sequence[str]) -> tuple[str, ...]:
    """Keys of the verdicts of some statistics, in the plan's order."""
    return tuple(each.key for each in questions_of(plan) if each.name in names)


def families_of(plan: PerformancePlan | None) -> tuple[Family, ...]:
    """All counts of a plan, each once; what two statistics read alike is counted once."""
    found: dict[tuple[object, ...], Family] = {}
    for each in _families(plan) if plan else ():
        key = (*each.together, each.of, each.value)
        known = found.get(key)
        if known is None or len(known.fields) < len(each.fields):
            found[key] = each
    return tuple(found.values())


def drift_source(plan: PerformancePlan) -> Source:
    """Which records drift is watched in: the live ones where there are any."""
    return "live" if "live" in plan.sources else "held-out"


def drift_families(plan: PerformancePlan) -> dict[str, Family]:
    """By word of the plan, what is counted of the records themselves."""
    records, found = drift_source(plan), dict[str, Family]()
    for key in plan.drift:
        if key == "words":
            found[key] = Family("words", records)
        else:
            fields: tuple[str, ...] = getattr(plan, key)
            found[key] = Family("mix", records, of=key, fields=fields)
    return found


def _families(plan: PerformancePlan) -> Iterator[Family]:
    for question in questions_of(plan):
        yield from question.families(question.group)
    yield from drift_families(plan).values()
