"""The audit of the noise: of its variance, and of everything that ties its numbers together.

Three sets of draws: sums over clients; two clients' shares in two rounds each, side by side, so
that what repeats between clients, between rounds or within a vector is a covariance; and vectors
drawn one at a time, as clients draw them, added to values that change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unsilent.audit.audit_result import By, Check
from unsilent.audit.noise_tests import (
    VarianceRange,
    coordinates_p,
    directions_p,
    lattice_p,
    lengths_p,
    magnitudes_p,
    pairs_p,
    shape_p,
    values_p,
    variance_p,
)
from unsilent.audit.worlds import Worlds
from unsilent.release.noise import NoiseSource

_ROWS = 4000
_SINGLE_ROWS = 400
_EXACT_ROWS = 200
_WIDER, _WIDER_DRAWS = 1.5, 2000
_WORLD, _SINGLES = 6, 1000

Draws = NDArray[np.int64]


def sums(worlds: Worlds, noise: Draws) -> list[Check]:
    """Checks of the noise in sums of all shares but the canary's."""
    shares = worlds.cohort - 1
    if shares == 0:
        return []
    quiet = np.delete(noise, worlds.noised, axis=1)
    noise = noise[:, worlds.noised]
    spread = worlds.share.times(shares)
    return [
        *_variances(worlds, "sum", noise, spread),
        *_tests(
            worlds,
            "sum",
            {
                "coordinates": ("chi2", coordinates_p(noise, spread)),
                "directions": ("covariance", directions_p(noise, spread)),
                "correlations": ("covariance", pairs_p(noise)),
            },
        ),
        # Whoever reads these numbers counts on there being none.
        Check("noise where none is claimed", "client", float(np.count_nonzero(quiet)), 0),
    ]


def side_by_side(worlds: Worlds) -> list[Check]:
    """Checks of two clients' shares in two rounds, each with other values."""
    inside, outside = worlds.canary(worlds.layout.names)
    random = worlds.random_values(np.random.default_rng((worlds.seed, 0x51DE)))
    rows = min(worlds.half, _ROWS)
    parts = [
        (worlds.client(values, _WORLD, number, client, rows) - worlds.clean(values))[
            :, worlds.noised
        ]
        for values, number, client in (
            (worlds.healthy, 1, 1),
            (inside, 1, 2),
            (outside, 2, 1),
            (random, 2, 2),
        )
    ]
    return _whole(worlds, "two clients and rounds", np.concatenate(parts, axis=1))


def one_at_a_time(worlds: Worlds) -> list[Check]:
    """Checks of vectors that were drawn by themselves, from a stream of their own."""
    random = np.random.default_rng((worlds.seed, 0x0E))
    noise, clean = _singles(
        worlds,
        random,
        [
            [worlds.mechanism.source((worlds.seed, _SINGLES + row, 1, client)) for client in (1, 2)]
            for row in range(_SINGLE_ROWS)
        ],
    )
    return _whole(worlds, "single vectors", noise, clean)


def exact(worlds: Worlds) -> list[Check]:
    """The same of real clients' noise: two clients, each with two vectors in a row.

    Then at another scale: a client takes part in more than one plan.
    """
    random = np.random.default_rng((worlds.seed, 0xE4AC7))
    one, other = worlds.mechanism.exact(), worlds.mechanism.exact()
    noise, clean = _singles(worlds, random, [[one, one, other, other]] * _EXACT_ROWS)
    columns = len(worlds.noised)
    wider = one.sample(_WIDER * math.sqrt(worlds.mechanism.variance), _WIDER_DRAWS)
    p = variance_p(wider, worlds.share.times(_WIDER**2))
    return [
        *_variances(worlds, "exact share", noise.reshape(-1, columns), worlds.share),
        *_whole(worlds, "exact share", noise, clean),
        Check("variance of exact share of another plan", "chi2", p, worlds.level),
    ]


def _singles(
    worlds: Worlds, random: np.random.Generator, sources: Sequence[Sequence[NoiseSource]]
) -> tuple[Draws, Draws]:
    """Noise and clean values of single vectors, (rows, vectors in a row * n_noised) each."""
    noise: list[Draws] = []
    clean: list[Draws] = []
    for row in sources:
        values = [worlds.random_values(random) for _ in row]
        bare = [worlds.clean(each) for each in values]
        noise.append(
            np.concatenate(
                [
                    (worlds.vector(each, source) - known)[worlds.noised]
                    for each, source, known in zip(values, row, bare, strict=True)
                ]
            )
        )
        clean.append(np.concatenate([each[worlds.noised] for each in bare]))
    return np.stack(noise), np.stack(clean)


def _whole(worlds: Worlds, what: str, noise: Draws, clean: Draws | None = None) -> list[Check]:
    """Every test of shares' noise; with the values it was added to, where these change."""
    share = worlds.share
    found: dict[str, tuple[By, float]] = {
        "coordinates": ("chi2", coordinates_p(noise, share)),
        "directions": ("covariance", directions_p(noise, share)),
        "correlations": ("covariance", pairs_p(noise)),
        "magnitudes": ("covariance", magnitudes_p(noise, share)),
        "lengths": ("shape", lengths_p(noise, share)),
        "distribution": ("shape", shape_p(noise, share)),
        "last digits": ("lattice", lattice_p(noise, share)),
    }
    if clean is not None:
        found["dependence on values"] = ("values", values_p(noise, clean, share))
    return _tests(worlds, what, found)


def _tests(worlds: Worlds, what: str, found: dict[str, tuple[By, float]]) -> list[Check]:
    return [Check(f"{name} of {what}", by, p, worlds.level) for name, (by, p) in found.items()]


def _variances(worlds: Worlds, what: str, noise: Draws, spread: VarianceRange) -> list[Check]:
    """Chi-square tests of the variance, in all and a block."""
    parts = {"": list(range(noise.shape[1])), **worlds.noise_blocks}
    return [
        Check(
            f"variance of {what} {name}".rstrip(),
            "chi2",
            variance_p(noise[:, keep], spread),
            worlds.level,
        )
        for name, keep in parts.items()
    ]
