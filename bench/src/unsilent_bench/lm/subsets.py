"""Federations of fewer clients, cut from recorded ones: the same clients, as if they were all.

What is judged of five clients are five real ones, never a client twice. The adapters they hold come
from the whole federation; what they measured, and what is true of them, is their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent_bench.scenarios.base import ranks_of
from unsilent_bench.traces.federation import CLIENT_TRUTHS, Federation

SIZES = (5, 8, 16)
"""Clients of the smaller federations that are judged."""


def subsets(federation: Federation, size: int) -> tuple[Federation, ...]:
    """Disjoint federations of ``size`` clients each, drawn by the seed; a rest is left out.

    Camps are cut from the clients' ranks, so that ranks are dealt: of as many clients in the order
    of their ranks as there are subsets, each has one at random. A subset has a camp's share of its
    clients then, as a federation recorded with so few would. Its truth is the mean of its own
    clients' truths, and its standard error the federation's times the root of how many times fewer
    clients it has: they draw their items apart, and what clients alike share of their records
    makes that too large rather than too small.

    Args:
        federation: With a truth of each client (``CLIENT_TRUTHS``).
        size: From 1 to its clients; with all of them, the federation itself is what there is.

    Returns:
        Named as the federation, with the size in the place of its number of clients and a letter:
        ``lm-group-skew-strong-5-s103a`` and so on.

    Raises:
        InputError: It has no truth of each client, or fewer clients than ``size``.
    """
    if not 1 <= size <= federation.clients:
        raise InputError(
            f"{size} of {federation.clients} clients cannot be taken", where=federation.federation
        )
    if any(name not in federation.numbers for name in CLIENT_TRUTHS):
        raise InputError(
            "holds no truth of each client, so no part of it can be judged",
            where=federation.federation,
            remedy="Record it again.",
        )
    if size == federation.clients:
        return (federation,)
    # Every dose and scenario of one seed is cut alike: a client and its look-alike stay together.
    random = np.random.default_rng([federation.seed, size, 0x5B5E7])
    count = federation.clients // size
    ranks = ranks_of(federation.clients, federation.seed)
    dealt = random.permutation(federation.clients)[: count * size]
    strata = dealt[np.argsort(ranks[dealt])].reshape(size, count)
    parts = np.sort(random.permuted(strata, axis=1), axis=0)
    return tuple(_part(federation, parts[:, k], _letter(k)) for k in range(count))


def parted(federations: Iterable[Federation], sizes: Sequence[int] = SIZES) -> list[Federation]:
    """Each federation with a truth of each client, and all its smaller ones; others as they are.

    In their order, whole ones first.
    """
    found: list[Federation] = []
    for each in federations:
        found.append(each)
        if all(name in each.numbers for name in CLIENT_TRUTHS) and each.tier == "lm":
            found += [part for size in sizes if size < each.clients for part in subsets(each, size)]
    return found


def _part(federation: Federation, chosen: NDArray[np.int64], letter: str) -> Federation:
    numbers = {name: values[:, chosen] for name, values in federation.numbers.items()}
    there = ~np.isnan(numbers["examples"])
    if not there.any(axis=1).all():
        raise InputError("a part has a round without a client", where=federation.federation)
    truth = np.full_like(federation.truth, np.nan)
    errors = np.full_like(federation.truth_se, np.nan)
    for place, name in enumerate(CLIENT_TRUTHS):
        for moment in range(federation.rounds):
            own = numbers[name][moment, there[moment]].astype(np.float64)
            if np.isnan(own).all():
                continue
            whole = int(federation.present[moment].sum())
            truth[moment, place] = np.nanmean(own)
            errors[moment, place] = federation.truth_se[moment, place] * np.sqrt(whole / len(own))
    before = f"-{federation.clients}-s{federation.seed}"
    after = f"-{len(chosen)}-s{federation.seed}{letter}"
    head, _, tail = federation.federation.rpartition(before)
    return replace(
        federation,
        federation=f"{head}{after}{tail}",
        clients=len(chosen),
        numbers=numbers,
        truth=truth,
        truth_se=errors,
    )


def _letter(place: int) -> str:
    return chr(ord("a") + place)
