"""One attack on each rule by which a client refuses.

An attack sets up what it needs with honest means, and then asks for what the rule forbids. It
returns what that gave away: a list of closures to check for leaks, or None where other rules and
the way clients are built keep the secret even so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tests.release.secure_sum.closure import Closure
from tests.release.secure_sum.world import NO_BOXES, Liar, private_of
from unsilent.release.secure_sum import SecureClient, SetUp, masks, primitives
from unsilent.release.secure_sum.draw import Reveal
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.release.secure_sum.extract import extract, showing, shown_to
from unsilent.release.secure_sum.messages_round import Masked
from unsilent.release.secure_sum.messages_set_up import Advert, KeyBoxes
from unsilent.release.secure_sum.roster import Roster, Session


@dataclass(frozen=True)
class Attack:
    """Which rule it is on, how the refusal reads, and whether it lays a single client bare."""

    rule: str
    message: str
    leaks: bool
    run: Callable


ATTACKS = []


def attack(rule, message, *, leaks=False):
    def register(run):
        ATTACKS.append(Attack(rule, message, leaks, run))
        return run

    return register


# --- set-up ---------------------------------------------------------------------------------


def advertised(world):
    """The honest adverts of all clients."""
    adverts = []
    for place, client in enumerate(world.clients):
        adverts.append(Advert.from_bytes(client.advertise(), world.terms))
        world.private[place] = private_of(client, world.folders[place])
    return adverts


def surrounded(world, folder, change, *, victim=None):
    """Go through set-up and a round with one honest client among keys of the server's own.

    ``change`` makes the adverts of the roster from the victim's and the strangers'.
    """
    terms = world.terms
    victim = victim or world.clients[0]
    own = Advert.from_bytes(victim.advertise(), terms)
    strangers = [SecureClient(terms, folder / f"stranger-{i}") for i in range(7)]
    private = {}
    for i, stranger in enumerate(strangers):
        advert = Advert.from_bytes(stranger.advertise(), terms)
        private[advert.channel] = private_of(stranger, folder / f"stranger-{i}")
        strangers[i] = advert
    roster = Roster.of(terms, [own, *change(strangers)])
    place = roster.places[victim.identity]
    shares = victim.share(roster.to_bytes())
    others = [p for p in range(8) if p != place]
    told = {p: private[roster.adverts[p].channel] for p in others}
    everyone = np.ones(8, dtype=np.bool_)
    session = Session(roster, everyone, everyone)
    # The strangers share nothing real; the victim cannot know.
    boxes = _boxes_for(session, place, told)
    victim.accept(KeyBoxes(roster.digest, everyone, tuple(others), boxes).to_bytes())
    data = victim.mask(1, np.arange(terms.length, dtype=np.int64))
    masked = Masked.from_bytes(data, 7, terms.length)
    known = Closure(session, 1, key_shares={place: shares}, private=told)
    known.saw({place: masked})
    return [known]


def _boxes_for(session, place, told):
    roster, rounds = session.roster, len(session.terms.rounds)
    rows = []
    for sender, private in told.items():
        agreed = primitives.agree(private.channel, roster.adverts[place].channel)
        key = masks.channel_key(agreed, roster.digest, sender, place)
        context = masks.key_context(roster.digest, sender, place)
        rows.append(primitives.seal(key, bytes(32 * rounds), context))
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)


@attack("keys_are_proven", "not signed by their owners", leaks=True)
def the_server_puts_its_own_keys_in_others_names(make):
    world = make()
    names = [client.identity for client in world.clients[1:]]
    return surrounded(
        world,
        world.folder,
        lambda own: [replace(a, identity=n) for a, n in zip(own, names, strict=True)],
    )


@attack("keys_are_pinned", "not among the plan's keys", leaks=True)
def the_server_makes_up_clients_where_keys_are_pinned(make):
    world = make()
    pinned = [client.identity.hex() for client in world.clients]
    victim = SecureClient(world.terms, world.folders[0], pinned=pinned)
    return surrounded(world, world.folder, lambda own: own, victim=victim)


@attack("clients_are_not_swapped", "15 different keys", leaks=True)
def the_server_makes_up_clients_the_second_time(make):
    world = make()
    world.set_up()
    return surrounded(world, world.folder, lambda own: own)


@attack("advert_is_ours", "does not hold this client's keys")
def the_server_uses_an_advert_of_an_earlier_set_up(make):
    world = make()
    old = advertised(world)
    world.set_up()
    new = advertised(world)
    client = world.clients[0]
    mixed = [next(a for a in old if a.identity == client.identity)]
    mixed += [a for a in new if a.identity != client.identity]
    client.share(Roster.of(world.terms, mixed).to_bytes())


@attack("keys_differ", "two keys in the roster are the same")
def a_client_copies_anothers_key(make):
    world = make()
    adverts = advertised(world)
    private, identity = primitives.new_signing_key()
    copied = replace(adverts[1], identity=identity)
    statement = Advert.statement(world.terms, identity, copied.channel, copied.keys)
    copied = replace(copied, signature=primitives.sign(private, statement))
    world.clients[0].share(Roster.of(world.terms, [*adverts[:7], copied]).to_bytes())


@attack("roster_is_the_first", "shared in another roster")
def the_server_uses_an_advert_twice(make):
    world = make()
    adverts = advertised(world)
    world.clients[0].share(Roster.of(world.terms, adverts).to_bytes())
    world.clients[0].share(Roster.of(world.terms, adverts[:7]).to_bytes())


@attack("enough_are_there", "3 clients are fewer than the 6")
def the_server_begins_with_too_few(make):
    world = make(threshold=2)
    world.clients[0].share(Roster.of(world.terms, advertised(world)[:3]).to_bytes())


SPARSE = {"clients": 12, "degree": 4, "threshold": 3, "least": 6}


def to_draw(make, **options):
    """A set-up of a sparse graph whose roster is fixed: the world, and the server's side."""
    world = make(**{**SPARSE, **options})
    setup = SetUp(world.terms)
    for client in world.clients:
        setup.add_advert(client.identity, client.advertise())
    setup.roster()
    return world, setup


