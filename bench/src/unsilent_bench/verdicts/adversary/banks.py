"""Banks: the units of a probe set that there are, and which of them each client is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.people import Array


@dataclass(frozen=True)
class Bank:
    """A bank of units of a few kinds.

    Attributes:
        asked: Units that a client answers.
        held: Units of the bank, at least ``asked``.
        fixed: Whether the bank as it is is spoken of, and not units like these.
        own: Whether each client has a bank of its own, in which other units are of a kind.
    """

    asked: int
    held: int
    fixed: bool
    own: bool

    @classmethod
    def of(cls, plan: MonitoringPlan, role: ItemRole, *, own: bool, part: int = 1) -> Bank:
        """That of a role, or one of so many equal parts of it."""
        asked = max(plan.probes.size(role) // part, 2)
        held = max(plan.bank(role) // part, asked)
        return cls(asked, held, plan.monitor.items == "these", own)

    @property
    def drawn(self) -> bool:
        """Whether clients answer a part of the bank, another one in each round."""
        return self.asked < self.held

    def whole(self, chances: Sequence[float]) -> Array:
        """(kinds,) chances of the kinds; of a bank that is spoken of as it is whole units of it."""
        given = np.array(chances)
        if not self.fixed:
            return given
        return np.diff(np.rint(np.cumsum(given) * self.held), prepend=0.0) / self.held

    def units(
        self, chances: Array, shape: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        """(kinds, R, 1 or N) units of each kind in the banks of (R, N) clients.

        A bank that is spoken of as it is has the expected numbers, see ``whole``.
        """
        wide = (*shape[:-1], shape[-1] if self.own else 1)
        if self.fixed:
            counts = np.rint(chances * self.held).reshape(-1, *(1 for _ in wide))
            return np.broadcast_to(counts, (len(chances), *wide))
        found: list[Array] = []
        left, rest = np.full(wide, self.held, dtype=np.int64), 1.0
        for chance in chances[:-1]:
            part = min(max(chance / rest, 0.0), 1.0) if rest > 1e-12 else 0.0
            found.append(generator.binomial(left, part).astype(np.float64))
            left = left - found[-1].astype(np.int64)
            rest -= chance
        return np.stack([*found, left.astype(np.float64)])

    def sample(self, units: Array, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """(kinds, R, N) of the units that each client is asked, drawn without replacement.

        Args:
            units: As ``units`` gives them.
            shape: (R, N).
            generator: Source of randomness.
        """
        if not self.drawn:
            return np.broadcast_to(units, (len(units), *shape))
        found: list[Array] = []
        need = np.full(shape, self.asked, dtype=np.int64)
        left = np.broadcast_to(units.sum(axis=0), shape).astype(np.int64)
        for count in units[:-1]:
            kind = np.broadcast_to(count, shape).astype(np.int64)
            got = generator.hypergeometric(kind, left - kind, need)
            found.append(got.astype(np.float64))
            need, left = need - got, left - kind
        return np.stack([*found, need.astype(np.float64)])
