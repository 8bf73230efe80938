"""Who sees what of a client under a plan, and what it would take to see more: figures and words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import LABELLED_OF, LABELLED_ROLES, OPEN_ROLES, SITES
from unsilent.release.secure_sum.draw import number_of_drawers
from unsilent.release.secure_sum.lies import smallest_sum
from unsilent.release.secure_sum.parameters import MOST_DRAWS, Parameters, parameters_of

ROLES: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful", "benign", *OPEN_ROLES)
"""Of public items, in the order in which they are told."""

IN_THE_HOUSE = (
    "Items, outcomes and the personalized adapter stay on the client. Where an app makes no "
    "personalized one, what is measured is the adapter that the client sends to be aggregated."
)

NOT_PROTECTED = (
    "The app's own metrics, mean training loss and accuracy with the number of examples, travel "
    "in the clear from each client, as in any Flower app; so do the adapters that are "
    "aggregated. Nothing here adds noise to them.",
    "A server, or anyone else, that swaps the code the clients run.",
    "Lies: a client whose code was changed can add anything to the sum, since nobody sees its "
    "vector alone; only clients that run this code keep to the ranges above. Proofs of range, "
    "which would stop that, are a later step.",
    "A client's folder that is put back to an earlier state forgets what it has spent since.",
)

SYBILS = (
    "Clients that a server makes up: it can fill the federation with its own, whose vectors it "
    "knows, and subtract them. What is left is then the sum over the real ones, with their noise "
    "only, if there is any."
)


@dataclass(frozen=True)
class Unmasking:
    """What it takes to see one client's vector in spite of the secure sum.

    Attributes:
        neighbours: Whom each client shares its masks' secrets with.
        complete: Whether these are all the others.
        threshold: How many shares give a secret.
        colluders: How many clients may side with the server before the noise falls short.
        needed_curious: How many of a client's neighbours must side with a server that follows
            the protocol, to see that client's vector.
        needed_lying: The same with a server that tells clients different things.
        least: The fewest clients that a sum may hold.
        smallest: The fewest honest clients in any sum that a server can get, with as many on its
            side as the plan reckons with, and whatever it tells whom.
        everyone: Whether a sum is of all clients or of none.
        stay: How many clients must stay to the end of a round once the vectors are there.
        signed: Whether clients sign who is in the sum before it is unmasked.
        drawers: How many clients draw a sparse graph together; 0 where all are neighbours.
        pinned: Whether the plan lists the clients' keys.
    """

    neighbours: int
    complete: bool
    threshold: int
    colluders: int
    needed_curious: int
    needed_lying: int
    least: int
    smallest: int
    everyone: bool
    stay: int
    signed: bool
    drawers: int
    pinned: bool

    @property
    def withstands(self) -> bool:
        """Whether a server that lies gets no smaller sum than one that does not."""
        return self.smallest >= self.least - self.colluders

    @classmethod
    def of(cls, plan: MonitoringPlan) -> Unmasking | None:
        """The figures of a plan; None if its aggregation is plain.

        Raises PlanError if the plan has no secure sum that is safe.
        """
        if plan.privacy.aggregation == "plain":
            return None
        own = parameters_of(plan)
        # Whoever knows all others' vectors in a sum subtracts them.
        curious = min(own.threshold, own.least - 1)
        return cls(
            neighbours=own.degree,
            complete=own.complete,
            threshold=own.threshold,
            colluders=own.colluders,
            needed_curious=curious,
            needed_lying=_needed_lying(own, curious),
            least=own.least,
            smallest=own.smallest_sum,
            everyone=own.least == own.clients,
            stay=own.stay,
            signed=own.consistency,
            drawers=0 if own.complete else number_of_drawers(own),
            pinned=bool(plan.privacy.secure_sum.keys),
        )


def _needed_lying(own: Parameters, curious: int) -> int:
    """How many must side with a server that lies, to see one vector; at most ``curious``."""
    for colluders in range(curious):
        if not own.may_sign_twice(colluders) or own.least == own.clients:
            continue
        if not own.complete or smallest_sum(own.clients, colluders, own.threshold, own.least) <= 1:
            return colluders
    return curious


def drawn_items(plan: MonitoringPlan) -> tuple[str, ...]:
    """What the draw of a client's items tells, in sentences; none where all answer the same."""
    if plan.probes.sampling == "same":
        return ()
    needed = {role for code in plan.planned for role in plan.roles(code)}
    sets = ", ".join(
        f"{plan.probes.size(role):,} of {plan.bank(role):,} of {role}"
        for role in ROLES
        if role in needed
    )
    if not sets:
        return ()
    return (
        f"In each monitoring round a client answers public items of its own: {sets}. They are "
        "drawn by a hash of plan, client, round and set: neither side chooses them, and the server "
        "and whoever has plan and banks know which ones. No answer of a client is in that.",
    )


