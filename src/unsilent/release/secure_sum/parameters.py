"""How many neighbours each client has, and how many shares give a secret, from the plan.

``bounds`` says which keep secrets and make the sum, ``lies`` what a server gets that tells clients
different things about who dropped out. Clients sign who is in the sum wherever a plan does not
withstand that by itself.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan
from unsilent.release.calibration import counted, honest_left
from unsilent.release.noise import needed_releases
from unsilent.release.secure_sum.bounds import admissible_thresholds, answering_of, signers_among
from unsilent.release.secure_sum.lies import smallest_sum
from unsilent.release.secure_sum.nearest import COMPLETE_UP_TO, MOST_COMPLETE, nearest

SPARSE_RECKONS_WITH = 0.05
"""The share of clients that, on a sparse graph, is taken to collude and to drop out at least: the
graph for none at all is a bare ring, which the first unplanned drop-out would break."""

MOST_NEIGHBOURS = 288
"""The largest degree of a sparse graph that is tried. Where a twentieth drop out in each exchange,
a hundred thousand clients need 258 and a million 282."""

MOST_DRAWS = 16
"""Graphs that a client helps to draw without masking a round in one of them. A server can throw
away one that it does not like; each is another chance of 2^-sigma, and is counted as one."""


_SIGMA = 40
"""Secrets are kept but for probability 2^-40."""

_MORE = 8
"""By how many more clients a plan is looked for that could spare one."""


@dataclass(frozen=True)
class Parameters:
    """What server and clients agree on before the first round.

    Attributes:
        clients: How many take part.
        degree: Neighbours of each client, at most 288.
        threshold: How many neighbours' shares give a secret.
        least: The fewest clients that a sum may hold; a client helps with no smaller one.
        consistency: Whether the survivors sign who is in the sum before it is unmasked.
        colluders: How many clients may side with the server.
        signers: How many drawn clients sign in place of all on a sparse graph; 0 if all do.
        signed: How many of them must.
    """

    clients: int
    degree: int
    threshold: int
    least: int
    consistency: bool
    colluders: int = 0
    signers: int = 0
    signed: int = 0

    @property
    def complete(self) -> bool:
        """Whether each client has all others as neighbours."""
        return self.degree == self.clients - 1

    @property
    def quorum(self) -> int:
        """Signatures of one set of survivors after which no other set can have as many.

        A colluder signs any number of sets and an honest client one, so two sets with ``q``
        signatures each need ``2 q <= clients + colluders``; of drawn signers see ``bounds``.
        """
        return self.signed if self.signers else quorum_of(self.clients, self.colluders)

    def may_sign_twice(self, colluders: int) -> bool:
        """Whether with so many colluders two sets of survivors may both be signed."""
        if not self.consistency:
            return True
        if self.signers:
            # Beyond what is reckoned with, more of those who are drawn may collude.
            return colluders > max(self.colluders, counted(SPARSE_RECKONS_WITH, self.clients))
        return 2 * self.quorum <= self.clients + colluders

    @property
    def smallest_sum(self) -> int:
        """The fewest honest clients in any sum that the server can open, however it lies.

        With the planned colluders on its side. Where clients sign, or where no one may be called
        dropped out, it is what a server gets that tells all the same; 1 is a single vector.
        """
        if self.consistency or self.least == self.clients:
            return self.least - self.colluders
        if not self.complete:
            return 1
        return smallest_sum(self.clients, self.colluders, self.threshold, self.least)

    @property
    def withstands_lies(self) -> bool:
        """Whether a server that tells clients different things gets one sum only, and a whole one.

        That is one of as many clients as each was told it is of.
        """
        return self.smallest_sum >= self.least - self.colluders

    @property
    def stay(self) -> int:
        """How many must sign and answer, once the vectors are there, for a round to have a sum."""
        # Whoever survived needs the shares of others: its own is not among them.
        answering = self.threshold + 1 if self.complete else self.threshold
        if self.consistency and self.signers:
            # As many of all as make a quorum of a sample, in expectation.
            return max(-(-self.clients * self.signed // self.signers), answering)
        return max(self.quorum, answering) if self.consistency else answering


def parameters_of(plan: MonitoringPlan) -> Parameters:
    """The secure sum's parameters for a plan.

    Raises:
        PlanError: if no parameters keep what the plan promises, naming the nearest plan that
            works, if its drop-outs leave fewer clients than a sum must hold, or if it does
            without signatures that it needs.
    """
    clients, privacy = plan.taking_part, plan.privacy
    least = max(needed_releases(plan), plan.monitor.min_cohort)
    left = clients - math.floor(privacy.dropout * clients + 1e-9)
    if least > left:
        raise PlanError(
            f"{left} of {clients} clients are left when as many drop out as planned, fewer than "
            f"the {least} that a sum must hold",
            where="monitor.min_cohort",
            remedy=f"Set it to {left} at most, lower privacy.dropout, or enrol more clients.",
        )

    def with_signatures(consistency: bool) -> Parameters:
        degree, threshold = find_parameters(
            clients,
            privacy.collusion,
            privacy.dropout,
            consistency=consistency,
            min_cohort=plan.monitor.min_cohort,
        )
        colluders = counted(privacy.collusion, clients)
        signers = signed = 0
        if consistency and degree < clients - 1:
            signers, signed = signers_among(
                clients,
                least,
                max(privacy.collusion, SPARSE_RECKONS_WITH),
                max(privacy.dropout, SPARSE_RECKONS_WITH),
                # Drawn with the graph, and as often.
                sigma=_SIGMA + 1 + math.log2(MOST_DRAWS * clients),
            )
        return Parameters(
            clients, degree, threshold, least, consistency, colluders, signers, signed
        )

    choice = privacy.secure_sum.consistency
    if not privacy.private and least - counted(privacy.collusion, clients) < 2:
        raise PlanError(
            "a sum may hold the numbers of a single client that is not on the server's side, and "
            'unit "none" adds no noise to them',
            where="monitor.min_cohort",
            remedy="Raise it, lower privacy.collusion, or name a unit with an epsilon.",
        )
    if choice == "on":
        return with_signatures(True)
    if choice == "auto":
        try:
            found = with_signatures(False)
        except PlanError:
            return with_signatures(True)
        return found if found.withstands_lies else with_signatures(True)
    found = with_signatures(False)
    if found.smallest_sum < 2:
        raise PlanError(
            "a server that tells clients different things about who dropped out can see single "
            "vectors of this plan, since nobody signs who is in the sum",
            where="privacy.secure_sum.consistency",
            remedy='Leave it at "auto", or set privacy.dropout to 0.',
        )
    return found


def one_late(plan: MonitoringPlan) -> float | None:
    """The smallest ``privacy.dropout``, in hundredths, with which a sum can spare one client.

    None if there is none: two clients, or too many on the server's side.
    """
    clients = plan.taking_part
    if clients < 3:
        return None
    dropout = max(math.floor(100 / clients) / 100, 0.01)
    privacy = plan.privacy.model_copy(update={"dropout": dropout})
    monitor = plan.monitor.model_copy(
        update={"min_cohort": min(plan.monitor.min_cohort, clients - 1)}
    )
    try:
        found = parameters_of(plan.model_copy(update={"privacy": privacy, "monitor": monitor}))
    except PlanError:
        return None
    return dropout if found.least < clients else None


def late_by(plan: MonitoringPlan) -> tuple[str, ...]:
    """What would let a sum spare one client where no ``privacy.dropout`` alone does, as clauses.

    Fewer clients on the server's side, or more clients; none of them where nothing near does.
    """
    clients, privacy = plan.taking_part, plan.privacy
    found: list[str] = []
    for colluders in range(counted(privacy.collusion, clients) - 1, -1, -1):
        share = math.floor(100 * colluders / clients) / 100
        fewer = plan.model_copy(update={"privacy": privacy.model_copy(update={"collusion": share})})
        dropout = one_late(fewer)
        if dropout is not None:
            found.append(f"with privacy.collusion = {share:g} and privacy.dropout = {dropout:g}")
            break
    for more in range(clients + 1, clients + _MORE + 1):
        federation = plan.federation.model_copy(update={"clients": more, "participation": 1.0})
        dropout = one_late(plan.model_copy(update={"federation": federation}))
        if dropout is not None:
            found.append(f"from {more} clients on with privacy.dropout = {dropout:g}")
            break
    return tuple(found)


@lru_cache(maxsize=256)
def find_parameters(
    clients: int,
    collusion: float,
    dropout: float,
    *,
    sigma: float = 40,
    eta: float = 30,
    consistency: bool = False,
    min_cohort: int = 2,
) -> tuple[int, int]:
    """The fewest neighbours, and the best threshold with them, that keep both bounds.

    All are neighbours up to ``COMPLETE_UP_TO`` clients, and above it where no sparser graph does.
    Where all are neighbours the threshold is the smallest that keeps apart the two secrets of a
    client and, without signatures, gives a server that lies no smaller sum than it announces.
    Where there is none, and on a sparse graph, it is the largest that is admissible: should more
    drop out than planned, a round is lost, and should more collude, a secret.

    Where all are neighbours, signatures come before sums: should the planned drop-outs in each of
    three exchanges leave too few to sign, then as long as a smallest sum's clients are enough to
    sign it, the vectors' exchange alone withstands as many (``Parameters.stay``).

    Args:
        clients: How many take part, at least 2.
        collusion: Largest share of them that side with the server, in [0, 1).
        dropout: Largest share of those still there that is lost in each exchange, in [0, 1).
        sigma: Secrets are kept but for probability 2^-sigma.
        eta: The sum is made but for probability 2^-eta.
        consistency: Whether there is a third exchange, in which a quorum must sign.
        min_cohort: The fewest clients that a sum holds by the plan's own choice.

    Returns:
        Degree and threshold.

    Raises:
        PlanError: if there are none, naming the nearest plan that works.
    """
    found = _search(clients, collusion, dropout, sigma, eta, consistency, min_cohort)
    if found is None:

        def works(clients: int, collusion: float, dropout: float) -> bool:
            found = _search(clients, collusion, dropout, sigma, eta, consistency, min_cohort)
            return found is not None

        where, remedy = nearest(clients, collusion, dropout, works)
        raise PlanError(
            f"no secure sum of {clients} clients withstands collusion {collusion:g} and "
            f"drop-out {dropout:g} in each of {3 if consistency else 2} exchanges",
            where=where,
            remedy=remedy,
        )
    return found


def quorum_of(clients: int, colluders: int) -> int:
    """Signatures of one set of survivors after which no other set can have as many."""
    return (clients + colluders) // 2 + 1


@lru_cache(maxsize=1024)
def _search(
    clients: int,
    collusion: float,
    dropout: float,
    sigma: float,
    eta: float,
    consistency: bool,
    min_cohort: int,
) -> tuple[int, int] | None:
    exchanges = 3 if consistency else 2
    colluders = counted(collusion, clients)
    least = max(honest_left(clients, collusion, dropout) + colluders, min_cohort)
    quorum = quorum_of(clients, colluders)
    signed = not consistency or answering_of(clients, dropout, 2) >= quorum
    if clients > COMPLETE_UP_TO and signed:
        shares = max(collusion, SPARSE_RECKONS_WITH), max(dropout, SPARSE_RECKONS_WITH)
        # Signatures are there for a server that lies: it names who dropped out, and draws anew.
        spare = max(0, clients - least) if consistency else None
        secret = sigma + math.log2(MOST_DRAWS * clients) if consistency else sigma
        for degree in range(2, min(clients - 1, MOST_NEIGHBOURS + 1), 2):
            thresholds = admissible_thresholds(
                clients, degree, *shares, sigma=secret, eta=eta, exchanges=exchanges, spare=spare
            )
            if thresholds:
                return degree, thresholds[-1]
    if clients > MOST_COMPLETE:
        return None
    thresholds = admissible_thresholds(
        clients, clients - 1, collusion, dropout, exchanges=exchanges
    )
    if signed and thresholds:
        return clients - 1, _best(thresholds, clients, colluders, least, consistency)
    # Of three clients one may be lost only if each of the two others can open the sum: then one
    # that sides with the server sees a vector, as it does by the sum of two that they agreed to.
    enough = max(colluders + 1, min(2, clients - 2))
    if consistency and quorum <= least <= clients and quorum - 1 >= enough:
        return clients - 1, quorum - 1
    return None


def _best(thresholds: range, clients: int, colluders: int, least: int, consistency: bool) -> int:
    """Of the admissible thresholds where all are neighbours, the one to take."""
    majority = (clients - 1 + colluders) // 2 + 1
    if consistency:
        return majority if majority in thresholds else thresholds[-1]
    # The more shares a secret takes, the fewer clients can be hidden with those there are.
    choices = range(min(max(majority, thresholds[0]), thresholds[-1]), thresholds[-1])
    return choices.start + bisect_left(
        choices,
        least - colluders,
        key=lambda threshold: smallest_sum(clients, colluders, threshold, least),
    )
