"""When a client refuses: one rule, one function.

A client answers whoever runs the server, so these rules, and not the server's good will, keep a
single vector masked (Bonawitz et al. 2017, section 6.2). Each returns if the rule is kept and
raises SecureSumError if not.

They bound what each client is told, not what different clients are told. What a server gets that
lies to each in another way is counted in ``lies``; wherever that is more than the one sum it
announces, clients sign who is in the sum (``survivors_are_agreed``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import primitives
from unsilent.release.secure_sum.enrolment import pinned_root, seen_in
from unsilent.release.secure_sum.extract import Extract
from unsilent.release.secure_sum.merkle import has_grown
from unsilent.release.secure_sum.messages_round import Survivors
from unsilent.release.secure_sum.parameters import MOST_DRAWS
from unsilent.release.secure_sum.roster import Roster
from unsilent.release.secure_sum.state import RoundState, Stage
from unsilent.release.secure_sum.terms import Terms

Flags = NDArray[np.bool_]


def _refuse(what: str, remedy: str = "") -> NoReturn:
    nothing = "Nothing of this client's was sent."
    raise SecureSumError(what, where="secure sum", remedy=f"{nothing} {remedy}".strip())


# --- set-up ---------------------------------------------------------------------------------


def advert_is_ours(roster: Roster | Extract, advert_body: bytes, identity: bytes) -> None:
    """The roster holds this client's advert as it was sent."""
    place = roster.places.get(identity)
    shown = place is not None and (isinstance(roster, Roster) or place in roster.adverts)
    if place is None or not shown or roster.adverts[place].body != advert_body:
        _refuse("the roster does not hold this client's keys as they were sent")


def keys_are_proven(roster: Roster | Extract) -> None:
    """Each key is signed by the identity it is said to be of."""
    if roster.unproven:
        first = roster.adverts[roster.unproven[0]].identity.hex()[:16]
        _refuse(
            f"{len(roster.unproven)} of the keys in the roster are not signed by their owners, "
            f"first that of client {first}",
            "Someone between the clients changes keys, or a client is faulty.",
        )


def keys_differ(roster: Roster | Extract) -> None:
    """No two clients have a key in common: one that copies another's would cancel its masks."""
    if not roster.keys_differ:
        _refuse("two keys in the roster are the same")


def keys_are_pinned(roster: Roster | Extract, pinned: Collection[bytes]) -> None:
    """Where the plan pins keys, there is no other."""
    strangers = [identity for identity in roster.places if identity not in pinned]
    if pinned and strangers:
        _refuse(
            f"{len(strangers)} clients are not among the plan's keys, first "
            f"{strangers[0].hex()[:16]}",
            "List each client's key in privacy.secure_sum.keys.",
        )


def clients_are_not_swapped(known: Collection[bytes], roster: Roster | Extract) -> None:
    """A key counts from its first use: over all set-ups there are no more than the plan has."""
    everyone = {*known, *roster.places}
    if len(everyone) > roster.terms.everyone:
        _refuse(
            f"with this roster, {len(everyone)} different keys were used for a plan of "
            f"{roster.terms.everyone} clients",
            "A client that lost its folder has a new key: start a new plan, or pin the keys.",
        )


def clients_are_listed(known: bytes, pinned: Collection[bytes], roster: Roster | Extract) -> None:
    """The list that a sparse graph's roster stands on holds the one before, or the plan's keys.

    Entries that were there stay where they were, and are no more than the plan has clients: none is
    swapped for another, of whomever this client is shown the keys.
    """
    if isinstance(roster, Roster):
        return
    listed = (roster.enrolment.size, roster.enrolment.root)
    if not has_grown(seen_in(known), listed, roster.grown):
        _refuse(
            "the list of clients is not the one that this client knows, grown longer",
            "Clients were swapped, or the server lost its list: start a new plan.",
        )
    if pinned and listed != (len(pinned), pinned_root(pinned)):
        _refuse("the list of clients is not that of the plan's keys")


def all_are_shown(roster: Roster | Extract, own: int) -> None:
    """This client is shown exactly its neighbours, the drawers and those who sign."""
    if isinstance(roster, Extract) and not roster.is_of(own):
        _refuse("the server shows other clients' keys than those of this client's neighbours")


def roster_is_the_first(used: bytes, given: bytes) -> None:
    """A set-up's keys are shared in one roster only."""
    if used and used != given:
        _refuse("this set-up's keys were shared in another roster")


def draws_are_few(draws: int) -> None:
    """A server throws away no more graphs than the parameters count on."""
    if draws >= MOST_DRAWS:
        _refuse(
            f"this client has helped to draw {draws} graphs, and masked nothing in one of them",
            "Someone throws graphs away: start a new plan.",
        )


def is_drawer(roster: Roster | Extract, own: int) -> None:
    """A value is revealed only where it is asked for."""
    if own not in roster.drawers:
        _refuse("this client is not among those that draw the graph")


def all_have_revealed(roster: Roster | Extract) -> None:
    """A sparse graph is drawn from the values of all that must reveal theirs."""
    missing = len(roster.drawers) - len(roster.reveals)
    if missing:
        _refuse(f"{missing} of the {len(roster.drawers)} values that draw the graph are missing")


def reveals_hold(roster: Roster | Extract) -> None:
    """Each value is the one that was committed to, revealed by its owner for this roster."""
    if roster.broken_reveals:
        identity = roster.adverts[roster.broken_reveals[0]].identity.hex()[:16]
        _refuse(
            f"{len(roster.broken_reveals)} of the values that draw the graph are not what was "
            f"committed to, or not for this roster, first that of client {identity}"
        )


