"""What clients and server must agree on before they share a sum.

Each side derives the terms from its own plan; no message carries them. Their digest is in every
set-up, so a client whose plan, layout, rounds or parameters differ refuses it.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from unsilent.errors import SecureSumError
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout
from unsilent.release.scale import LARGEST_SUM
from unsilent.release.secure_sum.parameters import Parameters, parameters_of

_LABEL = b"unsilent/secure-sum/terms/2"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FIXED = struct.Struct("<32s32sIIIIIIIBI")
_LONGEST = 2**24
_LAST_ROUND = 2**32 - 1


@dataclass(frozen=True)
class Terms:
    """The terms of one plan's secure sums.

    Attributes:
        plan: Digest of the plan, ``sha256:…``.
        layout: Digest of the layout, ``sha256:…``.
        length: How many numbers a client's vector has.
        rounds: The monitoring rounds, rising.
        parameters: Graph and thresholds.
        enrolled: How many clients the plan has, of whom ``parameters.clients`` take part in each
            set-up; 0 if these are all.

    Raises:
        SecureSumError: These are no terms.
    """

    plan: str
    layout: str
    length: int
    rounds: tuple[int, ...]
    parameters: Parameters
    enrolled: int = 0

    def __post_init__(self) -> None:
        if not (_DIGEST.fullmatch(self.plan) and _DIGEST.fullmatch(self.layout)):
            raise SecureSumError("a plan's or a layout's digest is not a sha256 digest")
        if not 1 <= self.length <= _LONGEST:
            raise SecureSumError(f"a vector of {self.length} numbers cannot be summed")
        rising = all(a < b for a, b in pairwise(self.rounds))
        if not self.rounds or not rising or not 0 < self.rounds[0] <= self.rounds[-1] < _LAST_ROUND:
            raise SecureSumError("the monitoring rounds are not rising numbers from 1")

    @classmethod
    def from_plan(cls, plan: MonitoringPlan) -> Terms:
        """The terms of a set-up for all of a plan's monitoring rounds.

        Raises PlanError if the plan has no parameters that are safe.
        """
        layout = Layout.from_plan(plan)
        return cls(
            plan.digest,
            layout.digest,
            len(layout.coordinates),
            plan.monitoring_rounds,
            parameters_of(plan),
            plan.federation.clients,
        )

    @classmethod
    def serving(cls, plan: MonitoringPlan, round_number: int) -> Terms:
        """The terms of the set-up that a round belongs to.

        One serves all monitoring rounds where all clients take part in each, and one this round
        alone where they are drawn anew. Raises as ``from_plan``.
        """
        terms = cls.from_plan(plan)
        if plan.federation.participation < 1:
            return replace(terms, rounds=(round_number,))
        return terms

    @property
    def everyone(self) -> int:
        """How many clients the plan has: as many keys may turn up over all of its set-ups."""
        return max(self.enrolled, self.parameters.clients)

    @property
    def largest_entry(self) -> int:
        """Largest magnitude of a number in one client's vector: no sum of them can wrap."""
        return LARGEST_SUM // self.parameters.clients

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the terms, 32 bytes."""
        return hashlib.sha256(_LABEL + self.to_bytes()).digest()

    def are(self, digest: bytes, rounds: list[int]) -> bool:
        """Whether a digest is of terms of this plan: these, or those of another of its set-ups.

        Args:
            digest: 32 bytes.
            rounds: Rounds that other set-ups served; those up to the last one are tried.
        """
        tried = range(1, max([*rounds, *self.rounds]) + 1)
        return digest == self.digest or any(
            digest == replace(self, rounds=(number,)).digest for number in tried
        )

    def to_bytes(self) -> bytes:
        """The terms in a fixed order, little-endian."""
        p = self.parameters
        fixed = _FIXED.pack(
            bytes.fromhex(self.plan.removeprefix("sha256:")),
            bytes.fromhex(self.layout.removeprefix("sha256:")),
            self.length,
            self.everyone,
            p.clients,
            p.degree,
            p.threshold,
            p.least,
            p.colluders,
            p.consistency,
            len(self.rounds),
        )
        drawn = struct.pack("<II", p.signers, p.signed) if p.signers else b""
        return fixed + struct.pack(f"<{len(self.rounds)}I", *self.rounds) + drawn
