"""What is said of performance on clients' own records, and of the records themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from unsilent.findings.finding import Interval, Oracle, Verdict, plain, with_interval
from unsilent.schema import check_shape


@dataclass(frozen=True)
class PerformanceFinding:
    """One declared statistic in one group of records, at one monitoring round.

    Attributes:
        name: The statistic's key in the plan.
        statistic: accuracy, sensitivity, specificity, balanced-accuracy, auroc or calibration.
        of: The class that it is about, None for none.
        by: all, class, group, domain or site.
        group: Which of them; None for all records.
        compared: perfect, reference or others: what the effect is a shortfall from.
        records: held-out or live.
        effect: The shortfall over all records of the clients in the sums; positive is worse.
        interval: Simultaneous over modes, statistics, groups, windows and rounds.
        window: First and last round that it is over.
        value: The statistic itself in that window, under the personalized models.
        tolerance: Largest effect that the plan accepts.
        clients: Mean number of clients in the sums, rounded down.
        missing: Client-rounds of the window that were asked for and are not in the sums. Of their
            records nothing is known: FAILURE speaks without them, HEALTHY holds whatever they are.
        support: Records that it rests on in a round of the window, noise included. needed: How many
        would do for a verdict, the effect staying as it is; None if no number would,
            or there is a verdict.
        verdict: failure, healthy or undetermined.
        first_alarm_round: First round whose verdict was failure.
        reason: Why it is undetermined, and what would settle it.
        oracle: The truth, in simulation.
    """

    name: str
    statistic: str
    of: str | None
    by: str
    group: str | None
    compared: str
    records: str
    tolerance: float
    clients: int
    verdict: Verdict
    effect: float | None = None
    interval: Interval | None = None
    window: tuple[int, int] | None = None
    value: float | None = None
    missing: int = 0
    support: float | None = None
    needed: int | None = None
    first_alarm_round: int | None = None
    reason: str | None = None
    oracle: Oracle | None = None

    @property
    def key(self) -> str:
        """Names it among a plan's findings."""
        return self.name if self.group is None else f"{self.name}/{self.group}"

    def with_oracle(self, effect: float, clients: int) -> PerformanceFinding:
        """This finding beside the truth."""
        within = effect <= self.tolerance
        wrong = (self.verdict == "failure" and within) or (self.verdict == "healthy" and not within)
        return replace(self, oracle=Oracle(effect, clients, within, not wrong))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data, numbers rounded."""
        data: dict[str, Any] = plain(asdict(self), f"performance {self.key}")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PerformanceFinding:
        """Read one. Raises FindingsError if it does not follow the schema."""
        check_shape(data, "performance")
        return cls.from_valid(data)

    @classmethod
    def from_valid(cls, data: Mapping[str, Any]) -> PerformanceFinding:
        """Read one that was checked already."""
        fields = with_interval(data)
        window, oracle = data["window"], data["oracle"]
        fields["window"] = None if window is None else (window[0], window[1])
        fields["oracle"] = None if oracle is None else Oracle(**oracle)
        return cls(**fields)


@dataclass(frozen=True)
class Drift:
    """How far the records of the newest round, or of the last ones, are from the first ones'.

    Attributes:
        what: classes, groups, domains or words. records: held-out or live. first, last: The two
        windows that are compared, each by its first and last round. distance: Half the sum of the
        absolute differences of the shares (total variation). interval: Of it, at the plan's
        ``alpha`` shared over what is watched. shifted: Whether the lower end lies above 0: the
        records have changed. It is no verdict about
            a model.
        shares: Of each value in the last window, as released, noise included.
    """

    what: str
    records: Literal["held-out", "live"]
    first: tuple[int, int]
    last: tuple[int, int]
    distance: float
    interval: Interval
    shifted: bool
    shares: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data, numbers rounded."""
        data: dict[str, Any] = plain(asdict(self), f"drift of {self.what}")
        return data

    @classmethod
    def from_valid(cls, data: Mapping[str, Any]) -> Drift:
        """Read one that was checked already."""
        fields = with_interval(data)
        for name in ("first", "last"):
            fields[name] = (data[name][0], data[name][1])
        return cls(**fields)
