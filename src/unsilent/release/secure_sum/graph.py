"""Who masks with whom: a random graph in which each client has the same number of neighbours.

Bell et al. 2020 ("Secure Single-Server Aggregation with (Poly)Logarithmic Overhead", section 3.3):
a Harary graph, in which each node is joined to the ``degree / 2`` next on either side of a ring,
over a random order of the clients. The order comes from a seed that all can check, so the server
cannot choose who sits beside whom once the clients are known, and every platform draws the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

from unsilent.errors import SecureSumError

_LABEL = b"unsilent/secure-sum/graph/1"
_DRAW = 8  # bytes


def neighbours(seed: bytes, clients: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Each client's neighbours, in rising order: regular, symmetric and connected.

    Args:
        seed: What the order is drawn from; public, and fixed only after the clients are.
        clients: How many there are, at least 2; they are numbered from 0.
        degree: Neighbours of each: ``clients - 1`` (all the others), or an even number from 2 to
            ``clients - 2``.

    Returns:
        For each client, its neighbours.

    Raises:
        SecureSumError: if there is no such graph.
    """
    if (degree != clients - 1 and degree % 2) or not 1 <= degree < clients:
        raise SecureSumError(f"no ring joins each of {clients} clients to {degree} others")
    if degree == clients - 1:
        everyone = range(clients)
        return tuple(tuple(v for v in everyone if v != u) for u in everyone)
    ring, at = _ring(seed, clients)
    return tuple(_beside(ring, at[client], degree) for client in range(clients))


def neighbours_of(seed: bytes, clients: int, degree: int, client: int) -> tuple[int, ...]:
    """One client's neighbours, in rising order: a row of ``neighbours`` on a ring."""
    ring, at = _ring(seed, clients)
    return _beside(ring, at[client], degree)


def sample(seed: bytes, size: int, count: int) -> tuple[int, ...]:
    """That many different numbers of ``range(size)``, in rising order, uniform given the seed."""
    words = _words(seed)
    found: set[int] = set()
    while len(found) < count:
        found.add(_below(size, words))
    return tuple(sorted(found))


def _beside(ring: Sequence[int], place: int, degree: int) -> tuple[int, ...]:
    steps = range(1, degree // 2 + 1)
    around = {ring[(place + sign * step) % len(ring)] for step in steps for sign in (-1, 1)}
    return tuple(sorted(around))


# In a simulation one process plays many clients of one graph.
@lru_cache(maxsize=2)
def _ring(seed: bytes, clients: int) -> tuple[list[int], list[int]]:
    """The order of the clients on the ring, and where on it each is."""
    ring = _permutation(seed, clients)
    at = [0] * clients
    for place, client in enumerate(ring):
        at[client] = place
    return ring, at


def _permutation(seed: bytes, size: int) -> list[int]:
    """A uniform permutation of ``range(size)`` (Fisher and Yates)."""
    order = list(range(size))
    words = _words(seed)
    for last in range(size - 1, 0, -1):
        other = _below(last + 1, words)
        order[last], order[other] = order[other], order[last]
    return order


def _below(bound: int, words: Iterator[int]) -> int:
    """A uniform number in ``range(bound)``: words of the last, incomplete cycle are passed over."""
    whole = (1 << 8 * _DRAW) // bound * bound
    return next(word for word in words if word < whole) % bound


def _words(seed: bytes) -> Iterator[int]:
    """Numbers below 2^64 without end: SHA-256 of label, hashed seed and a counter, in pieces."""
    key = _LABEL + hashlib.sha256(seed).digest()
    counter = 0
    while True:
        block = hashlib.sha256(key + counter.to_bytes(8, "big")).digest()
        for start in range(0, len(block), _DRAW):
            yield int.from_bytes(block[start : start + _DRAW], "big")
        counter += 1
