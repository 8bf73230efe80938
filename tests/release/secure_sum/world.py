"""Clients, and a server that can be honest or lie, in one process."""

from dataclasses import dataclass, replace

import numpy as np

from unsilent.release.secure_sum import Parameters, Round, SecureClient, SetUp, Terms
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.release.secure_sum.messages_round import Masked, Request, Survivors
from unsilent.release.secure_sum.roster import session_digest
from unsilent.release.secure_sum.state import ClientFiles

NO_BOXES = np.zeros((0, 60), dtype=np.uint8)
NO_SIGNATURES = np.zeros((0, 64), dtype=np.uint8)


def terms_of(
    clients=8,
    degree=None,
    threshold=5,
    least=6,
    *,
    consistency=False,
    colluders=1,
    length=5,
    rounds=(1, 2, 3),
    plan="0",
):
    degree = clients - 1 if degree is None else degree
    parameters = Parameters(clients, degree, threshold, least, consistency, colluders)
    return Terms("sha256:" + plan * 64, "sha256:" + "1" * 64, length, rounds, parameters)


@dataclass(frozen=True)
class Private:
    """What a colluding client tells: its private channel key and round keys."""

    channel: bytes
    keys: bytes


def private_of(client, folder):
    """A client's private keys, as they lie in its folder once it has advertised."""
    state = ClientFiles(folder, client.terms.plan).set_up()
    return Private(state.channel, state.keys)


class World:
    """A federation. ``clients`` is in the order of the roster once it is set up."""

    def __init__(self, folder, *, pinned=(), terms=None, **options):
        self.terms = terms or terms_of(**options)
        self.folder = folder
        self.folders = [folder / f"{i:03}" for i in range(self.terms.parameters.clients)]
        self.pinned = pinned
        made = [SecureClient(self.terms, f, pinned=pinned) for f in self.folders]
        order = sorted(range(len(made)), key=lambda i: made[i].identity)
        self.clients = [made[i] for i in order]
        self.folders = [self.folders[i] for i in order]
        self.by_identity = {client.identity: client for client in self.clients}
        self.session = None
        self.enrolled = Enrolled()
        self.private = {}
        self.key_shares = {}

    def __len__(self):
        return len(self.clients)

    def again(self, place):
        """The client as a new process finds it."""
        return SecureClient(self.terms, self.folders[place], pinned=self.pinned)

    def set_up(self, *, adverts=None, shares=None, confirmations=None):
        """An honest set-up in which only those places get through each stage."""
        everyone = range(len(self))
        setup = SetUp(self.terms, enrolled=self.enrolled)
        for place in everyone if adverts is None else adverts:
            client = self.clients[place]
            assert setup.add_advert(client.identity, client.advertise()), setup.discarded
            self.private[place] = private_of(client, self.folders[place])
        setup.roster()
        for identity, request in setup.draw_requests().items():
            assert setup.add_reveal(identity, self.by_identity[identity].reveal(request))
        requests = setup.share_requests()
        sharing = everyone if shares is None else shares
        for client in [self.clients[p] for p in sharing if p in self.private]:
            message = client.share(requests[client.identity])
            self.key_shares[self.clients.index(client)] = message
            assert setup.add_shares(client.identity, message), setup.discarded
        for identity, boxes in setup.boxes().items():
            client = self.by_identity[identity]
            if confirmations is None or self.clients.index(client) in confirmations:
                assert setup.add_confirmation(identity, client.accept(boxes)), setup.discarded
        self.session = setup.session()
        return self.session

    def vectors(self, seed=0):
        """(clients, length) any numbers that are in range."""
        largest = self.terms.largest_entry
        shape = (len(self), self.terms.length)
        return np.random.default_rng(seed).integers(-largest, largest + 1, shape)

    def round(self, number, vectors, *, masking=None, agreeing=None, answering=None):
        """An honest round in which only those places get through each exchange."""
        everyone = range(len(self))
        one = Round(self.session, number)
        for place in everyone if masking is None else masking:
            client = self.clients[place]
            assert one.add(client.identity, client.mask(number, vectors[place])), one.discarded
        one.close()
        if self.terms.parameters.consistency:
            for identity, request in one.agreement_requests().items():
                client = self.by_identity[identity]
                if agreeing is None or self.clients.index(client) in agreeing:
                    assert one.add_agreement(identity, client.agree(request)), one.discarded
        for identity, request in one.requests().items():
            client = self.by_identity[identity]
            if answering is None or self.clients.index(client) in answering:
                assert one.add_answer(identity, client.unmask(request)), one.discarded
        return one


class Liar:
    """A server that says what it likes in one round of a world that was set up honestly."""

    def __init__(self, world, number, vectors, masking=None):
        self.world, self.number = world, number
        self.session = world.session
        everyone = range(len(world)) if masking is None else masking
        self.masked = {}
        for place in everyone:
            data = world.clients[place].mask(number, vectors[place])
            neighbours = len(self.session.columns[place])
            self.masked[place] = Masked.from_bytes(data, neighbours, world.terms.length)

    def flags(self, places):
        flags = np.zeros(len(self.session.roster), dtype=np.bool_)
        flags[list(places)] = True
        return flags

    def story(self, survivors, dropped=None, *, session=None, number=None):
        """That these survived and, if not said otherwise, the other members did not."""
        s = self.flags(survivors)
        d = self.session.members & ~s if dropped is None else self.flags(dropped)
        return Survivors(
            self.session.digest if session is None else session,
            self.number if number is None else number,
            s,
            d,
        )

    def request(self, place, story, **changes):
        """The request to a client that goes with a story; boxes as the survivors sent them."""
        table = self.session.roster.graph.table[place]
        others = table[self.session.columns[place]]
        senders = [int(o) for o in others if story.survivors[o] and o in self.masked]
        boxes = [self.box(o, place) for o in senders]
        request = Request(
            story,
            tuple(senders),
            np.array(boxes, dtype=np.uint8).reshape(-1, 60) if boxes else NO_BOXES,
            (),
            NO_SIGNATURES,
        )
        return replace(request, **changes).to_bytes()

    def box(self, sender, receiver):
        """The box from one client to another, out of message A."""
        columns = self.session.columns[sender]
        others = self.session.roster.graph.table[sender][columns].tolist()
        return self.masked[sender].boxes[others.index(receiver)]

    def tell(self, place, story, **changes):
        """The client's answer to a story."""
        return self.world.clients[place].unmask(self.request(place, story, **changes))


def session_of(roster, members):
    return session_digest(roster.digest, members)
