"""Who sees what of a client under a plan, and what it would take to see more: figures and words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unsilent.plan import MonitoringPlan
from unsilent.release.secure_sum.parameters import parameters_of

IN_THE_HOUSE = "Items, outcomes and the personalized adapter stay on the client."

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
    "only."
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
        needed_lying: The same with a server that tells clients different things; 0 if it needs
            none.
        least: The fewest clients that a sum may hold.
        signed: Whether clients sign who is in the sum before it is unmasked.
        pinned: Whether the plan lists the clients' keys.
    """

    neighbours: int
    complete: bool
    threshold: int
    colluders: int
    needed_curious: int
    needed_lying: int
    least: int
    signed: bool
    pinned: bool

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
        # Two sets of survivors: each honest neighbour serves one of them, a colluder both.
        lying = 2 * own.threshold - own.degree if own.complete else 0
        if own.consistency:
            lying = max(lying, 2 * own.quorum - own.clients)
        return cls(
            neighbours=own.degree,
            complete=own.complete,
            threshold=own.threshold,
            colluders=own.colluders,
            needed_curious=curious,
            needed_lying=min(curious, max(0, lying)),
            least=own.least,
            signed=own.consistency,
            pinned=bool(plan.privacy.secure_sum.keys),
        )


def seen_in_plain(spent: float, single: float) -> tuple[str, ...]:
    """Sentences for plain aggregation.

    Args:
        spent: Epsilon of the sums of all planned rounds.
        single: What one client's vectors amount to, looked at one by one.
    """
    alone = f"epsilon {single:,.0f}" if math.isfinite(single) else "no useful epsilon"
    return (
        'Aggregation is "plain": the server receives each client\'s noised vector by itself.',
        "With plain aggregation the distributed noise share protects only the sum: a server that "
        "looks at single vectors sees them with only a share of the noise. The client-level "
        f"epsilon {spent:.3g} holds for the sum that is published, not against the server itself; "
        f"looked at one by one, a client's vectors amount to {alone}. You trust the server to add "
        "and to forget them.",
    )


def seen_in_sums(found: Unmasking, spent: float) -> tuple[str, ...]:
    """Sentences for the secure sum, with the epsilon of all planned rounds."""
    among = "the other clients" if found.complete else f"its {found.neighbours} neighbours"
    if found.colluders:
        against = (
            f"The epsilon {spent:.3g} holds against the server too, together with up to "
            f"{_clients(found.colluders)} on its side: the others' noise suffices without theirs. "
            "With more, the noise that is left is less than promised, though no vector is seen "
            f"before {found.needed_curious} do."
        )
    else:
        against = (
            f"The epsilon {spent:.3g} holds against the server by itself. A client on its side "
            "could take its own noise out of the sum, and less would be left than promised: "
            "privacy.collusion is 0."
        )
    sentences = [
        'Aggregation is "secure-sum": each client masks its noised vector, so that by itself it '
        "looks like random numbers. The server learns the sum over the clients whose vectors "
        f"arrived, at least {found.least} of them, and nothing else.",
        f"To see one client's vector, {found.needed_curious} of {among} would have to give the "
        "server their shares of that client's secrets; it would still carry that client's own "
        "share of the noise.",
        against,
        _against_lies(found),
    ]
    if found.pinned:
        sentences.append("The clients' keys are listed in the plan; any other is refused.")
    else:
        sentences.append(
            "The plan lists no keys, so a client's key counts from its first use: who runs the "
            "server could answer for a client from the start. `unsilent privacy key` prints a "
            "client's key for privacy.secure_sum.keys."
        )
    return tuple(sentences)


def _against_lies(found: Unmasking) -> str:
    if found.needed_lying == 0:
        return (
            "A server that breaks the protocol, and tells clients different things about who "
            "dropped out, can see single vectors with no client's help, since nobody signs who is "
            "in the sum. Set privacy.secure_sum.consistency to on unless the server is trusted to "
            "follow the protocol."
        )
    how = "clients sign who is in the sum" if found.signed else "no two stories find enough shares"
    text = (
        "A server that breaks the protocol, and tells clients different things about who dropped "
        f"out, needs {_clients(found.needed_lying)} on its side to see one vector: {how}."
    )
    if not found.signed and found.least <= found.neighbours:
        text += (
            f" The one sum that it learns may then hold somewhat fewer than {found.least} "
            "clients; signatures stop that too (privacy.secure_sum.consistency)."
        )
    return text


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
