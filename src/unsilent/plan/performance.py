"""The plan's ``[performance]`` table: how well the model does on clients' own labelled records."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$")]
Kind = Literal[
    "accuracy", "sensitivity", "specificity", "balanced-accuracy", "auroc", "calibration"
]
By = Literal["all", "class", "group", "domain", "site"]
Compared = Literal["perfect", "reference", "others"]
Source = Literal["held-out", "live"]
Drift = Literal["classes", "groups", "domains", "words"]

OF_A_CLASS: tuple[Kind, ...] = ("sensitivity", "specificity", "balanced-accuracy", "auroc")
"""Statistics of one class against all others."""
MOST_CELLS = 64
"""Statistics times groups that a plan can judge: each has its part of the error."""
BINS = {"auroc": 24, "calibration": 10}


class StatisticPlan(BaseModel):
    """One statistic, of whom, and the largest effect that is accepted. Positive is worse.

    ``of`` is the class, by the text of its choice, that sensitivity, specificity, balanced accuracy
    and AUROC are about; calibration is about the chosen answer where it is left out. ``by`` asks it
    of each group apart: the classes, groups, domains or classes of sites that ``[performance]``
    lists. ``compared`` says what the effect is: how much less than ``perfect``, how much less than
    under the ``reference``, or how much less than with all ``others`` that are listed.
    ``records`` are those that a client held out, or those that came in since (``live``).
    ``bins`` are of the score: of AUROC, whose binning is in its interval, and of calibration, which
    is the calibration in these bins; 1 is calibration in the large. ``alpha_weight`` is its part of
    ``monitor.alpha``, relative to modes and other statistics; its groups share it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    statistic: Kind
    of: Word | None = None
    by: By = "all"
    compared: Compared = "reference"
    records: Source = "held-out"
    tolerance: Annotated[float, Field(ge=0.005, le=1)]
    bins: Annotated[int, Field(ge=1, le=64)] | None = None
    alpha_weight: Annotated[float, Field(gt=0, le=100)] = 1.0

    @model_validator(mode="after")
    def _consistent(self) -> StatisticPlan:
        needs_class = self.statistic in OF_A_CLASS and self.by != "class"
        if needs_class and self.of is None:
            raise ValueError(
                f'of: {self.statistic} is of a class; name one, or ask it by = "class"'
            )
        if self.by == "class" and self.of is not None:
            raise ValueError('of: by = "class" asks it of each class; leave one of the two out')
        if self.statistic == "accuracy" and self.of is not None:
            raise ValueError("of: accuracy is of no class; name sensitivity, or leave the key out")
        if self.compared == "others" and self.by in ("all", "class"):
            raise ValueError(
                'compared: "others" compares groups, domains or sites; name one of them in by'
            )
        if self.bins is not None and self.statistic not in BINS:
            raise ValueError(f"bins: {self.statistic} has none; leave the key out")
        if self.statistic == "auroc" and self.bins is not None and self.bins < 2:
            raise ValueError("bins: an AUROC needs two at least")
        return self

    @property
    def bin_count(self) -> int:
        """Bins of the score; 0 of a statistic without."""
        return self.bins if self.bins is not None else BINS.get(self.statistic, 0)


class PerformancePlan(BaseModel):
    """Statistics of performance on clients' own labelled records, by private sums.

    ``count`` is the most records of one client that count in a round; of more, so many are drawn.
    ``classes`` are told by the text of a record's choices, ``groups`` and ``domains`` by what it
    says of itself, ``sites`` by what a client's owner declares (``site-class``). ``drift`` lists
    what is watched of the records themselves: the mix of classes, groups or domains, and of words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(ge=1, le=100_000)]
    classes: tuple[Word, ...] = ()
    groups: tuple[Word, ...] = ()
    domains: tuple[Word, ...] = ()
    sites: tuple[Word, ...] = ()
    drift: tuple[Drift, ...] = ()
    statistics: dict[Name, StatisticPlan] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> PerformancePlan:
        for key in ("classes", "groups", "domains", "sites", "drift"):
            listed: tuple[str, ...] = getattr(self, key)
            if len({plain(word) for word in listed}) != len(listed):
                raise ValueError(f"{key}: the same one is listed twice")
        self._spelled_alike()
        for name, each in self.statistics.items():
            values = self.values(each.by)
            if each.by != "all" and not values:
                raise ValueError(f"statistics.{name}.by: list performance.{plural(each.by)} first")
            if each.compared == "others" and len(values) < 2:
                raise ValueError(f"statistics.{name}.compared: there are no others to compare with")
        if self.cells > MOST_CELLS:
            raise ValueError(
                f"statistics: {self.cells} statistics and groups; at most {MOST_CELLS} are judged"
            )
        for key in self.drift:
            if key != "words" and not getattr(self, key):
                raise ValueError(f"drift: list performance.{key} first")
        return self

    def _spelled_alike(self) -> None:
        """A class has one name: a record of it is counted once, and moves no more than that."""
        names = {plain(word): word for word in self.classes}
        for name, each in self.statistics.items():
            known = each.of and names.setdefault(plain(each.of), each.of)
            if known != each.of:
                raise ValueError(
                    f"statistics.{name}.of: {each.of!r} is the class {known!r}; spell it as there"
                )

    def __hash__(self) -> int:
        # Plans are keys of what is worked out once, and a table of statistics is none by itself.
        return hash((self.count, *self.statistics.items()))

    def values(self, by: By) -> tuple[str, ...]:
        """The groups of a way to group records; none of ``all``."""
        found: tuple[str, ...] = () if by == "all" else getattr(self, plural(by))
        return found

    @property
    def cells(self) -> int:
        """How many verdicts there are."""
        return sum(max(1, len(self.values(each.by))) for each in self.statistics.values())

    @property
    def sources(self) -> tuple[Source, ...]:
        """Which records are asked for; drift is of the live ones where there are any."""
        every: tuple[Source, ...] = ("held-out", "live")
        asked = {each.records for each in self.statistics.values()}
        return tuple(each for each in every if each in asked)

    def written(self) -> dict[str, Any]:
        """JSON-ready data, without what is not given."""
        return self.model_dump(mode="json", exclude_none=True)


def plain(text: str) -> str:
    """What a word is told by: case and outer blanks make no difference."""
    return text.strip().casefold()


def plural(by: str) -> str:
    """The key of ``[performance]`` that lists the groups."""
    return "classes" if by == "class" else f"{by}s"
