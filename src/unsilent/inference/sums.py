"""Sums: the sums of all judged rounds as columns, read off the releases once for all modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import FindingsError
from unsilent.inference.tails import Numbers
from unsilent.release.layout import Layout
from unsilent.release.release import Release


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums of m rounds.

    Attributes:
        rounds: (m,) int64, as they were given.
        clients: (m,) int64, at least 1.
        noise_variance: (m,) of each sum, in integer units squared.
        vectors: (m, n_coordinates) int64.
    """

    rounds: NDArray[np.int64]
    clients: NDArray[np.int64]
    noise_variance: Numbers
    vectors: NDArray[np.int64]

    @classmethod
    def of(cls, layout: Layout, totals: Sequence[Release] | Sums) -> Sums:
        """The columns of these sums; what is columns already is given back.

        Raises:
            FindingsError: There is no sum, or one is of another layout or of no client.
        """
        if isinstance(totals, Sums):
            return totals
        digest, size = layout.digest, len(layout.names)
        for total in totals:
            if total.layout != digest or total.vector.size != size:
                raise FindingsError(
                    "the release is of another layout than the plan's",
                    where=f"round {total.round}",
                    remedy="Give server and clients the same plan.",
                )
            if total.clients < 1:
                raise FindingsError("a sum of no client has no mean", where=f"round {total.round}")
        if not totals:
            raise FindingsError("no round to judge", where="monitoring")
        return cls(
            rounds=np.array([total.round for total in totals], dtype=np.int64),
            clients=np.array([total.clients for total in totals], dtype=np.int64),
            noise_variance=np.array([total.noise_variance for total in totals]),
            vectors=np.array([total.vector for total in totals]),
        )

    def mean(self, layout: Layout, name: str) -> Numbers:
        """(m,) means over the clients of each sum, in natural units.

        Raises:
            FindingsError: One is not finite.
            ReleaseError: The layout has no such coordinate.
        """
        position = layout.index(name)
        sums = self.vectors[:, position].astype(np.float64)
        clients = self.clients.astype(np.float64)
        found = sums / (clients * layout.unit(name)) * layout.coordinates[position].clip
        bad = np.flatnonzero(~np.isfinite(found))
        if len(bad):
            where = f"round {self.rounds[bad[0]]}"
            raise FindingsError(f"{name} is not a finite number", where=where)
        return found

    def between(self, first: int, last: int) -> Sums:
        """Those of the rounds from ``first`` to ``last``; there may be none."""
        kept = (self.rounds >= first) & (self.rounds <= last)
        return Sums(
            self.rounds[kept], self.clients[kept], self.noise_variance[kept], self.vectors[kept]
        )
