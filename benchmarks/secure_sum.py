"""How fast the secure sum is, beside the SecAgg+ that Flower ships, and what it sends.

    python benchmarks/secure_sum.py --json

All parties run in this process, one after another. A party's time is that of all its messages:
read, checked, answered; a client's also that of starting from its files, and of writing them and
flushing them to disk. A monitoring round is compared with Flower's round, in which keys are made
and shared anew; ``with_set_up`` adds our set-up's part to ours, spread over its rounds, and
``after_sharing`` takes Flower's sharing of keys away from its client's. Flower has no check of
consistency, so ours is off beside it; the other rows have what a plan's defaults give. Ratios are
of the processor's seconds, which other work on the machine changes least; both sides' seconds on
the wall are there too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from clock import Clock, median

from unsilent.plans import starter_plan
from unsilent.release.layout import Layout
from unsilent.release.secure_sum import extract, graph, roster
from unsilent.release.secure_sum.client import SecureClient
from unsilent.release.secure_sum.parameters import COMPLETE_UP_TO, Parameters, find_parameters
from unsilent.release.secure_sum.roster import Session
from unsilent.release.secure_sum.round import Round
from unsilent.release.secure_sum.server import SetUp
from unsilent.release.secure_sum.terms import Terms

ROUNDS = 10
"""Monitoring rounds that one set-up serves."""

MEASURED = 5
"""Of these, the rounds that medians are over."""

COLD = 10
"""Clients that set up as a process of their own would, knowing neither the roster nor the graph
beforehand; the others play along."""

COLLUSION = 0.1


@dataclass
class Party:
    """What one party spent.

    Attributes:
        set_up: Time for the set-up.
        rounds: Time in each monitoring round it took part in.
        sent: Bytes up in the last monitoring round.
        received: Bytes down in it.
        set_up_received: Bytes down in the set-up.
    """

    set_up: Clock = field(default_factory=Clock)
    rounds: list[Clock] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    set_up_received: int = 0


@dataclass(frozen=True)
class Size:
    """What is summed: so many clients' vectors of that length, some of which never come."""

    clients: int
    length: int
    drop_outs: int
    beside_flower: bool = True
    measured: int = MEASURED

    def terms(self) -> Terms:
        """The terms of a plan for this size."""
        parameters = self._parameters(consistency=False)
        if not self.beside_flower and not parameters.withstands_lies:
            parameters = self._parameters(consistency=True)
        digest = f"sha256:{self.clients:064x}"
        return Terms(digest, digest, self.length, tuple(range(1, ROUNDS + 1)), parameters)

    def _parameters(self, *, consistency: bool) -> Parameters:
        degree, threshold = find_parameters(
            self.clients, COLLUSION, self.drop_outs / self.clients, consistency=consistency
        )
        return Parameters(
            self.clients,
            degree,
            threshold,
            self.clients - self.drop_outs,
            consistency,
            round(COLLUSION * self.clients),
        )