@attack("draws_are_few", "helped to draw 16 graphs")
def the_server_throws_graphs_away_until_it_likes_one(make):
    world, setup = to_draw(make)
    for _ in range(17):
        for identity, request in setup.draw_requests().items():
            setup.add_reveal(identity, world.by_identity[identity].reveal(request))
        setup.share_requests()
        setup = SetUp(world.terms)
        for client in world.clients:
            setup.add_advert(client.identity, client.advertise())
        setup.roster()


@attack("is_drawer", "not among those that draw the graph")
def the_server_asks_another_client_for_its_value(make):
    world, setup = to_draw(make, clients=40, least=38, rounds=(1,))
    drawing = setup.draw_requests()
    other = next(c for c in world.clients if c.identity not in drawing)
    roster = made(setup)
    other.reveal(extract(roster, setup.enrolled, roster.places[other.identity], 0))


@attack("all_have_revealed", "1 of the 12 values that draw the graph are missing")
def the_server_leaves_a_value_out(make):
    world, setup = to_draw(make)
    reveals = revealed(world, setup)
    roster = made(setup)
    everyone = set(range(len(roster)))
    fewer = roster.drawn(reveals[:-1])
    world.clients[0].share(showing(fewer, setup.enrolled, 0, everyone, set()))


@attack("reveals_hold", "1 of the values that draw the graph are not what was committed to")
def the_server_puts_a_value_of_its_own_in(make):
    world, setup = to_draw(make)
    reveals = revealed(world, setup)
    own = replace(reveals[-1], value=bytes(32))
    drawn = made(setup).drawn([*reveals[:-1], own])
    world.clients[0].share(extract(drawn, setup.enrolled, 0, 0))


@attack("all_are_shown", "shows other clients' keys")
def the_server_shows_other_neighbours_than_those_that_were_drawn(make):
    world, setup = to_draw(make, clients=60, least=50, rounds=(1,))
    drawn = made(setup).drawn(revealed(world, setup))
    shown, signing = shown_to(drawn, 0)
    beside = set(drawn.row(0)) - set(drawn.drawers)
    strangers = set(range(1, 60)) - shown
    instead = (shown - beside) | set(sorted(strangers)[: len(beside)])
    world.clients[0].share(showing(drawn, setup.enrolled, 0, instead, signing))


