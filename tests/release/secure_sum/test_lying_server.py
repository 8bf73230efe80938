"""A server that lies gets one sum, of no fewer honest clients than the noise counts on.

Against real clients under a plan's own terms, with as many colluders as the plan reckons with,
who tell the server all they hold and sign whatever it likes.
"""

import itertools

import numpy as np
import pytest

from tests.release.secure_sum.closure import Closure
from tests.release.secure_sum.lie_model import Federation, strongest
from tests.release.secure_sum.world import NO_SIGNATURES, Liar
from unsilent.errors import SecureSumError
from unsilent.plan import parse_plan
from unsilent.release.noise import smallest_cohort
from unsilent.release.secure_sum import Parameters, Terms, primitives, rules
from unsilent.release.secure_sum.lies import smallest_sum
from unsilent.release.secure_sum.messages_round import Agreement
from unsilent.release.secure_sum.state import ClientFiles

PLANS = [
    (5, 0.1, 0.0),
    (6, 0.1, 0.1),
    (6, 0.2, 0.2),
    (8, 0.2, 0.1),
    (10, 0.1, 0.1),
    (10, 0.2, 0.1),
    (16, 0.1, 0.0),
    (16, 0.3, 0.1),
]


def plan_of(clients, dropout, collusion, consistency="auto"):
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 1},
            "monitor": {"rounds": [1], "min_cohort": 2},
            "privacy": {
                "epsilon": 8.0,
                "dropout": dropout,
                "collusion": collusion,
                "secure_sum": {"consistency": consistency},
            },
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}},
        }
    )


class Attack:
    """A server and the highest places as its colluders, in the only round of a plan."""

    def __init__(self, world, plan=None, **options):
        self.world = world(terms=Terms.from_plan(plan)) if plan else world(**options)
        self.world.set_up()
        self.parameters = self.world.terms.parameters
        self.vectors = np.random.default_rng(1).integers(
            -1000, 1000, (len(self.world), self.world.terms.length)
        )
        self.liar = Liar(self.world, 1, self.vectors)
        honest = len(self.world) - self.parameters.colluders
        self.honest = range(honest)
        self.colluders = range(honest, len(self.world))
        private = {place: self.world.private[place] for place in self.colluders}
        self.known = Closure(
            self.world.session, 1, key_shares=self.world.key_shares, private=private
        )
        self.known.saw(self.liar.masked)
        self.signed = {}
        self.refusals = []

    def without(self, *gone):
        """The story that these dropped out."""
        return self.liar.story(set(range(len(self.world))) - set(gone))

    def sign(self, place, story):
        """Have an honest client sign a story, if it will."""
        try:
            data = self.world.clients[place].agree(story.to_bytes())
        except SecureSumError as refused:
            self.refusals.append(refused.what)
            return
        signature = Agreement.from_bytes(data).signature
        self.signed.setdefault(story.statement, {})[place] = signature

    def tell(self, place, story):
        """Have an honest client answer a story, with all signatures of it that there are."""
        signatures = dict(self.signed.get(story.statement, {}))
        for colluder in self.colluders:
            if self.parameters.consistency and story.survivors[colluder]:
                files = ClientFiles(self.world.folders[colluder], self.world.terms.plan)
                signatures[colluder] = primitives.sign(files.signing_key(), story.statement)
        rows = [np.frombuffer(signatures[p], np.uint8) for p in sorted(signatures)]
        try:
            answer = self.liar.tell(
                place,
                story,
                signers=tuple(sorted(signatures)),
                signatures=np.array(rows) if rows else NO_SIGNATURES,
            )
        except SecureSumError as refused:
            self.refusals.append(refused.what)
            return
        self.known.answered(place, story, answer)

    def split(self, first, second, *, sign=True):
        """One half of the clients is told one story, the other half the other, of who is in it."""
        stories = itertools.cycle((first, second))
        told = {p: next(stories) for p in self.honest}
        for place, story in told.items():
            told[place] = story = story if story.survivors[place] else first
            if sign and self.parameters.consistency:
                self.sign(place, story)
        for place, story in told.items():
            self.tell(place, story)
        # Asked once more, for the other story, they give nothing else.
        for place, story in told.items():
            self.tell(place, second if story is first else first)

    def spread(self, size):
        """Tell each client of others that dropped out, so that a sum of so many is left."""
        p = self.parameters
        f = Federation(p.clients, p.colluders, p.threshold, p.least)
        for place, told in enumerate(strongest(f, size, p.clients)):
            gone = [other for other in self.honest if told.gone >> other & 1]
            story = self.without(*gone)
            if p.consistency:
                self.sign(place, story)
            self.tell(place, story)

    def sizes(self):
        """Honest clients in each sum that lies open, every one of which is right."""
        found = self.known.learnt()
        for members, total in found:
            assert total.tolist() == self.vectors[sorted(members)].sum(axis=0).tolist()
        return sorted(len(members) for members, _ in found)


@pytest.mark.parametrize("numbers", PLANS, ids=str)
def test_two_stories_about_one_client(world, numbers):
    plan = plan_of(*numbers)
    attack = Attack(world, plan)
    attack.split(attack.without(), attack.without(0))
    assert len(attack.sizes()) <= 1
    assert min(attack.sizes(), default=99) >= smallest_cohort(plan)
    assert attack.refusals


