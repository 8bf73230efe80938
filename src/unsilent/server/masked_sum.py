"""Masked aggregation: the exchanges that the secure sum needs.

The protocol itself is in ``unsilent.release.secure_sum``; this is who is asked what, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from unsilent.errors import SecureSumError
from unsilent.files import write_whole
from unsilent.messages import AGREE, BOXES, DRAW, KEYS, SHARES, UNMASK
from unsilent.plan import MonitoringPlan
from unsilent.release import Release
from unsilent.release.noise import share_variance
from unsilent.release.secure_sum import Round, Session, SetUp, Terms
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.server.monitor import Monitor
from unsilent.server.plain_sum import Ask, Measure

_ENROLLED = "secure-sum-clients.bin"

_DRAWS = 4
"""How often a sparse graph is drawn before a set-up is given up: a client bears 16."""


class SecureSum:
    """The server learns the sum over at least the plan's fewest survivors, and nothing else.

    One set-up serves all monitoring rounds where all clients take part in each, and one round
    where they are drawn anew. It is on disk before a client masks anything with it, so that a
    server that was killed goes on with it.

    Args:
        plan: The plan.
        monitor: Whose layout the sums follow.
        out: The run's folder.
        ask: Sends questions.
    """

    def __init__(self, plan: MonitoringPlan, monitor: Monitor, out: Path, ask: Ask) -> None:
        self._plan = plan
        self._layout = monitor.layout
        self._out = out
        self._ask = ask
        self._identities: dict[int, bytes] = {}
        self._session: Session | None = None
        self._reasons: list[str] = []

    def prepare(
        self, round_number: int, identities: Mapping[int, bytes], *, begun: bool = False
    ) -> Collection[int]:
        """Set up with these nodes, unless a set-up for this round is on disk, with them in it.

        A client that was late at a set-up would be a drop-out of all its later rounds, and leave
        none to spare: once it is there again all set up anew, but for a round that may have begun.
        """
        self._identities = dict(identities)
        self._reasons = []
        terms = Terms.serving(self._plan, round_number)
        path = self._out / f"secure-sum-{terms.rounds[0]}.bin"
        session = _stored(path, terms) if path.is_file() else None
        if session is not None and not begun and _lacks(session, identities.values()):
            # A set-up ends the one before at the clients: if it fails, neither is left.
            path.unlink()
            session = None
        if session is None:
            with self._explained():
                pinned = self._plan.privacy.secure_sum.keys
                enrolled = self._enrolled()
                session = self._set_up(lambda: SetUp(terms, pinned=pinned, enrolled=enrolled))
            write_whole(path, session.to_bytes())
        self._session = session
        there = set(session.identities(session.members))
        return {node for node, identity in identities.items() if identity in there}

    def collect(self, round_number: int, measure: Measure) -> Release:
        """The sum over those whose vector came."""
        if self._session is None:
            raise SecureSumError("the round was not prepared", where=f"round {round_number}")
        masked = Round(self._session, round_number)
        answers = measure()
        if not answers.good:
            raise answers.failure()
        self._reasons += answers.reasons
        for node, reply in answers.good.items():
            masked.add(self._identities[node], reply.sent)
        with self._explained():
            return self._opened(masked, round_number)

    def _opened(self, masked: Round, round_number: int) -> Release:
        masked.close()
        if masked.session.terms.parameters.consistency:
            stage = f"round {round_number}: agree"
            asked = masked.agreement_requests()
            for sender, given in self._each(AGREE, asked, round_number, stage):
                masked.add_agreement(sender, given)
        stage = f"round {round_number}: open the sum"
        for sender, given in self._each(UNMASK, masked.requests(), round_number, stage):
            masked.add_answer(sender, given)
        vector, survivors = masked.total()
        noise = float(share_variance(self._plan) * len(survivors))
        return Release(self._layout.digest, round_number, len(survivors), vector, noise)

    def _enrolled(self) -> Enrolled:
        """The list of the clients that the run's sparse set-ups have met."""
        path = self._out / _ENROLLED
        if not path.is_file():
            return Enrolled()
        try:
            return Enrolled.from_bytes(path.read_bytes())
        except SecureSumError as error:
            raise SecureSumError(
                error.what, where=str(path), remedy="Restore it from a backup, or begin a new plan."
            ) from None

    def _set_up(self, new: Callable[[], SetUp]) -> Session:
        setup, there = self._drawn(new)
        first, requests = setup.terms.rounds[0], setup.share_requests()
        asked = {identity: requests[identity] for identity in there}
        for sender, given in self._each(SHARES, asked, first, "secure sum: share keys"):
            setup.add_shares(sender, given)
        for sender, given in self._each(BOXES, setup.boxes(), first, "secure sum: confirm"):
            setup.add_confirmation(sender, given)
        return setup.session()

    def _drawn(self, new: Callable[[], SetUp]) -> tuple[SetUp, list[bytes]]:
        """A set-up whose graph is known, and who is in it.

        A sparse graph needs the value of each client that draws it. Where one is lost, all begin
        anew without it, so that no one who waits to see what is drawn can do more than leave.
        """
        asked = dict.fromkeys(self._identities.values(), b"")
        for _ in range(_DRAWS - 1):
            setup, there = self._drawn_once(new(), asked)
            lost = setup.undrawn()
            if not lost:
                return setup, there
            asked = {identity: b"" for identity in asked if identity not in lost}
        return self._drawn_once(new(), asked)

    def _drawn_once(self, setup: SetUp, asked: dict[bytes, bytes]) -> tuple[SetUp, list[bytes]]:
        first, there = setup.terms.rounds[0], list[bytes]()
        for sender, given in self._each(KEYS, asked, first, "secure sum: exchange keys"):
            if setup.add_advert(sender, given):
                there.append(sender)
        setup.roster()
        if not setup.terms.parameters.complete:
            # Before anyone is shown an entry: clients hold it against every later list.
            write_whole(self._out / _ENROLLED, setup.enrolled.to_bytes())
        drawing = setup.draw_requests()
        if drawing:
            for sender, given in self._each(DRAW, drawing, first, "secure sum: draw neighbours"):
                setup.add_reveal(sender, given)
        return setup, there

    def _each(
        self, kind: str, bodies: Mapping[bytes, bytes], round_number: int, stage: str
    ) -> Iterator[tuple[bytes, bytes]]:
        """Ask the nodes with these identities; who answered well, and what."""
        asked = {
            node: {"body": bodies[identity]}
            for node, identity in self._identities.items()
            if identity in bodies
        }
        answers = self._ask(kind, round_number, asked, stage)
        self._reasons += answers.reasons
        for node, reply in answers.good.items():
            yield self._identities[node], reply.sent

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Add to a failure the first reason that a client gave."""
        try:
            yield
        except SecureSumError as error:
            if not self._reasons:
                raise
            why = f"{error.what} ({self._reasons[0].rstrip('.')})"
            raise SecureSumError(why, where=error.where, remedy=error.remedy) from None


def _lacks(session: Session, identities: Collection[bytes]) -> bool:
    """Whether so many of these are not in a session that it is worth another set-up.

    Where all are neighbours one is enough. Elsewhere a set-up costs a draw, and many are there to
    spare: half of those that a sum can spare.
    """
    parameters = session.terms.parameters
    there = set(session.identities(session.confirmed))
    lacking = sum(identity not in there for identity in identities)
    spare = 0 if parameters.complete else parameters.clients - parameters.least
    return 2 * lacking > spare


def _stored(path: Path, terms: Terms) -> Session:
    """A session that was set up before the server was killed."""
    try:
        return Session.from_bytes(path.read_bytes(), terms)
    except SecureSumError as error:
        # Of an earlier version, for one, whose clients would not go on with it either.
        raise SecureSumError(
            error.what,
            where=str(path),
            remedy="Delete it to set up anew: rounds that were masked stay closed, later ones go "
            "on.",
        ) from None