@attack("clients_are_listed", "not the one that this client knows")
def the_server_swaps_those_that_the_client_is_not_shown(make):
    world = make(**SPARSE)
    world.set_up()
    # The same list, of which one entry is another client's.
    known = list(world.enrolled.places)
    swapped = Enrolled([*known[:-1], bytes(32)])
    setup = SetUp(world.terms, enrolled=swapped)
    for client in world.clients[:-1]:
        setup.add_advert(client.identity, replace_met(client.advertise(), world.terms, 0))
    setup.roster()
    for identity, request in setup.draw_requests().items():
        world.by_identity[identity].reveal(request)


def replace_met(advert, terms, met):
    """The advert as if the client knew so long a list."""
    return replace(Advert.from_bytes(advert, terms), met=met).to_bytes(terms)


def made(setup):
    """The roster as the server has it."""
    return Roster.from_bytes(setup.roster(), setup.terms)


def revealed(world, setup):
    """The values of all drawers, in order."""
    drawing = setup.draw_requests()
    told = [world.by_identity[identity].reveal(request) for identity, request in drawing.items()]
    return [Reveal.from_bytes(data)[2] for data in told]


@attack("has_enough_neighbours", "2 of this client's neighbours are there, fewer than the 5")
def a_client_has_too_few_neighbours(make):
    world = make(least=2)
    world.clients[0].share(Roster.of(world.terms, advertised(world)[:3]).to_bytes())


def up_to_boxes(make, **options):
    """A set-up in which the boxes are ready: the world, and the message to each client."""
    world = make(**options)
    setup = SetUp(world.terms)
    for client in world.clients:
        setup.add_advert(client.identity, client.advertise())
    roster = setup.roster()
    for client in world.clients:
        setup.add_shares(client.identity, client.share(roster))
    boxes = setup.boxes()
    client = world.clients[0]
    given = KeyBoxes.from_bytes(boxes[client.identity], 8, world.terms)
    return client, given


@attack("is_member", "not among those that take part")
def the_server_leaves_the_client_out_of_its_own_session(make):
    client, given = up_to_boxes(make)
    members = given.members.copy()
    members[0] = False
    client.accept(replace(given, members=members).to_bytes())


@attack("boxes_are_complete", "1 neighbours' boxes are missing, and 0")
def the_server_withholds_a_box_of_the_set_up(make):
    client, given = up_to_boxes(make)
    less = replace(given, senders=given.senders[1:], boxes=given.boxes[1:])
    client.accept(less.to_bytes())


@attack("members_are_the_first", "confirmed for other members")
def the_server_has_two_sessions_confirmed(make):
    client, given = up_to_boxes(make)
    client.accept(given.to_bytes())
    members = given.members.copy()
    members[7] = False
    other = replace(given, members=members, senders=given.senders[:6], boxes=given.boxes[:6])
    client.accept(other.to_bytes())


# --- monitoring rounds ----------------------------------------------------------------------


def ready(make, **options):
    world = make(**options)
    world.set_up()
    return world


@attack("session_is_ours", "for another session")
def the_server_asks_to_sign_for_another_session(make):
    world = ready(make, consistency=True)
    liar = Liar(world, 1, world.vectors())
    world.clients[0].agree(liar.story(range(8), session=bytes(32)).to_bytes())


@attack("round_is_open", "round 1 is over")
def the_server_asks_about_a_round_that_has_passed(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors())
    Liar(world, 2, world.vectors())
    liar.tell(0, liar.story(range(8)))


@attack("round_is_masked", "sent nothing in round 1")
def the_server_asks_a_client_that_sent_nothing(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors(), masking=range(1, 8))
    liar.tell(0, liar.story(range(8)), **_boxes(liar, 0, range(1, 8)))


@attack("vector_is_the_first", "another vector of this client's")
def a_second_vector_for_the_round(make):
    world = ready(make)
    world.clients[0].mask(1, world.vectors(0)[0])
    world.clients[0].mask(1, world.vectors(1)[0])


