"""What a client sends in a monitoring round, set-up included, is at most 16 KB."""

import numpy as np
import pytest

from tests.release.secure_sum.world import World, terms_of
from unsilent.plans import starter_plan
from unsilent.release.layout import Layout
from unsilent.release.secure_sum.messages_round import SEED_BOX, Masked, ShareAnswer
from unsilent.release.secure_sum.messages_set_up import (
    Advert,
    Confirmation,
    KeyShares,
    key_box_size,
)

H = bytes(32)


def sizes(terms):
    """Bytes of each message that a client with all its neighbours sends."""
    degree, rounds = terms.parameters.degree, len(terms.rounds)
    boxes = np.zeros((degree, key_box_size(terms)), np.uint8)
    vector, seeds = np.zeros(terms.length, np.uint32), np.zeros((degree, SEED_BOX), np.uint8)
    return {
        "advert": len(Advert(H, H, H * rounds, bytes(64)).to_bytes(terms)),
        "shares": len(KeyShares(H, 0, boxes).to_bytes()),
        "confirmation": len(Confirmation(H, 0).to_bytes()),
        "masked": len(Masked(H, 1, 0, bytes(16), vector, seeds).to_bytes()),
        "answer": len(ShareAnswer(H, 1, 0, np.zeros((degree, 32), np.uint8)).to_bytes()),
    }


@pytest.mark.parametrize("clients", [12, 50, 100, 128])
def test_at_the_default_layout(clients):
    length = len(Layout.from_plan(starter_plan()).coordinates)
    assert length <= 22
    terms = terms_of(clients=clients, length=22, rounds=tuple(range(1, 11)))
    found = sizes(terms)
    set_up = found["advert"] + found["shares"] + found["confirmation"]
    assert found["masked"] + found["answer"] + set_up / 10 <= 16 * 1024


def test_the_messages_are_that_long(tmp_path):
    world = World(tmp_path, clients=6, threshold=3, least=4)
    expected = sizes(world.terms)
    assert len(world.clients[0].advertise()) == expected["advert"]
    world.set_up()
    assert len(world.key_shares[0]) == expected["shares"]
    assert len(world.clients[0].mask(1, world.vectors()[0])) == expected["masked"]
    assert expected["masked"] == 8 + 40 + 16 + 4 * 5 + 5 * 60
