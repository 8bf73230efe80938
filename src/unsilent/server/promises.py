"""What a run says of its planned rounds: which it came to, and why it came to no other."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EngineWords:
    """What an engine calls its own steps, for the reasons of rounds that are missed.

    Attributes:
        no_round: That the run handed over none of its rounds.
        no_aggregate: That it came to a round and did not hand over what that aggregated.
        no_transport: That nothing to reach the nodes by was handed over.
        transport_remedy: What to do about that.
    """

    no_round: str = "it handed none of its rounds to the monitor"
    no_aggregate: str = "it did not hand what this round aggregated to the monitor"
    no_transport: str = "no transport was given"
    transport_remedy: str = "Give the run its transport before the first round."


@dataclass
class Promises:
    """The rounds of a run.

    Attributes:
        words: The engine's, for the reasons.
        first: The first round that it came to, None before.
        last: The highest.
        copied: Whether what is monitored was copied: the run may train by the copy.
        whys: By round, what kept it from being monitored; under None what keeps any.
        told_now: Rounds that were asked for, or recorded as missed.
        told_before: Those that an earlier part of the run recorded as missed.
    """

    words: EngineWords = field(default_factory=EngineWords)
    first: int | None = None
    last: int = 0
    copied: bool = False
    whys: dict[int | None, str] = field(default_factory=dict)
    told_now: set[int] = field(default_factory=set)
    told_before: set[int] = field(default_factory=set)

    def reach(self, number: int) -> None:
        """The run came to a round."""
        self.first = number if self.first is None else self.first
        self.last = max(self.last, number)

    def told(self, number: int) -> bool:
        """Whether anything was said of a round."""
        return number in self.told_now or number in self.told_before

    def why(self, number: int, failed: str = "") -> str:
        """Why nothing was said of a planned round.

        Args:
            number: The round.
            failed: The kind of the exception that ended the run, if one did.
        """
        for key in (number, None):
            if key in self.whys:
                return self.whys[key]
        return f"the run did not come to it: {self._what(number, failed)}"

    def _what(self, number: int, failed: str) -> str:
        if self.first is None and failed:
            return f"an exception ({failed}) ended it before its first round"
        if self.first is None and self.copied:
            return "a copy of what is monitored was made, and a copy is not"
        if self.first is None:
            return self.words.no_round
        if number < self.first:
            return f"it began with round {self.first}"
        if number > self.last:
            ended = f"an exception ({failed}) ended it" if failed else "it ended"
            return f"{ended} after round {self.last}"
        return self.words.no_aggregate