def open_text(plan: MonitoringPlan) -> tuple[str, ...]:
    """What the model writes and who rates it, in sentences; none where nothing is written."""
    asked: list[ItemRole] = [
        r for r in OPEN_ROLES if any(r in plan.roles(code) for code in plan.planned)
    ]
    if not asked:
        return ()
    labelled = [r for r in LABELLED_ROLES if getattr(plan.probes, r) == SITES]
    people = (
        " Some of the answers are shown to whoever labels at the client."
        if any(LABELLED_OF[role] in labelled for role in asked)
        else ""
    )
    hooks = [judge for judge in plan.writing.judges if judge.startswith("hook:")]
    run = (
        f" {' and '.join(hooks)} is a function of the client's machine that reads the texts and "
        "runs with all rights of the process."
        if hooks
        else ""
    )
    return (
        f"The client's model writes answers to prompts of {', '.join(asked)}, which are rated "
        f"there by {', '.join(plan.writing.judges)}. No text leaves the client; of each mode one "
        f"mean of ratings enters the vector, with its spread.{people}{run}",
    )


def seen_in_plain(spent: float, single: float, *, exact: bool = False) -> tuple[str, ...]:
    """Sentences for plain aggregation.

    Args:
        spent: Epsilon of the sums of all planned rounds.
        single: What one client's vectors amount to, looked at one by one.
        exact: Whether some of the numbers carry no noise.
    """
    alone = f"epsilon {single:,.0f}" if math.isfinite(single) else "no useful epsilon"
    return (
        'Aggregation is "plain": the server receives each client\'s noised vector by itself.',
        "With plain aggregation the distributed noise share protects only the sum: a server that "
        "looks at single vectors sees them with only a share of the noise. The client-level "
        f"epsilon {spent:.3g} holds for the sum that is published, not against the server itself; "
        f"looked at one by one, a client's vectors amount to {alone}. You trust the server to add "
        "and to forget them.",
        *(("Numbers without noise it sees of each client as they are.",) if exact else ()),
    )


def seen_in_sums(found: Unmasking, spent: float, *, private: bool = True) -> tuple[str, ...]:
    """Sentences for the secure sum, with the epsilon of all planned rounds, if there is one."""
    among = "the other clients" if found.complete else f"its {found.neighbours} neighbours"
    if not private:
        with_server = (
            f"The server, with {_clients(found.colluders)} on its side,"
            if (found.colluders)
            else "The server by itself"
        )
        against = (
            f"{with_server} sees exact sums over {found.smallest} honest clients or more, and no "
            f"epsilon bounds what these tell. If {found.least - 1} of the {found.least} clients of "
            "a sum put their own numbers together with it, the last one's lie open."
        )
    elif found.colluders:
        against = (
            f"The epsilon {spent:.3g} holds against the server too, together with up to "
            f"{_clients(found.colluders)} on its side: the others' noise suffices without theirs. "
            "With more, the noise that is left is less than promised, though no vector is seen "
            f"before {found.needed_lying} do."
        )
    else:
        against = (
            f"The epsilon {spent:.3g} holds against the server by itself. A client on its side "
            "could take its own noise out of the sum, and less would be left than promised: "
            "privacy.collusion is 0."
        )
    kind = "noised" if private else "exact"
    sentences = [
        f'Aggregation is "secure-sum": each client masks its {kind} vector, so that by itself it '
        "looks like random numbers. The server learns the sum over the clients whose vectors "
        f"arrived, at least {found.least} of them, and nothing else"
        + ("." if found.withstands else ", as long as it tells all of them the same."),
        f"To see one client's vector, {found.needed_curious} of {among} would have to give a "
        "server that follows the protocol their shares of that client's secrets"
        + ("; it would still carry that client's own share of the noise." if private else "."),
        against,
        _against_lies(found, private=private),
        f"Once the vectors are there, {found.stay} clients must stay until the sum is open; with "
        "fewer the round has no sum.",
    ]
    if found.drawers:
        sentences.append(
            f"Who shares secrets with whom is drawn from values that {found.drawers} clients "
            "commit to first and then reveal, so that no one chooses it. A server can only throw "
            f"a draw away; a client helps with {MOST_DRAWS} between two monitoring rounds."
        )
    if found.pinned:
        sentences.append("The clients' keys are listed in the plan; any other is refused.")
    else:
        sentences.append(
            "The plan lists no keys, so a client's key counts from its first use: who runs the "
            "server could answer for a client from the start. `unsilent privacy key` prints a "
            "client's key for privacy.secure_sum.keys."
        )
    return tuple(sentences)


def _against_lies(found: Unmasking, *, private: bool) -> str:
    if found.signed:
        how = "clients sign who is in the sum"
    elif found.everyone:
        how = "all clients are in the sum, or there is none"
    else:
        how = "no two stories find enough shares"
    alone = f"with {_clients(found.colluders)} on its side" if found.colluders else "by itself"
    text = (
        "A server that breaks the protocol, and tells clients different things about who dropped "
        f"out, needs {_clients(found.needed_lying)} on its side to see one vector: {how}. Whatever "
        f"it tells whom, {alone} it gets no sum of fewer than {found.smallest} honest clients"
    )
    if not found.complete:
        text += ", but for a chance of 2^-40 that the graph gives it one"
    if found.withstands:
        return f"{text}."
    return (
        f"{text}{', which the noise counts on' if private else ''}; with signatures these are "
        f"{found.least - found.colluders} (privacy.secure_sum.consistency)."
    )


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
