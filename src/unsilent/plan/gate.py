"""The plan's ``[gate]`` table: what happens to an adapter in which a failure was found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from unsilent.taxonomy import by_code


class GatePlan(BaseModel):
    """Which global adapters are promoted, which is to say given to the clients to use.

    ``observe`` decides nothing. ``hold`` promotes no adapter with a FAILURE: clients keep the last
    good one while training goes on. ``rollback`` does so too, and the federation itself goes back
    to the last good one. ``modes`` are those that count; all planned ones if empty.

    The gate closes after ``close_after`` rounds with a FAILURE in a row, and opens again after
    ``open_after`` good ones; while it is closed nothing is promoted. ``undetermined`` says what a
    round is worth in which no mode is a FAILURE and not all are HEALTHY, a missed one included:
    with ``wait`` nothing, so that its adapter is not promoted and no row is broken or made longer;
    with ``promote`` it is good, and the ledger names the modes that were open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["observe", "hold", "rollback"] = "observe"
    modes: tuple[str, ...] = ()
    close_after: Annotated[int, Field(ge=1, le=1000)] = 1
    open_after: Annotated[int, Field(ge=1, le=1000)] = 2
    undetermined: Literal["wait", "promote"] = "wait"

    def codes(self, planned: tuple[str, ...]) -> tuple[str, ...]:
        """Codes of the modes that count, of those planned."""
        return tuple(code for code in planned if not self.modes or by_code(code).mode in self.modes)

    def fault(self, planned: tuple[str, ...]) -> str | None:
        """What is wrong with the table in a plan of these modes (plan keys), if anything is."""
        if len(set(self.modes)) != len(self.modes):
            return "gate.modes: a mode is listed twice"
        absent = [name for name in self.modes if name not in planned]
        if absent:
            known = ", ".join(planned)
            return f"gate.modes: {absent[0]!r} is not planned; planned are {known}"
        return None
