"""The plan's ``[versions]`` table: plans that follow one another in one ledger, for years."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VersionsPlan(BaseModel):
    """That this plan is one of several which share a ledger, an error and a budget.

    ``alpha`` is the error over all rounds of all versions, those to come included; each version has
    its own ``monitor.alpha`` of it, and what earlier ones had is gone, however early they ended.
    ``epsilon`` is the budget of all versions together at ``privacy.delta``; each has its own
    ``privacy.epsilon`` of it. Both are declared by the first plan, and no later one changes them.
    ``follows`` is the digest of the plan that this one follows, and ``last`` that plan's last
    round: rounds are counted on from there. A first plan has neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    epsilon: Positive | None = None
    follows: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    last: Annotated[int, Field(ge=1, lt=2**31)] | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> VersionsPlan:
        if (self.follows is None) != (self.last is None):
            key, other = ("last", "follows") if self.last is None else ("follows", "last")
            raise ValueError(f"{key}: {other} is there and this is not; give both, or neither")
        return self

    @property
    def first(self) -> int:
        """The first training round of this version."""
        return 1 if self.last is None else self.last + 1

    def written(self) -> dict[str, Any]:
        """JSON-ready data; what a first plan does not have is left out."""
        return self.model_dump(mode="json", exclude_none=True)


def fault_of(
    versions: VersionsPlan,
    *,
    alpha: float,
    epsilon: float | None,
    rounds: int,
    capped: bool,
    gated: bool,
) -> str | None:
    """What is wrong with the table in a plan, as ``key: what``; None if nothing.

    Args:
        versions: The table.
        alpha: ``monitor.alpha``.
        epsilon: ``privacy.epsilon``; None without differential privacy.
        rounds: ``federation.rounds``.
        capped: Whether a client's rounds are capped.
        gated: Whether the plan has a gate that decides.
    """
    if versions.alpha < alpha:
        return (
            f"versions.alpha: {versions.alpha:g} for all versions is less than this one's "
            f"monitor.alpha {alpha:g}"
        )
    if (versions.epsilon is None) != (epsilon is None):
        if epsilon is None:
            return 'versions.epsilon: with privacy.unit "none" there is no budget; leave it out'
        return (
            "versions.epsilon: the key is missing; give what all versions together may cost, at "
            f"least privacy.epsilon {epsilon:g}"
        )
    if versions.epsilon is not None and epsilon is not None and versions.epsilon < epsilon:
        return (
            f"versions.epsilon: {versions.epsilon:g} for all versions is less than this one's "
            f"privacy.epsilon {epsilon:g}"
        )
    if versions.last is not None and rounds <= versions.last:
        return (
            f"federation.rounds: rounds are counted on from round {versions.last} of the plan that "
            f"this one follows; give the number of its own last round, {versions.last + 1} or more"
        )
    if capped:
        return (
            "privacy.rounds_per_client: which rounds of which version a client was in is known to "
            "no server; leave it out of plans with [versions]"
        )
    if gated:
        return (
            "gate.action: plans follow one another in a watch, in which nothing is aggregated that "
            "a gate could hold back; leave the table out"
        )
    return None
