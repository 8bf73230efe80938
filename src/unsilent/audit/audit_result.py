"""What an audit tried and found, and what no audit can find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ERROR = 1e-4
"""Probability that an audit of correct code fails, over all of its checks."""

CANNOT_CATCH = (
    "What training leaks: adapters, and the training loss and accuracy, are not noised.",
    "A unit or adjacency that is the wrong promise for the people concerned.",
    "Weak randomness: noise that somebody can predict looks like noise. Real clients draw it from "
    "the system's generator; the audit draws most of it from a seeded one, and a sample exactly.",
    "A client that runs other code than this, and what leaves a client by any other way.",
    "What a client or a record decides before values are encoded: which items are asked, a domain, "
    "a weight. The audit starts from values.",
    "The masks of the secure sum: the audit looks at sums only.",
    "A leak rarer than the repetitions show, or on statistics other than the canaries'.",
)

By = Literal[
    "canary",
    "block",
    "rounds",
    "chi2",
    "norm",
    "covariance",
    "lattice",
    "shape",
    "values",
    "claim",
    "client",
    "limit",
]

P_VALUES: tuple[By, ...] = ("chi2", "covariance", "lattice", "shape", "values")
"""The parts whose checks are tests: what they find is a p-value, and small ones fail."""


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: What it looked at.
        by: Which part of the audit it belongs to.
        found: A lower bound on mu for a canary, a p-value for a test, a length for ``norm``, a
            multiple of what is claimed for ``claim``, a number of differences for ``client``, an
            epsilon for ``limit``.
        allowed: The largest (of a p-value: smallest) that passes.
    """

    name: str
    by: By
    found: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether correct code does this; it fails with a probability within ERROR in all."""
        return self.found >= self.allowed if self.by in P_VALUES else self.found <= self.allowed


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        mu_claimed: What one release may cost under the plan, as Gaussian-DP parameter.
        repetitions: How many sums were drawn for the joint canary.
        checks: All that was tried; the first is the joint canary.
    """

    mu_claimed: float
    repetitions: int
    checks: tuple[Check, ...]

    @property
    def mu_lower_bound(self) -> float:
        """What the joint canary proves."""
        return self.checks[0].found

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def caught_by(self) -> tuple[By, ...]:
        """The parts of the audit that failed, each once."""
        return tuple(dict.fromkeys(check.by for check in self.checks if not check.passed))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "passed": self.passed,
            "mu_lower_bound": self.mu_lower_bound,
            "mu_claimed": self.mu_claimed,
            "repetitions": self.repetitions,
            "error": ERROR,
            "checks": [
                {
                    "name": check.name,
                    "by": check.by,
                    "found": check.found,
                    "allowed": check.allowed,
                    "passed": check.passed,
                }
                for check in self.checks
            ],
            "cannot_catch": list(CANNOT_CATCH),
        }
