"""Compare thousands of secure sums with the plain sum of the survivors.

Each case is one monitoring round with random clients, graph, thresholds, length, values and
drop-outs at every stage; many are given more drop-outs than they bear, and must then end with a
reason. A single wrong number is a failure.

    python benchmarks/secure_sum_exact.py --cases 10000 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import Parameters, Round, SecureClient, Session, SetUp, Terms

LONGEST = 20_000
ROUNDS = 8


def main() -> int:
    """Run the cases; exit 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000, help="sums to compare")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases")
    arguments = parser.parse_args()
    # What is compared is sums; a flush to the disk for each message would be most of the time.
    os.fsync = lambda _: None
    generator = np.random.default_rng(arguments.seed)
    counts: Counter[str] = Counter()
    start = time.perf_counter()
    while counts["equal"] + counts["unequal"] < arguments.cases:
        with tempfile.TemporaryDirectory() as folder:
            compare(generator, Path(folder), arguments.cases, counts)
    counts["seconds"] = round(time.perf_counter() - start)
    sys.stdout.write(json.dumps(dict(counts), indent=1) + "\n")
    return 1 if counts["unequal"] else 0


def compare(generator: np.random.Generator, folder: Path, cases: int, counts: Counter[str]) -> None:
    """One set-up and its rounds."""
    terms = drawn_terms(generator)
    clients = [SecureClient(terms, folder / str(i)) for i in range(terms.parameters.clients)]
    try:
        session, there = set_up(generator, terms, clients)
    except SecureSumError:
        counts["set-ups that ended with a reason"] += 1
        return
    counts["set-ups"] += 1
    for number in terms.rounds:
        if counts["equal"] + counts["unequal"] >= cases:
            return
        vectors = {c.identity: drawn_vector(generator, terms) for c in there}
        try:
            total, survivors = one_round(generator, Round(session, number), there, vectors)
        except SecureSumError:
            counts["rounds that ended with a reason"] += 1
            continue
        plain = np.sum([vectors[identity].astype(object) for identity in survivors], axis=0)
        equal = total.tolist() == plain.tolist()
        counts["equal" if equal else "unequal"] += 1
        counts["numbers compared"] += terms.length
        counts["drop-outs"] += terms.parameters.clients - len(survivors)


def drawn_terms(generator: np.random.Generator) -> Terms:
    """Any parameters, safe or not; lengths of every order of magnitude."""
    clients = int(generator.integers(2, 14))
    degree = clients - 1
    if clients > 4 and generator.random() < 0.4:
        degree = 2 * int(generator.integers(1, (clients - 1) // 2 + 1))
    parameters = Parameters(
        clients,
        degree,
        threshold=int(generator.integers(1, degree // 2 + 2)),
        least=int(generator.integers(2, clients // 2 + 2)),
        consistency=bool(generator.random() < 0.3),
    )
    length = round(LONGEST ** generator.random())
    plan, layout = (f"sha256:{generator.bytes(32).hex()}" for _ in range(2))
    return Terms(plan, layout, length, tuple(range(1, ROUNDS + 1)), parameters)


def drawn_vector(generator: np.random.Generator, terms: Terms) -> NDArray[np.int64]:
    """Extreme, small, or any numbers."""
    largest = terms.largest_entry
    kind = generator.integers(4)
    if kind == 0:
        return generator.choice(np.array([-largest, largest, 0, 1, -1]), terms.length)
    if kind == 1:
        return np.full(terms.length, largest if generator.random() < 0.5 else -largest)
    bound = largest if kind == 2 else min(largest, 1000)
    return generator.integers(-bound, bound + 1, terms.length)


def kept(
    generator: np.random.Generator, clients: Sequence[SecureClient], parameters: Parameters
) -> list[SecureClient]:
    """Those who get through a stage: mostly all, often few, sometimes too few."""
    if generator.random() < 0.6:
        return list(clients)
    fewest = max(0, min(parameters.least - 1, len(clients)))
    count = int(generator.integers(fewest, len(clients) + 1))
    return [clients[i] for i in generator.permutation(len(clients))[:count]]


def set_up(
    generator: np.random.Generator, terms: Terms, clients: Sequence[SecureClient]
) -> tuple[Session, list[SecureClient]]:
    """A set-up with drop-outs; the session and who confirmed it."""
    setup = SetUp(terms)
    advertised = kept(generator, clients, terms.parameters)
    for client in advertised:
        setup.add_advert(client.identity, client.advertise())
    setup.roster()
    by_identity = {client.identity: client for client in advertised}
    for identity, request in setup.draw_requests().items():
        setup.add_reveal(identity, by_identity[identity].reveal(request))
    requests = setup.share_requests()
    for client in kept(generator, advertised, terms.parameters):
        setup.add_shares(client.identity, client.share(requests[client.identity]))
    boxes = setup.boxes()
    members = [client for client in advertised if client.identity in boxes]
    confirmed = kept(generator, members, terms.parameters)
    for client in confirmed:
        setup.add_confirmation(client.identity, client.accept(boxes[client.identity]))
    session = Session.from_bytes(setup.session().to_bytes(), terms)
    return session, confirmed


def one_round(
    generator: np.random.Generator,
    one: Round,
    clients: Sequence[SecureClient],
    vectors: dict[bytes, NDArray[np.int64]],
) -> tuple[NDArray[np.int64], tuple[bytes, ...]]:
    """A round with drop-outs at every exchange."""
    parameters = one.session.terms.parameters
    by_identity: dict[bytes, Any] = {client.identity: client for client in clients}
    for client in kept(generator, clients, parameters):
        one.add(client.identity, client.mask(one.number, vectors[client.identity]))
    survivors = [by_identity[identity] for identity in one.close()]
    if parameters.consistency:
        requests = one.agreement_requests()
        for client in kept(generator, survivors, parameters):
            one.add_agreement(client.identity, client.agree(requests[client.identity]))
    requests = one.requests()
    for client in kept(generator, survivors, parameters):
        one.add_answer(client.identity, client.unmask(requests[client.identity]))
    return one.total()


if __name__ == "__main__":
    raise SystemExit(main())