class Federation:
    """A server and its clients in one process, each on its own clock."""

    def __init__(self, size: Size, folder: Path) -> None:
        self.size, self.terms = size, size.terms()
        self.server = Party()
        self._folders = [folder / f"client-{i}" for i in range(size.clients)]
        for own in self._folders:
            own.mkdir()
        identities = [SecureClient(self.terms, own).identity for own in self._folders]
        self.clients = {identity: Party() for identity in identities}
        self._folder = dict(zip(identities, self._folders, strict=True))
        self._vectors = np.random.default_rng(7)

    def set_up(self) -> Session:
        """Agree on keys for all rounds."""
        clock, server = self.server.set_up, SetUp(self.terms)
        cold = set(list(self.clients)[:COLD])

        def ask(identity: bytes, call: Callable[[SecureClient], bytes]) -> bytes:
            if identity in cold:
                _forget()
            return self._ask(identity, self.clients[identity].set_up, call)

        def take(add: Callable[[bytes, bytes], bool], sender: bytes, data: bytes) -> None:
            _must(clock.run(add, sender, data))

        for identity in self.clients:
            take(server.add_advert, identity, ask(identity, lambda c: c.advertise()))
        clock.run(server.roster)
        for identity, request in clock.run(server.draw_requests).items():
            self.clients[identity].set_up_received += len(request)
            reveal = ask(identity, lambda c, request=request: c.reveal(request))
            take(server.add_reveal, identity, reveal)
        for identity, request in clock.run(server.share_requests).items():
            self.clients[identity].set_up_received += len(request)
            share = ask(identity, lambda c, request=request: c.share(request))
            take(server.add_shares, identity, share)
        for identity, boxes in clock.run(server.boxes).items():
            self.clients[identity].set_up_received += len(boxes)
            confirmation = ask(identity, lambda c, boxes=boxes: c.accept(boxes))
            take(server.add_confirmation, identity, confirmation)
        return clock.run(server.session)

    def round(self, session: Session, number: int) -> None:
        """One monitoring round; other clients drop out in each. Raises if the sum is wrong."""
        clock, size = Clock(), self.size
        current = clock.run(Round, session, number)
        everyone = list(self.clients)
        gone = {
            everyone[(number * size.drop_outs + i) % size.clients] for i in range(size.drop_outs)
        }
        expected = np.zeros(size.length, dtype=np.int64)
        clocks = {identity: Clock() for identity in everyone if identity not in gone}
        for identity in clocks:
            largest = self.terms.largest_entry
            vector = self._vectors.integers(-largest, largest, size.length, endpoint=True)
            expected += vector
            mask = lambda c, vector=vector: c.mask(number, vector)  # noqa: E731
            data = self._ask(identity, clocks[identity], mask)
            self.clients[identity].sent = len(data)
            self.clients[identity].received = 0
            _must(clock.run(current.add, identity, data))
        clock.run(current.close)
        if self.terms.parameters.consistency:
            asked = clock.run(current.agreement_requests)
            for identity, data in self._exchange(asked, clocks, SecureClient.agree):
                _must(clock.run(current.add_agreement, identity, data))
        asked = clock.run(current.requests)
        for identity, data in self._exchange(asked, clocks, SecureClient.unmask):
            _must(clock.run(current.add_answer, identity, data))
        total, _ = clock.run(current.total)
        if not np.array_equal(total, expected):
            raise RuntimeError("the secure sum is wrong")
        self.server.rounds.append(clock)
        for identity, spent in clocks.items():
            self.clients[identity].rounds.append(spent)

    def _exchange(
        self,
        requests: dict[bytes, bytes],
        clocks: dict[bytes, Clock],
        answer: Callable[[SecureClient, bytes], bytes],
    ) -> Iterable[tuple[bytes, bytes]]:
        for identity, request in requests.items():
            call = lambda c, request=request: answer(c, request)  # noqa: E731
            data = self._ask(identity, clocks[identity], call)
            self.clients[identity].sent += len(data)
            self.clients[identity].received += len(request)
            yield identity, data

    def _ask(self, identity: bytes, clock: Clock, call: Callable[[SecureClient], bytes]) -> bytes:
        """A message's answer, by a client that starts for it from its folder."""
        return clock.run(lambda: call(SecureClient(self.terms, self._folder[identity])))


def _forget() -> None:
    """Empty what a process remembers of rosters."""
    for cached in (roster._read, roster._graph, graph._ring, extract._is_signed, extract._holds):  # pyright: ignore[reportPrivateUsage]
        cached.cache_clear()