@pytest.mark.parametrize("numbers", PLANS, ids=str)
def test_the_most_lies_that_clients_answer_to(world, numbers):
    """Each is told of as many drop-outs as it bears, others than its neighbour is."""
    plan = plan_of(*numbers)
    attack = Attack(world, plan)
    p = attack.parameters
    open_to = smallest_sum(p.clients, p.colluders, p.threshold, p.least)
    attack.spread(max(open_to, smallest_cohort(plan) - 1 if p.consistency else 0))
    assert len(attack.sizes()) <= 1
    assert min(attack.sizes(), default=99) >= smallest_cohort(plan)


@pytest.mark.parametrize("numbers", PLANS, ids=str)
def test_the_truth_gives_the_sum_that_is_counted_on(world, numbers):
    """So that the cases above say something: the same clients do answer."""
    plan = plan_of(*numbers)
    attack = Attack(world, plan)
    gone = range(len(attack.world) - attack.parameters.least)
    story = attack.without(*gone)
    for place in attack.honest[len(gone) :]:
        if attack.parameters.consistency:
            attack.sign(place, story)
    for place in attack.honest[len(gone) :]:
        attack.tell(place, story)
    assert attack.sizes() == [smallest_cohort(plan)]
    assert not attack.refusals


@pytest.mark.parametrize("numbers", PLANS, ids=str)
def test_without_signatures_less_lies_open_where_these_are_on(world, numbers, monkeypatch):
    """The negative control: the lies work, and signatures are what stops them."""
    plan = plan_of(*numbers)
    attack = Attack(world, plan)
    p = attack.parameters
    open_to = smallest_sum(p.clients, p.colluders, p.threshold, p.least)
    if not p.consistency:
        assert open_to == smallest_cohort(plan)
        return
    monkeypatch.setattr(rules, "survivors_are_agreed", lambda *_: None)
    if open_to == 1:
        attack.split(attack.without(), attack.without(0), sign=False)
    else:
        attack.spread(open_to)
    assert attack.sizes()[0] == open_to < smallest_cohort(plan)


def test_a_quorum_of_one_less_is_signed_twice(world, monkeypatch):
    """A colluder signs both stories, five honest clients one and four the other: 6 and 5."""
    plan = plan_of(10, 0.2, 0.1)
    monkeypatch.setattr(Parameters, "quorum", property(lambda own: 5))
    attack = Attack(world, plan)
    attack.split(attack.without(), attack.without(0))
    assert attack.sizes()[0] == 1
    monkeypatch.undo()
    attack = Attack(world, plan)
    assert attack.parameters.quorum == 6
    attack.split(attack.without(), attack.without(0))
    assert attack.sizes() == [9]


def test_a_client_signs_and_answers_one_story(world):
    """Lies in both exchanges: what was signed is what is answered, and the other way round."""
    attack = Attack(world, plan_of(10, 0.2, 0.1))
    everyone, fewer = attack.without(), attack.without(0)
    for place in attack.honest:
        attack.sign(place, everyone)
    attack.tell(1, fewer)
    attack.sign(2, fewer)
    assert all("another request of round 1 was answered already" in r for r in attack.refusals)
    assert len(attack.refusals) == 2
    attack.tell(1, everyone)
    attack.tell(1, everyone)
    assert len(attack.refusals) == 2


def test_signatures_of_another_round_or_of_the_dropped_do_not_count(world):
    attack = Attack(world, plan_of(10, 0.2, 0.1))
    story = attack.without(0, 1)
    for place in range(2, 9):
        attack.sign(place, story)
    good = dict(attack.signed[story.statement])
    attack.signed[story.statement] = {p: bytes(64) for p in good}
    attack.tell(2, story)
    # The story's own signers, but one of a story in which the first two survived.
    attack.signed[story.statement] = dict(list(good.items())[:4])
    attack.sign(0, attack.without())
    attack.signed[story.statement][0] = attack.signed[attack.without().statement][0]
    attack.tell(3, story)
    assert [what.split(" clients")[0] for what in attack.refusals] == ["1", "5"]


def test_a_plan_without_signatures_pays_for_the_smaller_sum(world):
    """``off``: the smallest sum that lies give is had, and is the one that the noise counts on."""
    plan = plan_of(24, 0.2, 0.1, consistency="off")
    attack = Attack(world, plan)
    p = attack.parameters
    assert not p.consistency
    size = smallest_cohort(plan)
    attack.spread(size)
    assert attack.sizes() == [size]
    assert size < smallest_cohort(plan_of(24, 0.2, 0.1))


def test_a_share_less_gives_a_smaller_sum(world):
    """The threshold of a plan that needs no signatures is the smallest that does."""
    own = Terms.from_plan(plan_of(16, 0.1, 0.0)).parameters
    assert not own.consistency
    size = Parameters(16, 15, own.threshold - 1, own.least, False, 0).smallest_sum
    assert size < own.smallest_sum == 14
    attack = Attack(
        world, clients=16, threshold=own.threshold - 1, least=own.least, colluders=0, rounds=(1,)
    )
    attack.spread(size)
    assert attack.sizes() == [size]
