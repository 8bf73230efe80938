"""How many bytes a client of a secure sum is sent in a set-up, by the number of clients.

Each row is the largest of what clients of one set-up are sent: its part of the roster as the
server writes it, once before the graph is drawn where the client draws it, and once after; and its
neighbours' boxes. Keys are random bytes of the right size, since only sizes are measured: nothing
is signed or masked. ``whole`` is what each client was sent when all got the whole roster.

    python benchmarks/set_up_bytes.py --json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

import numpy as np

from unsilent.plan import parse_plan
from unsilent.release.secure_sum.draw import Reveal
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.release.secure_sum.extract import extract
from unsilent.release.secure_sum.messages_set_up import Advert, KeyBoxes, key_box_size
from unsilent.release.secure_sum.roster import Roster
from unsilent.release.secure_sum.terms import Terms

LOOKED_AT = 5
"""Clients of a set-up whose messages are measured."""


def plan_of(clients: int, rounds: int, dropout: float) -> Any:
    """A plan in which all clients take part in each round."""
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": rounds},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, "dropout": dropout},
        }
    )


def row(clients: int, rounds: int, dropout: float) -> dict[str, Any]:
    """Bytes that one client is sent in a set-up of so many."""
    terms = Terms.from_plan(plan_of(clients, rounds, dropout))
    parameters = terms.parameters
    sizes = (32, 32, 32 * rounds, 64, 0 if parameters.complete else 32)
    random = np.random.default_rng(clients)
    adverts = [
        Advert(identity, channel, keys, signature, commitment)
        for identity, channel, keys, signature, commitment in (
            map(random.bytes, sizes) for _ in range(clients)
        )
    ]
    listed = None if parameters.complete else Enrolled(sorted(a.identity for a in adverts))
    roster = Roster.of(terms, adverts, listed)
    whole = clients * (sum(sizes)) + 96 * len(roster.drawers)
    drawn = roster.drawn(Reveal(bytes(32), bytes(64)) for _ in roster.drawers)
    everyone = np.ones(clients, dtype=np.bool_)
    boxes = np.zeros((parameters.degree, key_box_size(terms)), dtype=np.uint8)
    senders = tuple(range(parameters.degree))
    boxed = len(KeyBoxes(roster.digest, everyone, senders, boxes).to_bytes())
    if listed is None:
        part = len(roster.to_bytes())
    else:
        looked_at = {*roster.drawers[:LOOKED_AT], *range(LOOKED_AT)}
        part = max(
            len(extract(drawn, listed, place, 0))
            + (len(extract(roster, listed, place, 0)) if place in roster.drawers else 0)
            for place in looked_at
        )
    return {
        "clients": clients,
        "neighbours": parameters.degree,
        "signers": parameters.signers,
        "rounds": rounds,
        "bytes": part + boxed,
        "each_neighbour": (part + boxed) / parameters.degree,
        "whole": whole + boxed,
    }


def exponent(rows: list[dict[str, Any]], name: str) -> float:
    """Of growth with the number of clients, from the first row to the last."""
    first, last = rows[0], rows[-1]
    return math.log(last[name] / first[name]) / math.log(last["clients"] / first["clients"])


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description="Measure what a set-up sends to each client.")
    parser.add_argument("--clients", nargs="*", type=int, default=[100, 200, 500, 1000])
    parser.add_argument("--rounds", type=int, default=10, help="monitoring rounds it serves")
    parser.add_argument("--dropout", type=float, default=0.05, help="planned, in each exchange")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    arguments = parser.parse_args()
    rows = [row(n, arguments.rounds, arguments.dropout) for n in arguments.clients]
    names = ("bytes", "whole", "neighbours", "each_neighbour")
    exponents = {name: exponent(rows, name) for name in names} if len(rows) > 1 else {}
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": rows, "exponents": exponents}, indent=2) + "\n")
        return
    for each in rows:
        sys.stdout.write("  ".join(f"{key} {value:.6g}" for key, value in each.items()) + "\n")
    for name, value in exponents.items():
        sys.stdout.write(f"exponent of {name}: {value:.2f}\n")


if __name__ == "__main__":
    main()
