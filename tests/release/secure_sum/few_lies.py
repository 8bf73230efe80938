"""A server that lies to three to six sites of a plan that spares one: what it gets, by searching.

Every story that few sites can be told is told to some of them: each is asked to sign a few, and
then for its shares by every story, under whatever signatures there are. Sites on the server's side
sign all of them and tell it all that they hold. ``Closure`` works out what follows.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tests.release.secure_sum.closure import Closure
from tests.release.secure_sum.world import NO_SIGNATURES, Liar, World
from unsilent.errors import PlanError, SecureSumError
from unsilent.plan import parse_plan
from unsilent.release.secure_sum import Terms, primitives
from unsilent.release.secure_sum.state import ClientFiles

SITES = (3, 4, 5, 6)
_SHARES = (0.0, 0.17, 0.2, 0.25, 0.33)


def plan_of(sites, dropout, collusion, rounds, unit="none"):
    """A plan of so few sites; every round is monitored."""
    return parse_plan(
        {
            "federation": {"clients": sites, "rounds": rounds},
            "monitor": {"min_cohort": 2},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"unit": unit, "dropout": dropout, "collusion": collusion},
        }
    )


def plans(rounds, unit="none"):
    """The plans of few sites that a sum can spare one of: each with another number of colluders."""
    found = {}
    for sites in SITES:
        for dropout in _SHARES[1:]:
            for collusion in _SHARES:
                plan = plan_of(sites, dropout, collusion, rounds, unit)
                try:
                    terms = Terms.from_plan(plan)
                except PlanError:
                    continue
                parameters = terms.parameters
                if parameters.least < sites:
                    found.setdefault((sites, parameters.colluders, parameters.least), terms)
    return found


@dataclass(frozen=True)
class Learnt:
    """What a round of lies gave: the sizes of the sets of honest sites whose sum lies open."""

    sizes: tuple[int, ...]
    signed_twice: bool


def stories_of(liar, parameters, chance):
    """Stories to tell: who survived, as few as a sum may hold; sometimes fewer, or a false D."""
    sites = range(parameters.clients)
    sets = [
        set(survivors)
        for size in range(max(1, parameters.least - 1), parameters.clients + 1)
        for survivors in combinations(sites, size)
    ]
    found = []
    for survivors in chance.sample(sets, min(len(sets), 5)):
        gone = set(sites) - survivors
        if chance.random() < 0.15:
            gone ^= {chance.choice(list(sites))}
        found.append(liar.story(survivors, gone))
    return found


def attack(world, number, chance):
    """A round of lies to a federation that set itself up honestly."""
    parameters = world.terms.parameters
    honest = list(range(parameters.clients))
    colluders = {honest.pop(chance.randrange(len(honest))) for _ in range(parameters.colluders)}
    # Whoever really is late sent nothing; all others did, whatever the server says of them.
    late = set(chance.sample(honest, chance.random() < 0.3))
    masking = [place for place in range(parameters.clients) if place not in late]
    liar = Liar(world, number, world.vectors(number), masking)
    private = {place: world.private[place] for place in colluders}
    known = Closure(world.session, number, key_shares=world.key_shares, private=private)
    known.saw(liar.masked)
    stories = stories_of(liar, parameters, chance)
    signed = {place: _signatures(world, stories, place) for place in colluders}
    favourite = chance.choice(stories)
    twice = False
    for place in honest if parameters.consistency else ():
        asked = chance.sample(stories, chance.randint(1, len(stories)))
        if chance.random() < 0.7:
            asked.insert(0, favourite)
        signed[place] = {}
        for story in asked:
            try:
                data = world.clients[place].agree(story.to_bytes())
            except SecureSumError:
                continue
            signed[place][story.statement] = data[-64:]
        twice |= len(signed[place]) > 1
    for place in honest:
        for story in chance.sample(stories, len(stories)):
            signers = sorted(p for p in signed if story.statement in signed[p])
            if chance.random() < 0.1 and signers:
                signers.remove(chance.choice(signers))
            rows = [np.frombuffer(signed[p][story.statement], np.uint8) for p in signers]
            signatures = np.array(rows) if rows else NO_SIGNATURES
            if not parameters.consistency:
                signers, signatures = [], NO_SIGNATURES
            try:
                answer = liar.tell(place, story, signers=tuple(signers), signatures=signatures)
            except SecureSumError:
                continue
            known.answered(place, story, answer)
    return Learnt(tuple(sorted(len(clients) for clients, _ in known.learnt())), twice)


def _signatures(world, stories, place):
    key = ClientFiles(world.folders[place], world.terms.plan).signing_key()
    return {story.statement: primitives.sign(key, story.statement) for story in stories}


def search(folder, terms, chance):
    """Lies in all rounds of a plan: what each gave."""
    world = World(folder, terms=terms)
    world.set_up()
    return [attack(world, number, chance) for number in terms.rounds]
