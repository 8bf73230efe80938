"""One finding: effect, interval, verdict and visibility of one mode at one monitoring round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from unsilent.errors import FindingsError
from unsilent.schema import check_shape

DIGITS = 6
"""Significant digits of every number in the JSON."""

Verdict = Literal["failure", "healthy", "undetermined"]
Visibility = Literal["silent", "loud", "undetermined"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Oracle:
    """The truth that a simulation knows by full access. The judge never reads it.

    Attributes:
        effect: The true effect: mean over all clients, without clipping or noise.
        clients: How many clients it is the mean of.
        within_tolerance: Whether the true effect is at most the tolerance.
        agrees: False if the verdict says failure and the truth is within the tolerance, or says
            healthy and it is not. UNDETERMINED contradicts nothing.
    """

    effect: float
    clients: int
    within_tolerance: bool
    agrees: bool


@dataclass(frozen=True)
class Subgroup:
    """One mode within one group of items or clients."""

    group: str
    effect: float | None
    interval: Interval | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Window:
    """The effect over the monitoring rounds from ``first`` to ``last``, pooled."""

    first: int
    last: int
    effect: float
    interval: Interval


@dataclass(frozen=True)
class Onset:
    """The rounds, first to last, in one of which a failure began.

    Attributes:
        first, last: Whatever the effect did before and after, if a failure that has begun stays.
        sudden: The same, more narrowly, if the effect jumped once and was level else; None where
            the rounds contradict that, as in a drift.
    """

    first: int
    last: int
    sudden: tuple[int, int] | None = None


@dataclass(frozen=True)
class Slope:
    """How much the effect grows from one training round to the next."""

    per_round: float
    interval: Interval


@dataclass(frozen=True)
class ActiveInfluence:
    """What the onsets of two failures say about one arrow between them; never a cause.

    Attributes:
        source, target: Codes of the two modes.
        kind: Of the arrow, as in the taxonomy.
        reading: A sentence for people.
    """

    source: str
    target: str
    kind: str
    reading: str


@dataclass(frozen=True)
class Finding:
    """Effect, interval, verdict and visibility of one mode at one monitoring round.

    The effect is that of one window of rounds, the one that shows the verdict. The intervals of all
    windows hold at once: every finding's interval is valid at every round, for every mode, however
    long one looks and whatever round one picks.

    Attributes:
        code, mode, layer: Its entry in the taxonomy.
        view: Where it is measured: server, client_public or client_private.
        statistic: What one client measures, in words.
        range: What one client's number can be in the release, after clipping.
        effect: Mean over the clients, positive is worse; None if there is no estimate.
        interval: Lower and upper end, simultaneous over planned modes, windows and monitoring
            rounds.
        window: First and last round that the effect is over; None if there is no estimate.
        windows: All windows that were judged: all rounds so far first, then the most recent ones.
        sampling_sd, privacy_sd: The two parts of the interval, standard deviations.
        item_sd: Standard deviation over the choice of public probes; an upper bound, as if all
            clients' errors were the same. A part of the interval if the plan speaks of items like
            these; else the interval is conditional on the probes.
        clients: How many clients it rests on, over several rounds their mean number rounded
            down; None if not planned.
        tolerance: Largest effect that the plan accepts; None if not planned.
        minimal_detectable_effect: Distance beyond the tolerance found with a power of 0.8.
        worst_case: Bounds on the mean over all enrolled clients, whatever those who are missing
            from the window would have said.
        liars: The fewest clients who, by lying within their range, could have made the verdict
            another one; None if not even all could, or without estimate.
        clipped: Mean share of a client's effect that clipping cut off in the window, as released:
            noise included, so that it may lie below 0.
        unshown: Mean share of what training changed that clients could not show to act in the
            model they measured, as released: noise included. None where it was not released.
        differing: Share of clients whose base, tokenizer, adapter layout or engine is not what
            the plan expects, as released.
        fixed_items: Of how many public items alone the verdict speaks, where the plan fixes them;
            0 where it does not say how many. None where it speaks of items like these, or is
            measured on private records.
        verdict: failure, healthy, undetermined; None if not planned.
        visibility: Of failures only: silent, loud or undetermined.
        first_alarm_round: First monitoring round whose verdict was failure.
        onset: In which rounds a failure may have begun; None without failure, or if unknown.
        slope: Growth of the effect a round, for a mode that drifts.
        reason: Why undetermined and what would settle it, or why not planned; of a mode that is
            not a failure, also what its subgroups show; else None.
        oracle: The truth, in simulation.
        subgroups: The same mode by group.
        views: The same mode from a second point of view.
    """

    code: str
    mode: str
    layer: str
    view: str
    statistic: str
    range: Interval
    effect: float | None = None
    interval: Interval | None = None
    window: tuple[int, int] | None = None
    windows: tuple[Window, ...] = ()
    sampling_sd: float | None = None
    privacy_sd: float | None = None
    item_sd: float | None = None
    clients: int | None = None
    tolerance: float | None = None
    minimal_detectable_effect: float | None = None
    worst_case: Interval | None = None
    liars: int | None = None
    clipped: float | None = None
    verdict: Verdict | None = None
    visibility: Visibility | None = None
    first_alarm_round: int | None = None
    onset: Onset | None = None
    slope: Slope | None = None
    reason: str | None = None
    oracle: Oracle | None = None
    subgroups: tuple[Subgroup, ...] = ()
    views: tuple[Finding, ...] = ()
    unshown: float | None = None
    differing: float | None = None
    fixed_items: int | None = None

    def with_oracle(self, effect: float, clients: int) -> Finding:
        """This finding beside the truth. One that is not planned has no tolerance: unchanged."""
        if self.tolerance is None:
            return self
        within = effect <= self.tolerance
        wrong = (self.verdict == "failure" and within) or (self.verdict == "healthy" and not within)
        return replace(self, oracle=Oracle(effect, clients, within, not wrong))

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON-ready data, numbers rounded. Raises FindingsError for NaN."""
        data: dict[str, Any] = plain(asdict(self), f"finding {self.code}")
        return without_unknown(data)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """Read one finding. Raises FindingsError if it does not follow the schema."""
        check_shape(data, "finding")
        return cls.from_valid(data)

    @classmethod
    def from_valid(cls, data: Mapping[str, Any]) -> Finding:
        """Read one that was checked already, as part of something larger."""
        fields = with_interval(data)
        fields["range"] = tuple(data["range"])
        for name in ("window", "worst_case"):
            if data[name] is not None:
                fields[name] = (data[name][0], data[name][1])
        fields["windows"] = tuple(Window(**with_interval(each)) for each in data["windows"])
        if data["onset"] is not None:
            onset = data["onset"]
            sudden = None if onset["sudden"] is None else tuple(onset["sudden"])
            fields["onset"] = Onset(onset["first"], onset["last"], sudden)
        if data["slope"] is not None:
            fields["slope"] = Slope(**with_interval(data["slope"]))
        if data["oracle"] is not None:
            fields["oracle"] = Oracle(**data["oracle"])
        fields["subgroups"] = tuple(Subgroup(**with_interval(group)) for group in data["subgroups"])
        fields["views"] = tuple(cls.from_valid(view) for view in data["views"])
        return cls(**fields)


def without_unknown(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding as JSON without later fields that are None: earlier ones keep their bytes."""
    for name in ("unshown", "differing", "fixed_items"):
        if finding[name] is None:
            del finding[name]
    for view in finding["views"]:
        without_unknown(view)
    return finding


def plain(value: Any, where: str) -> Any:
    """Nested data with tuples as lists and floats rounded to DIGITS significant digits."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return {key: plain(entry, where) for key, entry in entries.items()}
    if isinstance(value, (tuple, list)):
        return [plain(entry, where) for entry in cast("Sequence[Any]", value)]
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise FindingsError("a number is not finite", where=where)
    # Adding 0 turns -0.0, which would print differently, into 0.0.
    return float(f"{value:.{DIGITS}g}") + 0.0


def with_interval(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with its interval as a tuple, or None."""
    interval = data["interval"]
    return {**data, "interval": None if interval is None else (interval[0], interval[1])}
