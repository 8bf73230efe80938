"""The plan's ``[governance]`` table: who decides, what follows a finding, and by when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from unsilent.plan.gate import GatePlan

Happening = Literal["failure", "undetermined", "missed", "stopped", "complaint", "override"]
"""What a trigger is about."""
Measure = Literal["inform", "review", "correct", "hold"]
"""What a trigger asks for."""
Person = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^\S(.*\S)?$")]
"""A person, a function or a board; names are typed by people and not proven."""
Hours = Annotated[float, Field(gt=0, le=24 * 3660, allow_inf_nan=False)]
Days = Annotated[float, Field(gt=0, le=36600, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RolesPlan(_Table):
    """Who ``reviews``, who ``decides`` and who is ``informed``. An empty list: not declared.

    Where a list is not empty, only those in it hold reviews or answer overrides.
    """

    reviews: tuple[Person, ...] = ()
    decides: tuple[Person, ...] = ()
    informed: tuple[Person, ...] = ()


class TriggerPlan(_Table):
    """One row of the table of triggers: what happens, and what has to follow.

    ``on`` is a mode's verdict (of the ``modes`` named, or of any), a round that was ``missed``,
    monitoring that ``stopped``, a ``complaint``, or an ``override`` that was asked for. ``action``
    is to ``inform`` somebody, to hold a ``review``, to ``correct`` (an action opened for it, and
    closed with evidence), or to ``hold``: as ``correct``, and until then the gate promotes nothing.
    ``within`` is in hours, counted from when a person is aware; without it there is no deadline.
    """

    on: Happening
    action: Measure
    modes: tuple[str, ...] = ()
    within: Hours | None = None


class GovernancePlan(_Table):
    """What people have to do about what is found. What is left out is shown as not declared.

    ``aware_within`` is by how many hours after an alarm a person has to say to know of it,
    ``review_every`` the most days between two reviews, ``retention`` for how many days after its
    last entry the record is kept, ``complaints`` where people complain (an address or a desk).
    With ``four_eyes`` an override of the gate is asked for by one person and approved by another.
    """

    roles: RolesPlan = RolesPlan()
    triggers: tuple[TriggerPlan, ...] = ()
    aware_within: Hours | None = None
    review_every: Days | None = None
    retention: Days | None = None
    complaints: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    four_eyes: bool = True

    def fault(self, planned: tuple[str, ...], gate: GatePlan) -> str | None:
        """What is wrong with the table in a plan of these modes and this gate, if anything is."""
        for number, row in enumerate(self.triggers):
            where = f"governance.triggers[{number}]"
            if row.modes and row.on not in ("failure", "undetermined"):
                return f"{where}.modes: only a failure and an undetermined mode are of a mode"
            absent = [name for name in row.modes if name not in planned]
            if absent:
                known = ", ".join(planned)
                return f"{where}.modes: {absent[0]!r} is not planned; planned are {known}"
            if row.action == "hold" and row.on == "override":
                # A decision that rests on an override's entry is how it takes effect.
                return f"{where}.action: an override is a person's decision and holds no gate"
            if row.action == "hold" and gate.action == "observe":
                return (
                    f"{where}.action: the gate only observes and holds nothing; set gate.action to "
                    '"hold" or "rollback"'
                )
        if len(set(self.triggers)) < len(self.triggers):
            return "governance.triggers: the same row is there twice"
        return None
