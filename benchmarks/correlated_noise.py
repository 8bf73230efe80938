"""Correlated noise: would clipped differences with it show more than rounds of independent noise?

    python benchmarks/correlated_noise.py --json

A client's number of one round is at most the clip, and it could send by how much it has changed
instead, at most a share of the clip a round: less noise a round, which adds up over rounds.
``noise``: the sd of what verdicts are made of at the last look, the means over all rounds and over
the last 1, 2, 4, ... of them, in clips over the Gaussian-DP parameter of all rounds together; and
``relative``, the mean over the windows of all looks of their variance over that of independent
noise.

- ``independent``: each round's number with noise of its own, as it is built.
- ``differences``: the first number, and each difference with noise of its own, so that the numbers'
  noise is correlated; the budget is shared for the smallest ``relative``.
- ``toeplitz``: the differences through the square root of the matrix of prefix sums (Fichtenberger,
  Henzinger and Upadhyay, ICML 2023), cut to the best band (Kalinin and Lampert, NeurIPS 2024).
- ``searched``: a covariance near the best one for these windows, made private for the worst stream
  that a search found. The search may have missed a worse one: what it shows is how much any
  correlation could bring, and no mechanism to use.
- ``bound``: no Gaussian mechanism has a smaller ``relative``, whatever it correlates (matrix
  mechanism: Li et al., VLDB Journal 2015; Denisov et al., NeurIPS 2022). For a mean M of x x' over
  streams x of a client, and any noise covariance S that is private for them,
  ``(tr (W M W')^(1/2))^2 <= tr(W S W')``; M is the best that was found.

``steps``: how far clients' numbers move from one round to the next in the shipped traces, in clips,
and what following them by steps of at most that share does to a federation's mean.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common import Rows, arguments, show
from numpy.typing import NDArray
from scipy.linalg import solve_triangular, toeplitz
from scipy.optimize import linprog

from unsilent.inference.boundary import suffixes
from unsilent.taxonomy import SILENT_FAILURES

ROUNDS = (10, 52)
SHARES = (0.02, 0.05, 0.2)
_BENCH = Path(__file__).parents[1] / "bench"
_BANDS = (2, 4, 8, 16, 32, 64)
_IMPROVED = 60
Matrix = NDArray[np.float64]


def windows(rounds: int) -> dict[int, Matrix]:
    """By length, the weights of the rounds in each window's mean at the last look."""
    return {
        length: np.where(np.arange(rounds) >= rounds - length, 1 / length, 0.0)
        for length in (rounds, *suffixes(rounds))
    }


@lru_cache
def wanted(rounds: int) -> Matrix:
    """(rounds, rounds) ``relative`` of a covariance S is the trace of this matrix times S."""
    found = np.zeros((rounds, rounds))
    count = 0
    for look in range(1, rounds + 1):
        for length, weights in windows(look).items():
            row = np.zeros(rounds)
            row[:look] = weights * math.sqrt(length / rounds)
            found += np.outer(row, row)
            count += 1
    return found / count


def followed(rounds: int, share: float, band: int) -> Matrix:
    """Covariance of the noise of the numbers where differences go through a factor of that band.

    The first number has a part 1 / a of the budget and its noise the variance a, the differences
    have the rest; a is the best one for the windows. The factor has no negative entry, so that
    differences at their largest in one direction move what is released the most.
    """
    root = np.cumprod([1.0, *((2 * k - 1) / (2 * k) for k in range(1, min(band, rounds - 1)))])
    column = np.concatenate([root, np.zeros(rounds - 1 - len(root))])
    factor = np.tril(toeplitz(column))
    moved = float(np.sum((factor @ np.full(rounds - 1, share)) ** 2))
    spread = solve_triangular(factor, np.eye(rounds - 1), lower=True)
    added = np.zeros((rounds, rounds))
    added[1:, 1:] = (
        np.tril(np.ones((rounds - 1, rounds - 1)))
        @ spread
        @ spread.T
        @ np.triu(np.ones((rounds - 1, rounds - 1)))
    )
    first = float(wanted(rounds).sum())
    later = moved * float(np.sum(wanted(rounds) * added))
    a = 1 + math.sqrt(later / first)
    return a * np.ones((rounds, rounds)) + moved / (1 - 1 / a) * added


def relative(covariance: Matrix) -> float:
    """Mean over the windows of all looks of their variance over that of independent noise."""
    return float(np.sum(wanted(len(covariance)) * covariance))