def enough_are_there(count: int, terms: Terms) -> None:
    """No fewer clients begin than may survive."""
    if count < terms.parameters.least:
        _refuse(f"{count} clients are fewer than the {terms.parameters.least} that are needed")


def has_enough_neighbours(count: int, terms: Terms) -> None:
    """This client's secrets can be put together if it drops out."""
    if count < terms.parameters.threshold:
        _refuse(
            f"{count} of this client's neighbours are there, fewer than the "
            f"{terms.parameters.threshold} that are needed"
        )


def is_member(members: Flags, own: int) -> None:
    """This client is in the sum."""
    if not members[own]:
        _refuse("this client is not among those that take part")


def boxes_are_complete(expected: Sequence[int], senders: Sequence[int]) -> None:
    """There is a box of each neighbour that must have sent one, and of no one else."""
    if list(expected) != list(senders):
        missing = len(set(expected) - set(senders))
        foreign = len(set(senders) - set(expected))
        _refuse(f"{missing} neighbours' boxes are missing, and {foreign} are of no such neighbour")


def members_are_the_first(used: bytes, given: bytes) -> None:
    """A set-up is confirmed for one set of members only."""
    if used and used != given:
        _refuse("this set-up was confirmed for other members")


# --- a monitoring round ---------------------------------------------------------------------


def session_is_ours(own: bytes, given: bytes) -> None:
    """The request is for the session that this client takes part in."""
    if own != given:
        _refuse("the request is for another session")


def round_is_open(known: bool, closed: bool, round_number: int) -> None:
    """The round is one of the plan's, with keys that were not used or dropped."""
    if not known:
        _refuse(f"round {round_number} is none that this client has keys for")
    if closed:
        _refuse(f"round {round_number} is over", "Its keys are gone; later rounds can go on.")


def round_is_masked(masked: bool, round_number: int) -> None:
    """This client sent its vector in this round."""
    if not masked:
        _refuse(f"this client sent nothing in round {round_number}")


def vector_is_the_first(used: bytes, given: bytes, round_number: int) -> None:
    """One vector a round: the masks of two would cancel, and show their difference."""
    if used != given:
        _refuse(f"round {round_number} has another vector of this client's already")


def round_has_begun(state: RoundState | None) -> bool:
    """Whether a round was masked or has passed; a later set-up does not begin it again.

    Two sums of one round over different survivors would show a client's vector by their
    difference, so a round is masked in one session only, even if that came to nothing.
    """
    return state is not None and state.stage != Stage.READY


def round_is_not_masked_elsewhere(own: bytes, used: bytes, round_number: int) -> None:
    """A round is masked in one session only, even if that came to nothing.

    Two sums over different survivors would show a client's vector by their difference.
    """
    if own != used:
        _refuse(
            f"round {round_number} was begun in an earlier set-up",
            "Later rounds can go on with this one.",
        )


def entries_are_in_range(vector: NDArray[np.int64], terms: Terms) -> None:
    """No sum of such vectors can wrap. Never names a value."""
    if vector.shape != (terms.length,) or vector.dtype != np.int64:
        _refuse(f"a vector that is not {terms.length} whole numbers cannot be masked")
    largest = terms.largest_entry
    if bool((vector > largest).any()) or bool((vector < -largest).any()):
        _refuse(
            f"a number of this client's vector is beyond ±{largest}, so that the sum could wrap",
            "Raise epsilon, which lowers the noise, or lower privacy.clip.",
        )


def sides_are_disjoint(about: Survivors) -> None:
    """No one both survived and dropped out: both kinds of share would unmask its vector."""
    if bool((about.survivors & about.dropped).any()):
        _refuse("a client is said both to have survived and to have dropped out")


def everyone_is_on_a_side(about: Survivors, members: Flags) -> None:
    """Each member survived or dropped out, and there is no one else."""
    if bool(((about.survivors | about.dropped) != members).any()):
        _refuse("survivors and drop-outs together are not the members")


def is_survivor(about: Survivors, own: int) -> None:
    """This client, which sent its vector, is in the sum."""
    if not about.survivors[own]:
        _refuse("this client is said to have dropped out")


def enough_survived(about: Survivors, terms: Terms) -> None:
    """The sum is of no fewer clients than the plan's privacy rests on."""
    count = int(about.survivors.sum())
    if count < terms.parameters.least:
        _refuse(f"{count} survivors are fewer than the {terms.parameters.least} that are needed")


def enough_neighbours_survived(about: Survivors, neighbours: Sequence[int], terms: Terms) -> None:
    """Enough of this client's neighbours are in the sum with it."""
    count = sum(bool(about.survivors[other]) for other in neighbours)
    if count < terms.parameters.threshold:
        _refuse(
            f"{count} of this client's neighbours survived, fewer than the "
            f"{terms.parameters.threshold} that are needed"
        )


def story_is_the_first(used: bytes, given: bytes, round_number: int) -> None:
    """One story of who survived a round, whether it was signed or answered.

    Else a neighbour could be said to have survived in one request and not in the next.
    """
    if used and used != given:
        _refuse(f"another request of round {round_number} was answered already")


def survivors_are_agreed(
    about: Survivors,
    signers: Sequence[int],
    signatures: NDArray[np.uint8],
    identities: Mapping[int, bytes],
    terms: Terms,
) -> None:
    """Enough of those who sign signed this story that no other has as many honest signatures."""
    statement = about.statement
    good = sum(
        bool(about.survivors[signer])
        and signer in identities
        and primitives.verify(identities[signer], signature.tobytes(), statement)
        for signer, signature in zip(signers, signatures, strict=True)
    )
    if good < terms.parameters.quorum:
        _refuse(f"{good} clients signed who survived, fewer than {terms.parameters.quorum}")
