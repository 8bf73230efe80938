"""The plan's ``[gate]`` table: what happens to an adapter in which a failure was found."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from unsilent.taxonomy import by_code


class GatePlan(BaseModel):
    """Which global adapters are promoted, which is to say given to the clients to use.

    ``observe`` decides nothing. ``hold`` promotes no adapter with a FAILURE: clients keep the last
    good one while training goes on. ``rollback`` does so too, and the federation itself goes back
    to the last good one. ``modes`` are those that count; all planned ones if empty. ``statistics``
    are those of ``[performance.statistics]`` that count beside them, in each of their groups; none
    if empty.

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
    statistics: tuple[str, ...] = ()

    def codes(self, planned: tuple[str, ...]) -> tuple[str, ...]:
        """Codes of the modes that count, of those planned."""
        return tuple(code for code in planned if not self.modes or by_code(code).mode in self.modes)

    def written(self) -> dict[str, Any]:
        """JSON-ready data; plans from before statistics counted keep their digest."""
        return self.model_dump(mode="json", exclude=None if self.statistics else {"statistics"})

    def fault(self, planned: tuple[str, ...], statistics: tuple[str, ...] = ()) -> str | None:
        """What is wrong with the table in a plan of these modes and statistics, if anything is.

        Args:
            planned: Plan keys of the modes.
            statistics: Names of the statistics of performance.
        """
        if len(set(self.statistics)) != len(self.statistics):
            return "gate.statistics: a statistic is listed twice"
        unknown = [name for name in self.statistics if name not in statistics]
        if unknown:
            known = f"declared are {', '.join(statistics)}" if statistics else "none is declared"
            return (
                f"gate.statistics: {unknown[0]!r} is not one of [performance.statistics]; {known}"
            )
        if len(set(self.modes)) != len(self.modes):
            return "gate.modes: a mode is listed twice"
        absent = [name for name in self.modes if name not in planned]
        if absent:
            known = ", ".join(planned)
            return f"gate.modes: {absent[0]!r} is not planned; planned are {known}"
        return None