def measure(size: Size) -> dict[str, Any]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        federation = Federation(size, Path(folder))
        session = federation.set_up()
        for number in federation.terms.rounds[: size.measured]:
            federation.round(session, number)
    parties = list(federation.clients.values())
    server = median(federation.server.rounds)
    client = median(median(p.rounds) for p in parties if p.rounds)
    set_up = median(p.set_up for p in parties[:COLD])
    parameters = federation.terms.parameters
    row: dict[str, Any] = {
        "name": f"{size.clients} x {size.length}, {size.drop_outs} drop-outs",
        "clients": size.clients,
        "length": size.length,
        "drop_outs": size.drop_outs,
        "degree": parameters.degree,
        "threshold": parameters.threshold,
        "consistency": parameters.consistency,
        "server": asdict(server),
        "client": asdict(client),
        "set_up": {
            "rounds": ROUNDS,
            "server": asdict(federation.server.set_up),
            "client": asdict(set_up),
        },
        "bytes": {
            "sent": max(p.sent for p in parties),
            "received": max(p.received for p in parties),
            "set_up_received": max(p.set_up_received for p in parties),
        },
    }
    if size.beside_flower:
        row |= _beside_flower(
            size, parameters, (server, federation.server.set_up), (client, set_up)
        )
    return row


def _beside_flower(
    size: Size, ours: Parameters, server: tuple[Clock, Clock], client: tuple[Clock, Clock]
) -> dict[str, Any]:
    """Flower's times, and how many times ours they are; ours are a round and the set-up."""
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    from flower_secagg import flower_round

    vectors = np.random.default_rng(7).uniform(-1, 1, (size.clients, size.length))
    # Flower counts the owner's own share.
    found = flower_round(vectors, size.drop_outs, ours.degree + 1, ours.threshold)
    their_server, their_client, after_sharing = found[0], median(found[1]), median(found[2])
    return {
        "flower": {
            "server": asdict(their_server),
            "client": asdict(their_client),
            "client_after_sharing": asdict(after_sharing),
        },
        "ratio": {
            "server": their_server.cpu / server[0].cpu,
            "client": their_client.cpu / client[0].cpu,
            "server_with_set_up": their_server.cpu / _spread(*server),
            "client_with_set_up": their_client.cpu / _spread(*client),
            "client_after_sharing": after_sharing.cpu / client[0].cpu,
        },
    }


def _spread(a_round: Clock, set_up: Clock) -> float:
    return a_round.cpu + set_up.cpu / ROUNDS


def _must(good: bool) -> None:
    if not good:
        raise RuntimeError("a message was discarded")


DEFAULT_LENGTH = len(Layout.from_plan(starter_plan()).coordinates)

SIZES = (
    Size(50, 4096, 10),
    Size(200, 20_000, 10),
    Size(1000, 512, 100, beside_flower=False, measured=1),
    Size(COMPLETE_UP_TO, DEFAULT_LENGTH, 13, beside_flower=False),
)


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description="Measure the secure sum beside Flower's.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="measure the first size only")
    arguments = parser.parse_args()
    rows = [measure(size) for size in (SIZES[:1] if arguments.quick else SIZES)]
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": rows}, indent=2) + "\n")
        return
    for row in rows:
        sys.stdout.write(_text(row))


def _text(row: dict[str, Any]) -> str:
    def milliseconds(part: dict[str, Any]) -> str:
        server, client = part["server"], part["client"]
        return (
            f"server {server['cpu'] * 1e3:.1f} ms ({server['wall'] * 1e3:.1f} on the wall), "
            f"client {client['cpu'] * 1e3:.2f} ms ({client['wall'] * 1e3:.2f})"
        )

    lines = [
        f"{row['name']}: degree {row['degree']}, threshold {row['threshold']}, "
        f"consistency {'on' if row['consistency'] else 'off'}",
        f"  a round: {milliseconds(row)}",
        f"  set-up for {row['set_up']['rounds']} rounds: {milliseconds(row['set_up'])}",
        f"  bytes of a client in a round: {row['bytes']['sent']} up, "
        f"{row['bytes']['received']} down",
    ]
    if "flower" in row:
        ratio = row["ratio"]
        lines += [
            f"  Flower's round: {milliseconds(row['flower'])}",
            f"  times ours: server {ratio['server']:.0f}, client {ratio['client']:.0f}; with the "
            f"set-up {ratio['server_with_set_up']:.0f} and {ratio['client_with_set_up']:.0f}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