@attack("round_is_not_masked_elsewhere", "begun in an earlier set-up")
def an_answered_round_again_in_a_new_set_up(make):
    world = ready(make)
    world.round(1, world.vectors())
    world.set_up()
    world.clients[0].mask(1, world.vectors()[0])


@attack("round_has_begun", r"round 1 (is over|was begun)", leaks=True)
def the_same_round_over_other_survivors(make):
    """Set up anew when a round has lost a client, and sum the same round once more."""
    world = ready(make)
    vectors = world.vectors()
    found = []
    for everyone in (range(8), range(1, 8)):
        if found:
            world.set_up()
        liar = Liar(world, 1, vectors, masking=everyone)
        known = Closure(world.session, 1, key_shares=world.key_shares)
        known.saw(liar.masked)
        found.append(known)
        story = liar.story(everyone)
        # In the first sum one client never answers, so that for it the round is still open.
        for place in everyone:
            if place or len(found) > 1:
                known.answered(place, story, liar.tell(place, story))
    return found


@attack("entries_are_in_range", "the sum could wrap")
def a_number_that_could_wrap_the_sum(make):
    world = ready(make)
    vector = np.full(world.terms.length, world.terms.largest_entry + 1)
    world.clients[0].mask(1, vector)


@attack("sides_are_disjoint", "both to have survived and to have dropped out")
def a_neighbour_is_on_both_sides(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(8), [3]))


@attack("everyone_is_on_a_side", "together are not the members")
def a_neighbour_is_on_no_side(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(7), []))


@attack("is_survivor", "said to have dropped out")
def the_client_itself_is_said_to_have_dropped_out(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(1, 8)))


@attack("enough_survived", "4 survivors are fewer than the 7", leaks=True)
def a_sum_of_few(make):
    """All but four are said to have dropped out, so the sum is of four."""
    world = ready(make, threshold=3, least=7, colluders=0)
    liar = Liar(world, 1, world.vectors())
    known = Closure(world.session, 1, key_shares=world.key_shares)
    known.saw(liar.masked)
    story = liar.story(range(4))
    for place in range(4):
        known.answered(place, story, liar.tell(place, story))
    return [known]


@attack("enough_neighbours_survived", "4 of this client's neighbours survived, fewer than the 5")
def too_few_neighbours_survive(make):
    world = ready(make, least=2)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(5)))


@attack("story_is_the_first", "another request of round 1")
def a_second_story(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(8)))
    liar.tell(0, liar.story(range(7)))


@attack("story_is_the_first", "another request of round 1")
def a_second_story_to_sign(make):
    world = ready(make, consistency=True)
    liar = Liar(world, 1, world.vectors())
    world.clients[0].agree(liar.story(range(8)).to_bytes())
    world.clients[0].agree(liar.story(range(7)).to_bytes())


@attack("survivors_are_agreed", "0 clients signed who survived")
def no_one_signed(make):
    world = ready(make, consistency=True)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(8)))


def _boxes(liar, place, senders):
    boxes = [liar.box(sender, place) for sender in senders if sender != place]
    others = tuple(sender for sender in senders if sender != place)
    return {"senders": others, "boxes": np.array(boxes) if boxes else NO_BOXES}


@attack("boxes_are_complete", "1 neighbours' boxes are missing")
def a_survivor_without_a_box(make):
    world = ready(make)
    liar = Liar(world, 1, world.vectors())
    liar.tell(0, liar.story(range(8)), **_boxes(liar, 0, range(2, 8)))


@attack("boxes_are_complete", "1 are of no such neighbour")
def a_box_of_one_that_is_no_neighbour(make):
    world = ready(make, clients=12, degree=4, threshold=3, least=6)
    liar = Liar(world, 1, world.vectors())
    table = world.session.roster.graph.table
    neighbours = table[0].tolist()
    stranger = next(p for p in range(1, 12) if p not in neighbours)
    senders = sorted([*neighbours, stranger])
    boxes = [liar.box(p, 0) if p in neighbours else np.zeros(60, np.uint8) for p in senders]
    liar.tell(0, liar.story(range(12)), senders=tuple(senders), boxes=np.array(boxes))


RULES = {one.rule for one in ATTACKS}