def bound(rounds: int, share: float, random: np.random.Generator) -> tuple[float, Matrix]:
    """What no mechanism's ``relative`` falls below, and a covariance near the best."""
    half = root_of(wanted(rounds))
    moments = np.ones((rounds, rounds))
    best = 0.0
    for step in range(_IMPROVED):
        best = max(best, float(np.trace(root_of(half @ moments @ half))) ** 2)
        # A little of everything, so that the slope is finite.
        root = root_of(half @ (moments + 1e-6 * np.eye(rounds)) @ half)
        stream = farthest(half @ np.linalg.inv(root) @ half, share, random)
        moments += 2 / (step + 3) * (np.outer(stream, stream) - moments)
    root = root_of(half @ (moments + 1e-4 * np.eye(rounds)) @ half)
    back = np.linalg.inv(half)
    covariance = float(np.trace(root)) * back @ root @ back
    inverse = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    worst = farthest(inverse, share, random)
    return best, float(worst @ inverse @ worst) * covariance


def root_of(matrix: Matrix) -> Matrix:
    """Of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def farthest(slope: Matrix, share: float, random: np.random.Generator) -> Matrix:
    """A stream within the clips for which ``x' G x`` is large, uphill from a random one."""
    rounds = len(slope)
    change = np.diff(np.eye(rounds), axis=0)
    limits = np.vstack([change, -change]), np.full(2 * (rounds - 1), share)
    best, found = -1.0, np.ones(rounds, dtype=np.float64)
    for _ in range(3):
        stream: Matrix = np.cumsum(random.normal(size=rounds))
        for _ in range(12):
            found_by: Any = linprog(-(slope @ stream), *limits, bounds=(-1, 1), method="highs")
            solved = np.asarray(found_by.x, dtype=np.float64)
            if np.allclose(solved, stream):
                break
            stream = solved
        value = float(stream @ slope @ stream)
        if value > best:
            best, found = value, stream
    return found


def noise() -> Iterator[dict[str, Any]]:
    """The sd of each window under each mechanism."""
    random = np.random.default_rng(3)
    for rounds in ROUNDS:
        for share in SHARES:
            ways = {
                "independent": rounds * np.eye(rounds),
                "differences": followed(rounds, share, 1),
                "toeplitz": min(
                    (followed(rounds, share, band) for band in _BANDS),
                    key=relative,
                ),
            }
            least, ways["searched"] = bound(rounds, share, random)
            for name, covariance in ways.items():
                sds = {
                    str(length): math.sqrt(float(w @ covariance @ w))
                    for length, w in windows(rounds).items()
                }
                yield {
                    "part": "noise",
                    "rounds": rounds,
                    "share": share,
                    "noise": name,
                    "sd_by_window": sds,
                    "relative": relative(covariance),
                    "bound": least,
                }


def steps() -> Iterator[dict[str, Any]]:
    """How far numbers move, and what following them by small steps costs, by mode."""
    plan = tomllib.loads((_BENCH / "src/unsilent_bench/plans/fleet.toml").read_text())
    about = pq.read_table(_BENCH / "traces/federations.parquet").to_pydict()
    fleet = {
        name: (code, dose)
        for name, tier, clients, code, dose in zip(
            *(about[key] for key in ("federation", "tier", "clients", "code", "dose")), strict=True
        )
        if tier == "fleet" and clients == 128
    }
    table = pq.read_table(_BENCH / "traces/clients.parquet")
    table = table.filter(pc.field("federation").isin(list(fleet)))
    names = np.array(table["federation"].to_pylist())
    place = {key: np.asarray(table[key]) for key in ("round", "client")}
    for mode in SILENT_FAILURES:
        own = plan["modes"][mode.mode]
        clip, tolerance = own["clip"], own["tolerance"]
        values = np.clip(np.asarray(table[mode.code]) / clip, -1, 1)
        moved: list[Matrix] = []
        ends: dict[float, list[tuple[float, float]]] = {share: [] for share in SHARES}
        for name in fleet:
            rows = names == name
            order = np.lexsort((place["round"][rows], place["client"][rows]))
            each = values[rows][order]
            rounds = len(np.unique(place["round"][rows]))
            if len(each) % rounds:
                continue
            courses = each.reshape(-1, rounds)[:, 1:]
            moved.append(np.abs(np.diff(courses, axis=1)).ravel())
            for share in SHARES:
                follows = courses[:, 0].copy()
                for now in courses[:, 1:].T:
                    follows += np.clip(now - follows, -share, share)
                ends[share].append((float(courses[:, -1].mean()), float(follows.mean())))
        found = np.concatenate(moved)
        limit = tolerance / clip
        for share in SHARES:
            true, told = np.array(ends[share]).T
            beyond = true > limit
            yield {
                "part": "steps",
                "mode": mode.code,
                "share": share,
                "step_median": float(np.median(found)),
                "step_90": float(np.quantile(found, 0.9)),
                "cut_off": float(np.mean(found > share)),
                "federations_beyond": int(beyond.sum()),
                "no_longer_beyond": int((beyond & (told <= limit)).sum()),
                "largest_error_in_tolerances": float(np.max(np.abs(true - told)) / limit),
            }


def main() -> None:
    """Measure and show."""
    given = arguments(__doc__).parse_args()
    rows: Rows = [*noise(), *steps()]
    show("correlated noise", rows, as_json=given.json)


if __name__ == "__main__":
    main()
