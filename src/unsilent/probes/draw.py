"""Whose items: each client's own draw from a bank, as anyone can draw it again.

Where all clients answer the same items, no number of clients averages out which ones these were.
Matrix sampling, known from educational testing (Lord 1962; Shoemaker 1973; NAEP), lets each answer
its own. The draw is systematic (Cochran 1977, section 8): units are sorted by stratum, in a random
order within each, and every B/n-th is taken from a random start. So each unit has the same chance
n/B, a stratum has its share of n but for rounding, and the mean over the drawn units is unbiased
for the mean over the bank.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError


def draw_seed(*names: object) -> int:
    """The seed of a draw by what names it, of 128 bits: the same wherever it is computed."""
    text = "\n".join(["unsilent/draw/1", *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def drawn(strata: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """(count,) places of the drawn units, rising; all of them where there are no more.

    Args:
        strata: (B,) number of each unit's stratum.
        count: n, at least 1.
        seed: See ``draw_seed``.

    Raises:
        ItemError: Nothing is to be drawn, or from nothing.
    """
    units = len(strata)
    if count < 1 or not units:
        raise ItemError(f"{count} of {units} units cannot be drawn", where="probes")
    if count >= units:
        return np.arange(units)
    # Raw words of a bit generator are the same in every version of numpy; its methods may change.
    words = np.random.PCG64(seed).random_raw(units + 1)
    order = np.lexsort((words[:-1], strata))
    start = (int(words[-1]) >> 11) * 2.0**-53
    places = np.floor((start + np.arange(count)) * (units / count)).astype(np.int64)
    return np.sort(order[np.minimum(places, units - 1)])
