"""How often a model will decline, from the probability of its refusal openings.

Greedy answers are all or nothing where probabilities are not: with 0.4 for the refusal openings
nearly every answer declines, since what else the model could say is split over many beginnings. A
logistic curve maps one to the other (Platt 1999, "Probabilistic outputs for support vector
machines"). It is fitted on answers, so it is judged on adapters and requests that it has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from unsilent_bench.validation.statistics import Table

FEWEST = 3
"""Adapters that a calibration is judged on at least."""
_EDGE = 1e-6


@dataclass(frozen=True)
class Curve:
    """Probability of declining: the logistic function of ``shift + slope * logit(mass)``."""

    shift: float
    slope: float

    def __call__(self, mass: Table) -> Table:
        """Probability of declining, in (0, 1), for refusal masses in [0, 1] of any shape."""
        found: Table = expit(self.shift + self.slope * _scale(mass))
        return found


def fit(mass: Table, real: Table) -> Curve:
    """The likeliest curve for refusal masses and answers, 1 where they decline, 0 otherwise.

    The answers count as Platt's targets (eq. 2.4 there), so that a curve exists where masses part
    them without a fault.
    """
    x, y = _scale(mass).ravel(), real.ravel()
    refused = float(y.sum())
    targets = np.where(y > 0, (refused + 1) / (refused + 2), 1 / (len(y) - refused + 2))

    def loss(theta: Table) -> tuple[float, Table]:
        z = theta[0] + theta[1] * x
        gap = expit(z) - targets
        value = float(np.sum(np.logaddexp(0.0, z) - targets * z))
        return value, np.array([gap.sum(), gap @ x])

    found = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    return Curve(float(found[0]), float(found[1]))


def cross_fitted(mass: Mapping[str, Table], real: Mapping[str, Table]) -> dict[str, Table]:
    """Probabilities of declining, each by a curve that saw neither its adapter nor its request.

    Args:
        mass: By kind of request, (n_adapters, n_requests) refusal masses.
        real: What the adapters did, 0 or 1; the same keys and shapes. One curve serves all kinds.

    Returns:
        The same keys and shapes. Every other request is of the other half, so each curve is
        fitted on half of the requests and all adapters but one.
    """
    out = {kind: np.empty_like(table) for kind, table in mass.items()}
    adapters = len(next(iter(mass.values())))
    for left_out in range(adapters):
        others = [number for number in range(adapters) if number != left_out]
        for half in (0, 1):
            curve = fit(_pooled(mass, others, 1 - half), _pooled(real, others, 1 - half))
            for kind, table in mass.items():
                out[kind][left_out, half::2] = curve(table[left_out, half::2])
    return out


def _pooled(tables: Mapping[str, Table], rows: Sequence[int], half: int) -> Table:
    return np.concatenate([table[rows, half::2].ravel() for table in tables.values()])


def _scale(mass: Table) -> Table:
    scaled: Table = logit(np.clip(mass, _EDGE, 1 - _EDGE))
    return scaled
