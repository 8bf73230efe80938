"""The gate's decisions in a run's ledger: taken once, overridden only by name and with a reason.

Each decision names the entries that caused it. An override is an entry too.
"""

from __future__ import annotations

from dataclasses import replace

from unsilent.errors import InputError, LedgerError
from unsilent.governance.duties import holding
from unsilent.governance.four_eyes import agreed_overrides, needs_two
from unsilent.ledger import Ledger
from unsilent.ledger.events import (
    Cause,
    Decision,
    GateOverridden,
    RoundJudged,
    RoundMissed,
    event_of,
)
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan
from unsilent.server.gate import START, Override, Reading, decide, overridden, starts_from


class Gate:
    """A run's gate: decides, and keeps what it decided in the ledger.

    A server that was killed goes on from there; asked again about a round it says the same.

    Args:
        plan: The run's plan. If it only observes, nothing is written and all adapters pass.
        ledger: The run's.
    """

    def __init__(self, plan: MonitoringPlan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._decisions = list(decisions(ledger))

    @property
    def decides(self) -> bool:
        """Whether the plan asks for more than to observe."""
        return self._plan.gate.action != "observe"

    @property
    def standing(self) -> Decision:
        """The decision that holds now."""
        return self._decisions[-1] if self._decisions else START

    @property
    def ever_promoted(self) -> frozenset[int]:
        """All rounds whose adapter was promoted once, by the gate or by a person, and 0."""
        return frozenset((0, *(made.promoted_round for made in self._decisions)))

    def begin(self, round_number: int) -> int:
        """Let new overrides take effect; returns from which round's adapter this round starts."""
        if self.decides:
            taken = {cause.entry for made in self._decisions for cause in made.caused_by}
            for said in overrides(self._ledger, self._plan):
                if said.entry not in taken:
                    self._write(overridden(said, round_number, self._before(round_number)))
        return starts_from(self._plan, round_number, self._before(round_number))

    def close(self, round_number: int) -> Decision | None:
        """Decide after a monitoring round, judged or missed; None if the plan only observes.

        Raises:
            LedgerError: The ledger holds neither findings of the round nor that it was missed.
        """
        if not self.decides:
            return None
        reading = read_round(self._ledger, round_number)
        before = self._before(round_number)
        found = decide(self._plan, reading, before)
        if found.action == "promote":
            found = self._held(found, before)
        # A round that was missed may have been judged since, by a server that was restarted.
        if self.standing != found:
            self._write(found)
        return found

    def _held(self, found: Decision, before: list[Decision]) -> Decision:
        """The decision where the plan's triggers let nothing be promoted until something is done.

        The gate goes on counting as if it had promoted.
        """
        held = holding(self._plan, RunView(self._ledger))
        if not held:
            return found
        last = before[-1] if before else START
        waits = "; ".join(
            f"{duty.cause.words} (ledger entry {duty.cause.entry.index})" for duty in held
        )
        return replace(
            found,
            action="hold",
            promoted_round=last.promoted_round,
            reason=f"held by the plan's triggers until an action for it is closed: {waits}",
            caused_by=(*found.caused_by, *(Cause(duty.cause.entry.hash) for duty in held)),
        )

    def _before(self, round_number: int) -> list[Decision]:
        """What was decided before a round was; a server that was killed comes to a round twice."""
        return [
            made
            for made in self._decisions
            if made.round < round_number or (made.round, made.action) == (round_number, "overruled")
        ]

    def _write(self, made: Decision) -> None:
        self._ledger.record(made)
        self._decisions.append(made)


def decisions(ledger: Ledger) -> tuple[Decision, ...]:
    """All decisions in a ledger, oldest first; the last one holds."""
    return tuple(each.event for each in RunView(ledger).events(Decision))


def overrides(ledger: Ledger, plan: MonitoringPlan) -> tuple[Override, ...]:
    """All overrides that count, oldest first; one takes effect when a decision names it.

    In a plan of four eyes those that a second person approved, under the entry that says so; a
    single person's word counts for nothing there, however it came into the ledger.
    """
    run = RunView(ledger)
    if needs_two(plan):
        return tuple(
            Override(
                each.answer.entry.hash,
                each.asked.event.round,
                each.asked.event.reason,
                f"{each.asked.event.by}, approved by {each.answer.event.by}",
            )
            for each in agreed_overrides(plan, run)
        )
    return tuple(map(override_of, run.events(GateOverridden)))


def override(ledger: Ledger, round_number: int, *, reason: str, by: str) -> Override:
    """Record that a person wants the adapter of a round used, whatever the gate decided.

    It takes effect in the next round that begins.

    Args:
        ledger: The run's.
        round_number: A round that the gate decided about, or 0.
        reason: Why, in the person's words.
        by: Who it is.

    Raises:
        InputError: The gate has decided about no such round, reason or name is empty, or the plan
            asks for four eyes: see ``unsilent.governance.four_eyes``.
    """
    for text, what in ((reason, "reason"), (by, "name")):
        if not text.strip():
            raise InputError(f"an override needs a {what}", where=what, remedy="Give one.")
    declared = RunView(ledger).declared
    if declared is not None and needs_two(declared.event.parsed(ledger.where)):
        raise InputError(
            "this plan asks for four eyes on an override",
            where=ledger.where,
            remedy="Ask for it with `unsilent gate ask`, and let another person answer.",
        )
    check_round(ledger, round_number)
    said = GateOverridden(round_number, reason.strip(), by.strip())
    return override_of(Recorded(ledger.record(said), said))


def check_round(ledger: Ledger, round_number: int) -> None:
    """Raise InputError, naming the others, if the gate has decided about no such round."""
    known = sorted({0, *(made.round for made in decisions(ledger) if made.action != "overruled")})
    if round_number not in known:
        listed = ", ".join(map(str, known))
        raise InputError(
            f"the gate has decided about no round {round_number}",
            where=ledger.where,
            remedy=f"Name one of {listed}; 0 is the adapter that round 1 started from.",
        )


def read_round(ledger: Ledger, round_number: int) -> Reading:
    """What a ledger holds about a monitoring round. Raises LedgerError if nothing."""
    for entry in ledger.page(limit=1, kind=RoundJudged.kind, round=round_number):
        judged = event_of(entry)
        if isinstance(judged, RoundJudged):
            return Reading(
                round_number,
                entry.hash,
                judged.verdicts,
                performance=judged.performance_verdicts,
            )
    for entry in ledger.page(limit=1, kind=RoundMissed.kind, round=round_number):
        missed = event_of(entry)
        if isinstance(missed, RoundMissed):
            return Reading(round_number, entry.hash, {}, missed.reason)
    raise LedgerError(
        f"neither findings of round {round_number} nor that it was missed",
        where=ledger.where,
        remedy="Let the round be judged or missed first.",
    )


def override_of(said: Recorded[GateOverridden]) -> Override:
    """A person's word, with the entry that a decision names it by."""
    return Override(said.entry.hash, said.event.round, said.event.reason, said.event.by)
