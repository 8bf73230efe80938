"""Putting secrets together from the answers of a round, for all their owners at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.roster import Session
from unsilent.release.secure_sum.shamir import combine
from unsilent.release.secure_sum.wire import HASH

_AT_ONCE = 2**22
"""Differences of two holders' points that are looked at at once: what bounds memory."""

_TRIES = 1024
"""How many other choices of shares are tried where the first gives a wrong secret."""


class Shares:
    """The shares that came, by owner and holder.

    Args:
        session: Whose graph says who holds what.
        answers: Of each client that answered, (member neighbours, 32) shares in the neighbours'
            order.
    """

    def __init__(self, session: Session, answers: Mapping[int, NDArray[np.uint8]]) -> None:
        self._session = session
        self._threshold = session.terms.parameters.threshold
        self._degree = session.terms.parameters.degree
        graph = session.roster.graph
        self._table, self._back = graph.table, graph.back
        clients = len(graph.table)
        self._given = np.zeros((clients, graph.table.shape[1], HASH), dtype=np.uint8)
        self._answered = np.zeros(clients, dtype=np.bool_)
        for place, shares in answers.items():
            self._given[place, session.columns[place]] = shares
            self._answered[place] = True
        self._liars = np.zeros(clients, dtype=np.bool_)

    def combine(
        self, owners: NDArray[np.int64], right: Callable[[int, bytes], bool]
    ) -> list[bytes]:
        """The secrets of some clients.

        Liars among the holders are passed over if others hold enough: where a secret is wrong,
        other choices of shares are tried, and whose share does not fit the right ones is asked
        last from then on.

        Args:
            owners: (n_owners,) clients, each once.
            right: Whether this is a client's secret.

        Returns:
            The owners' secrets, in order.

        Raises:
            SecureSumError: Too few shares of an owner's secret came, or too many are wrong.
        """
        if not len(owners):
            return []
        there = self._answered[self._table[owners]]
        counts = there.sum(axis=1)
        if bool((counts < self._threshold).any()):
            raise SecureSumError(
                f"{int(counts.min())} answers of a client's neighbours came, fewer than the "
                f"{self._threshold} needed",
                where="secure sum",
                remedy="The round has no sum. Wait longer (monitor.timeout), or allow for "
                "drop-outs in privacy.dropout.",
            )
        found: dict[int, bytes] = {}
        while len(found) < len(owners):
            left = np.array([owner for owner in owners.tolist() if owner not in found])
            wrong: list[int] = []
            secrets = self._combined(left, self._first_choice(left))
            for owner, row in zip(left.tolist(), secrets, strict=True):
                if right(owner, row.tobytes()):
                    found[owner] = row.tobytes()
                else:
                    wrong.append(owner)
            if wrong:
                found[wrong[0]] = self._without_liars(wrong[0], right)
        return [found[owner] for owner in owners.tolist()]

    def _first_choice(self, owners: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_owners, threshold) columns of holders that answered, known liars last."""
        holders = self._table[owners]
        last = 2 * ~self._answered[holders] + self._liars[holders]
        return np.argsort(last, axis=1, kind="stable")[:, : self._threshold]

    def _without_liars(self, owner: int, right: Callable[[int, bytes], bool]) -> bytes:
        """One owner's secret, by trying; notes who lied."""
        held = np.flatnonzero(self._answered[self._table[owner]])
        # Which choices are tried needs no secrecy: the same in each run is good for a test.
        generator = np.random.default_rng(owner)
        choices = np.array([generator.permutation(held)[: self._threshold] for _ in range(_TRIES)])
        for choice, row in zip(choices, self._combined_for(owner, choices), strict=True):
            if right(owner, row.tobytes()):
                self._note_liars(owner, choice, held, row)
                return row.tobytes()
        raise SecureSumError(
            "a client's shares do not give its secret: it or holders of its shares sent wrong ones",
            where=f"client {self._session.roster.adverts[owner].identity.hex()[:16]}",
            remedy="The round has no sum.",
        )

    def _note_liars(
        self,
        owner: int,
        good: NDArray[np.int64],
        held: NDArray[np.int64],
        secret: NDArray[np.uint8],
    ) -> None:
        """A share is right if, in the place of a right one, it gives the same secret."""
        others = np.setdiff1d(held, good)
        swapped = np.repeat(good[None, :], len(others), axis=0)
        swapped[:, -1] = others
        fits = (self._combined_for(owner, swapped) == secret).all(axis=1)
        self._liars[self._table[owner][others[~fits]]] = True

    def _combined_for(self, owner: int, choices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self._combined(np.full(len(choices), owner), choices)

    def _combined(self, owners: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n_owners, 32) secrets from the shares at these columns, one row an owner."""
        each = max(1, _AT_ONCE // self._threshold**2)
        parts: list[NDArray[np.uint8]] = []
        for start in range(0, len(owners), each):
            at, chosen = owners[start : start + each], columns[start : start + each]
            holders = np.take_along_axis(self._table[at], chosen, axis=1)
            back = np.take_along_axis(self._back[at], chosen, axis=1)
            shares = self._given[holders, back].transpose(1, 0, 2)
            parts.append(combine((chosen + 1).T, shares, self._degree))
        return np.concatenate(parts)
