"""What a server and its colluders can work out: everything that follows from what they hold.

Given the session, message A and B of a round, the sealed key shares and the colluders' private
keys, this opens every box that opens, puts together every secret of which there are enough shares,
takes off every mask that is known, and returns each set of clients whose sum is laid bare.
"""

from itertools import pairwise

import numpy as np

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import masks, primitives
from unsilent.release.secure_sum.messages_round import ShareAnswer
from unsilent.release.secure_sum.messages_set_up import KeyShares
from unsilent.release.secure_sum.shamir import combine
from unsilent.release.secure_sum.wire import items_of


class Closure:
    """The knowledge of a server and colluders about one round.

    ``own_masks=False`` is for clients that leave out their own mask.
    """

    def __init__(self, session, number, *, key_shares, private=None, own_masks=True):
        self.own_masks = own_masks
        self.session, self.number = session, number
        self.terms = session.terms
        self.graph = session.roster.graph
        self.private = private or {}
        self.masked = {}
        self.seed_shares, self.key_shares = {}, {}
        present = len(session.roster)
        for holder, secret in self.private.items():
            self._hold_keys(holder, secret, key_shares, present)

    def saw(self, masked):
        """Message A of some clients, by place."""
        self.masked.update(masked)
        for holder, secret in self.private.items():
            for owner, message in masked.items():
                others = self._members_of(owner)
                if holder in others:
                    box = message.boxes[others.index(holder)].tobytes()
                    context = masks.seed_context(self.session.digest, self.number, owner, holder)
                    share = self._open(secret, holder, owner, box, context)
                    self._note(self.seed_shares, owner, holder, share)

    def answered(self, holder, story, data):
        """A client's answer to a story."""
        others = self._members_of(holder)
        answer = ShareAnswer.from_bytes(data, len(others))
        for owner, share in zip(others, answer.shares, strict=True):
            into = self.seed_shares if story.survivors[owner] else self.key_shares
            self._note(into, owner, holder, share.tobytes())

    def learnt(self):
        """[(clients, their sum)]: each set of honest clients whose sum is laid bare."""
        seeds, keys = self._seeds(), self._keys()
        members = [int(p) for p in np.flatnonzero(self.session.members)]
        honest = [p for p in members if p not in self.private]
        bare = {p for p in honest if p in self.masked and (p in seeds or not self.own_masks)}
        rest, edges = {}, {p: set() for p in honest}
        for place in honest:
            unknown = [o for o in self._members_of(place) if o not in keys and place not in keys]
            edges[place] = set(unknown)
            if place in bare:
                rest[place] = self._without_known(place, seeds.get(place), keys, unknown)
        found = []
        for component in _components(edges):
            if component <= bare:
                total = sum(rest[p].astype(np.int64) for p in component) % 2**32
                found.append((component, np.where(total >= 2**31, total - 2**32, total)))
        return found

    # --- within

    def _hold_keys(self, holder, secret, messages, present):
        for owner, data in messages.items():
            others = [int(o) for o in self.graph.table[owner] if o < present]
            if holder in others and owner != holder:
                message = KeyShares.from_bytes(data, len(others), self.terms)
                box = message.boxes[others.index(holder)].tobytes()
                context = masks.key_context(self.session.roster.digest, owner, holder)
                opened = self._open(secret, holder, owner, box, context)
                if opened:
                    at = self.terms.rounds.index(self.number)
                    self._note(self.key_shares, owner, holder, items_of(opened)[at])

    def _open(self, secret, holder, owner, box, context):
        roster = self.session.roster
        agreed = primitives.agree(secret.channel, roster.adverts[owner].channel)
        key = masks.channel_key(agreed, roster.digest, owner, holder)
        try:
            return primitives.open_box(key, box, context)
        except SecureSumError:
            return None

    def _note(self, into, owner, holder, share):
        if share is not None:
            point = self.graph.table[owner].tolist().index(holder) + 1
            into.setdefault(owner, {})[point] = share

    def _members_of(self, place):
        columns = self.session.columns[place]
        return [int(o) for o in self.graph.table[place][columns]]

    def _secret(self, shares, right):
        """A secret of which there are enough shares; any window of them may be the right one."""
        needed = self.terms.parameters.threshold
        points = sorted(shares)
        for start in range(len(points) - needed + 1):
            chosen = points[start : start + needed]
            rows = np.array([list(shares[p]) for p in chosen], dtype=np.uint8)[:, None, :]
            secret = combine(chosen, rows)[0].tobytes()
            if right(secret):
                return secret
        return None

    def _seeds(self):
        found = {}
        for owner, message in self.masked.items():

            def derived(secret, owner=owner):
                return masks.self_seed(secret, self.session.digest, self.number, owner)

            secret = self._secret(
                self.seed_shares.get(owner, {}),
                lambda s, check=message.check, derived=derived: derived(s)[1] == check,
            )
            if secret:
                found[owner] = derived(secret)[0]
        return found

    def _keys(self):
        at = self.terms.rounds.index(self.number)
        found = {p: items_of(secret.keys)[at] for p, secret in self.private.items()}
        for owner, shares in self.key_shares.items():
            public = self.session.roster.round_key(owner, self.number)
            key = self._secret(shares, lambda k, public=public: primitives.public_key(k) == public)
            if key:
                found.setdefault(owner, key)
        return found

    def _without_known(self, place, seed, keys, unknown):
        length = self.terms.length
        rest = self.masked[place].vector.astype(np.uint32)
        if self.own_masks:
            rest = rest - primitives.mask(seed, length)
        for other in self._members_of(place):
            if other in unknown:
                continue
            mine, theirs = (place, other) if place in keys else (other, place)
            public = self.session.roster.round_key(theirs, self.number)
            agreed = primitives.agree(keys[mine], public)
            pair = masks.pair_seed(agreed, self.session.digest, self.number, place, other)
            mask = primitives.mask(pair, length)
            rest = rest - mask if place < other else rest + mask
        return rest


def leaks(closures, least=None):
    """Sets of clients whose sum is laid bare though it should not be, over one plan's round.

    A set with fewer honest clients than a sum must hold; or any second set, since two sums of
    one round show a client by their difference.
    """
    parameters = closures[0].terms.parameters
    least = parameters.least if least is None else least
    found = [clients for one in closures for clients, _ in one.learnt()]
    small = [clients for clients in found if len(clients) < least - parameters.colluders]
    return small or (found if len(found) > 1 else [])


def _components(edges):
    left, found = set(edges), []
    while left:
        component, queue = set(), [left.pop()]
        while queue:
            one = queue.pop()
            component.add(one)
            more = edges[one] & left
            left -= more
            queue += more
        found.append(frozenset(component))
    assert sum(len(c) for c in found) == len(edges)
    assert all(not (a & b) for a, b in pairwise(found))
    return found
