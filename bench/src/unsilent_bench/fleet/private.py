"""How a federation trains privately: secure aggregation, DP-FedAvg, DP-SGD."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent_bench.fleet.weights import Array

TARGET_DELTA = 1e-5
RING = 2**32
_ORDERS = (*range(2, 64), 80, 128, 256, 512)
"""Renyi orders: whole ones have a closed form under sampling (Mironov et al. 2019)."""
STEPS = 2.0**20
"""Integer steps of one unit of a weight in the masked sum."""
_SPELLING = re.compile(r"plain|secure-sum|dp-fedavg:(?P<noise>[0-9.]+)|dp-sgd:(?P<epsilon>[0-9.]+)")


@dataclass(frozen=True)
class Training:
    """One way to train, as traces spell it: plain, secure-sum, dp-fedavg:NOISE or dp-sgd:EPSILON.

    Attributes:
        name: The spelling.
        noise: DP-FedAvg's noise, as a multiple of the clip, None without it.
        epsilon: DP-SGD's budget over all rounds, None without it.
    """

    name: str
    noise: float | None = None
    epsilon: float | None = None

    @classmethod
    def parse(cls, name: str) -> Training:
        """Read the spelling. Raises InputError."""
        found = _SPELLING.fullmatch(name)
        if found is None:
            raise InputError(
                f"no way to train is called {name!r}",
                where="training",
                remedy="Known: plain, secure-sum, dp-fedavg:NOISE, dp-sgd:EPSILON.",
            )
        parts = {key: float(text) for key, text in found.groupdict().items() if text}
        return cls(name, parts.get("noise"), parts.get("epsilon"))


def masked_mean(updates: Array) -> Array:
    """Mean of (clients, size) updates as secure aggregation gives it (Bonawitz et al. 2017).

    Each is rounded to integers and summed modulo 2^32, the ring of the product's masked sum; masks
    cancel in it, so that they change nothing.
    """
    whole = np.rint(updates.astype(np.float64) * STEPS).astype(np.int64)
    total = (whole % RING).sum(axis=0) % RING
    signed = np.where(total >= RING // 2, total - RING, total)
    return (signed / (STEPS * len(updates))).astype(np.float32)


def dp_mean(updates: Array, clip: float, noise: float, random: np.random.Generator) -> Array:
    """DP-FedAvg (McMahan et al. 2018): updates clipped in L2 norm, noise on their sum.

    Args:
        updates: (clients, size).
        clip: Largest norm of one client's update.
        noise: Sd of the noise on the sum, as a multiple of ``clip``.
        random: Source of the noise.
    """
    norms = np.linalg.norm(updates, axis=1, keepdims=True)
    kept = updates * np.minimum(1.0, clip / np.maximum(norms, 1e-12)).astype(np.float32)
    total = kept.sum(axis=0, dtype=np.float64)
    total += clip * noise * random.standard_normal(len(total))
    return (total / len(updates)).astype(np.float32)


def median_norm(updates: Array) -> float:
    """Median L2 norm of (clients, size) updates."""
    return float(np.median(np.linalg.norm(updates, axis=1)))


def fedavg_epsilon(noise: float, rounds: int) -> float:
    """Epsilon of the whole run for one client that takes part in every round."""
    from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
    from dp_accounting.rdp import RdpAccountant

    if noise == 0:
        return float("inf")
    accountant = RdpAccountant(_ORDERS)
    accountant.compose(SelfComposedDpEvent(GaussianDpEvent(noise), rounds))
    return float(accountant.get_epsilon(TARGET_DELTA))


def sgd_epsilon(noise: float, share: float, steps: int) -> float:
    """Epsilon of a client's training for one of its records, Poisson sampling at ``share``."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(_ORDERS)
    event = PoissonSampledDpEvent(share, GaussianDpEvent(noise))
    accountant.compose(SelfComposedDpEvent(event, steps))
    return float(accountant.get_epsilon(TARGET_DELTA))


@lru_cache(maxsize=32)
def sgd_noise(epsilon: float, share: float, steps: int) -> float:
    """The least noise multiplier, within 1%, that keeps ``sgd_epsilon`` at most ``epsilon``."""
    low, high = 0.1, 0.2
    while sgd_epsilon(high, share, steps) > epsilon:
        low, high = high, 2 * high
    while high / low > 1.01:
        middle = float(np.sqrt(low * high))
        if sgd_epsilon(middle, share, steps) > epsilon:
            low = middle
        else:
            high = middle
    return high


def seeds(seed: int, clients: int, round_number: int, purpose: int) -> NDArray[np.int64]:
    """(clients,) seeds of their training, independent between rounds and purposes."""
    return np.array(
        [
            int(np.random.SeedSequence([seed, client, round_number, purpose]).generate_state(1)[0])
            for client in range(clients)
        ],
        dtype=np.int64,
    )
