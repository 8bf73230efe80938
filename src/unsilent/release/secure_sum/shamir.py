"""Shamir's secret sharing over GF(2^8) or GF(2^16), for many secrets at once.

A number of a secret is the constant term of a random polynomial of degree ``threshold - 1``; a
holder's share is its value at the holder's point. Any ``threshold`` shares give the secret, and
fewer are independent of it (Shamir 1979).

Up to 255 holders a number is a byte and the field that of AES (x^8 + x^4 + x^3 + x + 1), whose 255
nonzero elements are the points. More, which only a sparse graph of very many clients asks for
(``parameters.py``), take numbers of two bytes, the lower first, and x^16 + x^12 + x^3 + x + 1 with
its 65,535 points. A share is as long as its secret in both.

A wrong share gives a wrong secret and no error: whoever combines checks the secret by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unsilent.errors import SecureSumError

SECRET_SIZE = 32
"""Bytes of a secret, and of a share of it."""

MOST_BY_BYTES = 255
"""Nonzero points of GF(2^8)."""

MOST_HOLDERS = 65_535
"""Nonzero points of GF(2^16)."""


@dataclass(frozen=True, eq=False)
class _Field:
    """A field of 2^n numbers, by the powers of a generator.

    Attributes:
        number: The type of a number within a secret.
        order: How many are not zero.
        exp: Powers of the generator twice over, then zeros.
        log: (order + 1,) logarithms; that of zero is so large that what it is added to lands where
            ``exp`` is zero.
    """

    number: np.dtype[Any]
    order: int
    exp: NDArray[Any]
    log: NDArray[np.intp]

    @classmethod
    def of(cls, number: str, modulus: int, generator: int) -> _Field:
        """The field of a modulus, for a generator of 2 or 3, which is x or x + 1."""
        kind = np.dtype(number)
        order = (1 << 8 * kind.itemsize) - 1
        zero = 2 * (order + 1)
        exp, log = np.zeros(2 * zero + 1, dtype=kind), np.full(order + 1, zero, dtype=np.intp)
        value = 1
        for exponent in range(order):
            exp[exponent] = exp[exponent + order] = value
            log[value] = exponent
            value = value << 1 ^ (value if generator == 3 else 0)
            value ^= modulus if value > order else 0
        return cls(kind, order, exp, log)

    def numbers(self, data: NDArray[np.uint8]) -> NDArray[Any]:
        """Bytes as numbers, along the last axis."""
        return data if self.number.itemsize == 1 else np.ascontiguousarray(data).view(self.number)


_BYTES = _Field.of("u1", 0x11B, 3)


@lru_cache(maxsize=1)
def _pairs() -> _Field:
    # Few plans need it, and it takes longer to make than the rest to import.
    return _Field.of("<u2", 0x1100B, 2)


def _field(holders: int) -> _Field:
    return _BYTES if holders <= MOST_BY_BYTES else _pairs()


def split(
    secrets: NDArray[np.uint8],
    holders: int,
    threshold: int,
    random: Callable[[int], bytes] = os.urandom,
) -> NDArray[np.uint8]:
    """Share secrets among holders, the same number of shares needed for each.

    Args:
        secrets: (n_secrets, 32) bytes.
        holders: How many share, 1..65535; their points are 1..holders.
        threshold: How many shares give a secret, 1..holders.
        random: Gives that many uniform bytes; another source is for tests only.

    Returns:
        (holders, n_secrets, 32): row h is what the holder of point h + 1 gets.

    Raises:
        SecureSumError: if a number is out of range or the secrets are not 32 bytes each.
    """
    if not 1 <= threshold <= holders <= MOST_HOLDERS:
        raise SecureSumError(
            f"a secret cannot be shared among {holders} so that {threshold} give it",
            remedy=f"Share it among at most {MOST_HOLDERS}, and ask for no more than share it.",
        )
    if secrets.ndim != 2 or secrets.shape[1] != SECRET_SIZE or secrets.dtype != np.uint8:
        raise SecureSumError(f"secrets are rows of {SECRET_SIZE} bytes")
    field = _field(holders)
    constants = field.numbers(secrets)
    drawn = np.frombuffer(random((threshold - 1) * secrets.size), dtype=field.number)
    points = field.log[1 : holders + 1, None, None]
    shares = np.zeros((holders, *constants.shape), dtype=field.number)
    for coefficient in (*drawn.reshape(-1, *constants.shape), constants):  # Horner's rule
        shares = field.exp[field.log[shares] + points] ^ coefficient
    return shares.view(np.uint8)


def combine(
    points: ArrayLike, shares: NDArray[np.uint8], holders: int = MOST_BY_BYTES
) -> NDArray[np.uint8]:
    """Secrets from shares, by Lagrange's interpolation at zero.

    Args:
        points: (n_shares,) the holders' points, different and in 1..holders, where the same
            holders answer for all secrets; else (n_shares, n_secrets). The result is a secret only
            if ``n_shares`` is at least the threshold; more give the same and take longer.
        shares: (n_shares, n_secrets, 32) as ``split`` gave them.
        holders: Among how many ``split`` shared, on which the field depends.

    Returns:
        (n_secrets, 32) bytes.

    Raises:
        SecureSumError: if points repeat or are out of range, or the shapes do not fit.
    """
    at = np.asarray(points, dtype=np.int64)
    at = at[:, None] if at.ndim == 1 else at
    fits = shares.ndim == 3 and shares.shape[2] == SECRET_SIZE and shares.dtype == np.uint8
    if not fits or not 1 <= len(at) == len(shares) or at.shape[1:] not in {(1,), shares.shape[1:2]}:
        raise SecureSumError("shares and their points do not fit each other")
    if bool((at < 1).any()) or bool((at > min(holders, MOST_HOLDERS)).any()):
        raise SecureSumError(f"a share's point is not in 1..{holders}")
    # log of (x_i - x_j), where i = j would add log(1) = 0
    apart = at[:, None] ^ at[None, :]
    apart[np.arange(len(at)), np.arange(len(at))] = 1
    if not bool(apart.all()):
        raise SecureSumError("two shares of one secret have the same point")
    field = _field(holders)
    logarithms = field.log[at]
    weights = (logarithms.sum(axis=0) - logarithms - field.log[apart].sum(axis=0)) % field.order
    parts = field.exp[field.log[field.numbers(shares)] + weights[:, :, None]]
    return np.bitwise_xor.reduce(parts, axis=0).view(np.uint8)
