"""What follows from lies, as sets: which sums lie open when each client was told another story.

The counting half of ``closure``, without keys and masks, so that all lies to a few clients, and
very many to a hundred, can be tried. Clients are bits; the colluders are the highest ones. Clients
may be told of different members. The server is given more there than it has: a client answers here
though the survivors it is told of sealed it nothing, since they masked with other members.
"""

import random
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Told:
    """What one honest client was told: who the members are, and which of them dropped out."""

    members: int
    gone: int


@dataclass(frozen=True)
class Federation:
    """A graph in which all are neighbours, and its parameters."""

    clients: int
    colluders: int
    threshold: int
    least: int

    @property
    def honest(self):
        return self.clients - self.colluders

    @property
    def side(self):
        """The colluders, whom the server always counts in."""
        return (1 << self.clients) - (1 << self.honest)

    def answers(self, place, told):
        """Whether a client told this keeps every rule by answering."""
        own, surviving = 1 << place, told.members & ~told.gone
        enough = max(self.least, self.threshold + 1)
        return (
            bool(surviving & own)
            and not told.gone & ~told.members
            and (surviving.bit_count() >= enough)
        )

    def sums(self, told):
        """The sets of honest clients whose sum lies open, as bits; ``told`` has one for each."""
        needed = self.threshold - self.colluders
        keys = 0
        for place, number in enumerate(self._told_gone(told, range(self.honest))):
            if number >= needed:
                keys |= 1 << place
        found = []
        for members in {one.members for one in told}:
            here = [place for place, one in enumerate(told) if one.members == members]
            gone = self._told_gone(told, here)
            bare = 0
            for place in here:
                if len(here) - 1 - gone[place] >= needed:
                    bare |= 1 << place
            found += [1 << place for place in here if bare & keys & (1 << place)]
            rest = members & ~self.side & ~keys
            if rest and rest & ~bare == 0:
                found.append(rest)
        return found

    def _told_gone(self, told, places):
        """How many of these places were told of each honest client, but itself, that it is gone."""
        found = [0] * self.honest
        for place in places:
            gone = told[place].gone & ~(1 << place)
            while gone:
                lowest = gone & -gone
                found[lowest.bit_length() - 1] += 1
                gone ^= lowest
        return found

    def stories(self, place):
        """All that a client can be told and answers to."""
        bits = range(1 << self.honest)
        told = (Told(m | self.side, g) for m, g in product(bits, bits) if not g & ~m)
        return [one for one in told if self.answers(place, one)]


def strongest(federation, size, members):
    """Lies that leave a sum of that many, in a session of so many; None if there are none.

    The first clients are in the sum, those after them hidden; whoever is in neither is told of all
    clients.
    """
    f = federation
    hidden = members - f.colluders - size
    if hidden < 0 or members > f.clients:
        return None
    inside = (1 << size + hidden) - 1
    everyone, own = (1 << f.clients) - 1, inside | f.side
    needed, least = f.threshold - f.colluders, max(f.least, f.threshold + 1)
    helping = size + max(0, min(hidden, needed - (size - 1)))
    sessions = [own if place < helping else everyone for place in range(f.honest)]
    spare = [session.bit_count() - least for session in sessions]
    if min(spare) < 0 or sum(spare) < hidden * min(needed, f.honest - 1):
        return None
    for turn in range(200):
        gone = _hidden(range(size, size + hidden), needed, list(spare), random.Random(turn))
        told = [Told(*one) for one in zip(sessions, gone, strict=True)]
        if all(f.answers(place, one) for place, one in enumerate(told)):
            return told
    return None


def _hidden(places, needed, spare, chance):
    """Whom each is told has dropped out, so that as many are told of each of these places.

    By those who can spare most; of them the hidden, who are no use against themselves; then by lot.
    """
    gone = [0] * len(spare)
    for place in places:
        others = [w for w in range(len(spare)) if w != place]
        others.sort(key=lambda w: (-spare[w], w not in places, chance.random()))
        for w in others[:needed]:
            spare[w] -= 1
            gone[w] |= 1 << place
    return gone
