"""More neighbours than a byte can number: secrets of a graph of 258, and a plan that needs it."""

from types import SimpleNamespace

import numpy as np
import pytest

from unsilent.errors import SecureSumError
from unsilent.plan import parse_plan
from unsilent.release.secure_sum import Terms
from unsilent.release.secure_sum.graph import neighbours
from unsilent.release.secure_sum.messages_round import ShareAnswer
from unsilent.release.secure_sum.messages_set_up import KeyBoxes, KeyShares, key_box_size
from unsilent.release.secure_sum.parameters import Parameters
from unsilent.release.secure_sum.shamir import split
from unsilent.release.secure_sum.shares import Shares

CLIENTS, DEGREE, THRESHOLD = 270, 258, 173


def plan_of(clients):
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 10},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, "dropout": 0.05, "aggregation": "secure-sum"},
        }
    )


def test_a_hundred_thousand_clients_at_epsilon_8_may_lose_a_twentieth():
    terms = Terms.from_plan(plan_of(100_000))
    found = terms.parameters
    assert (found.clients, found.degree, found.threshold) == (100_000, DEGREE, THRESHOLD)
    assert found.consistency
    assert found.withstands_lies
    assert found.least == 95_000


def test_plans_of_before_keep_their_neighbours():
    """A change of any of these would make terms that clients of before refuse."""
    found = Terms.from_plan(plan_of(81_000)).parameters
    assert found == Parameters(81_000, 254, 170, 76_950, True, 0, 144, 93)


@pytest.fixture(scope="module")
def world():
    """Secrets shared along a ring, and what each client holds of its neighbours'."""
    rows = np.array(neighbours(b"many", CLIENTS, DEGREE))
    back = np.zeros_like(rows)
    for place, row in enumerate(rows):
        back[place] = [int(np.flatnonzero(rows[other] == place)[0]) for other in row]
    session = SimpleNamespace(
        terms=SimpleNamespace(parameters=SimpleNamespace(threshold=THRESHOLD, degree=DEGREE)),
        roster=SimpleNamespace(
            graph=SimpleNamespace(table=rows, back=back),
            adverts=[SimpleNamespace(identity=bytes([n % 256]) * 32) for n in range(CLIENTS)],
        ),
        columns=[np.arange(DEGREE)] * CLIENTS,
    )
    secrets = np.random.default_rng(3).integers(0, 256, (CLIENTS, 32), dtype=np.uint8)
    given = np.zeros((CLIENTS, DEGREE, 32), dtype=np.uint8)
    for owner in range(CLIENTS):
        shares = split(secrets[owner : owner + 1], DEGREE, THRESHOLD)[:, 0]
        given[rows[owner], back[owner]] = shares
    return session, secrets, given


def combined(world, answering, given=None):
    session, secrets, honest = world
    answers = {place: (honest if given is None else given)[place] for place in answering}
    owners = np.arange(0, CLIENTS, 9)
    found = Shares(session, answers).combine(
        owners, lambda owner, secret: secret == secrets[owner].tobytes()
    )
    return found == [secrets[owner].tobytes() for owner in owners.tolist()]


def test_their_shares_give_each_secret_whoever_answers(world):
    assert combined(world, range(CLIENTS))
    assert combined(world, np.random.default_rng(1).permutation(CLIENTS)[: CLIENTS - 60].tolist())


def test_too_few_of_them_give_none(world):
    with pytest.raises(SecureSumError, match="fewer than the 173 needed"):
        combined(world, range(THRESHOLD - 12))


def test_wrong_shares_among_them_are_passed_over(world):
    """Of a byte alone too: each number of a share is two."""
    given = world[2].copy()
    given[5] ^= 1
    given[9, :, 31] ^= 128
    assert combined(world, range(CLIENTS), given)


def test_messages_to_and_from_so_many_are_read_as_they_were_written_or_refused():
    terms = SimpleNamespace(rounds=(1, 2))
    size = key_box_size(terms)
    random = np.random.default_rng(4)
    senders = tuple(range(2, 2 + DEGREE))
    boxes = random.integers(0, 256, (DEGREE, size), dtype=np.uint8)
    here = np.ones(CLIENTS, dtype=np.bool_)
    shares = random.integers(0, 256, (DEGREE, 32), dtype=np.uint8)
    messages = {
        KeyShares(bytes(32), 7, boxes).to_bytes(): lambda d: KeyShares.from_bytes(d, DEGREE, terms),
        KeyBoxes(bytes(32), here, senders, boxes).to_bytes(): lambda d: KeyBoxes.from_bytes(
            d, CLIENTS, terms
        ),
        ShareAnswer(bytes(32), 1, 7, shares).to_bytes(): lambda d: ShareAnswer.from_bytes(
            d, DEGREE
        ),
    }
    for data, read in messages.items():
        assert read(data).to_bytes() == data
        cuts = random.integers(0, len(data), 60).tolist()
        for other in (*(data[:cut] for cut in cuts), data[:-1], data + b"\0", data + bytes(32)):
            with pytest.raises(SecureSumError):
                read(other)
        for at in random.integers(0, len(data), 60).tolist():
            changed = data[:at] + random.bytes(3) + data[at + 3 :]
            try:
                read(changed[: len(data)])
            except SecureSumError:
                continue
