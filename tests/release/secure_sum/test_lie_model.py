"""The model of lies finds the sums that real keys and masks give."""

import random

import pytest

from tests.release.secure_sum.closure import Closure
from tests.release.secure_sum.lie_model import Federation, Told
from tests.release.secure_sum.world import Liar


def learnt(federation, f, lies):
    """The sets of honest clients, as bits, whose sum lies open to the server after these lies."""
    federation.set_up()
    liar = Liar(federation, 1, federation.vectors())
    private = {place: federation.private[place] for place in range(f.honest, f.clients)}
    known = Closure(federation.session, 1, key_shares=federation.key_shares, private=private)
    known.saw(liar.masked)
    for place, told in enumerate(lies):
        gone = {other for other in range(f.clients) if told.gone >> other & 1}
        story = liar.story(set(range(f.clients)) - gone)
        known.answered(place, story, liar.tell(place, story))
    return {sum(1 << place for place in clients) for clients, _ in known.learnt()}


def drawn(f, chance):
    """Lies about a few clients, each of which some are told of, that all answer to."""
    everyone, targets = (1 << f.clients) - 1, chance.sample(range(f.honest), 3)
    while True:
        told = [chance.choice([0, *(1 << t for t in targets)]) for _ in range(f.honest)]
        lies = [Told(everyone, gone & ~(1 << place)) for place, gone in enumerate(told)]
        if all(f.answers(place, one) for place, one in enumerate(lies)):
            return lies


@pytest.mark.parametrize("colluders", [0, 1, 2])
def test_the_model_agrees_with_keys_and_masks(world, colluders):
    f = Federation(6 + colluders, colluders, 2 + colluders, 4 + colluders)
    chance = random.Random(colluders)
    sizes = []
    for _ in range(20):
        lies = drawn(f, chance)
        options = {"clients": f.clients, "threshold": f.threshold, "least": f.least}
        found = learnt(world(**options, colluders=colluders, rounds=(1,)), f, lies)
        assert found == set(f.sums(lies))
        sizes += [one.bit_count() for one in found]
    assert {1, f.honest - 1} <= set(sizes)
