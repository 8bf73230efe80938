"""What a method of personalization says: what is shared, what stays, how a client's own comes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar, Protocol

from unsilent.errors import ModelError
from unsilent.models.arrays import Arrays


class Tune(Protocol):
    """Training on the client's own records, by whoever holds the model."""

    def __call__(
        self, start: Arrays, *, pull: float = 0.0, towards: Arrays | None = None
    ) -> Arrays:
        """Arrays trained from ``start``, on the loss plus ``pull / 2 * ||w - towards||^2``.

        How long and how fast is the plan's: ``federation.personal_epochs`` and
        ``personal_learning_rate``.
        """
        ...


class Personalization(Protocol):
    """A method: a frozen dataclass whose fields, each with a default, are what a plan may set.

    A round of any method: the client completes what the server sends with what stays, trains, and
    sends the shared arrays. They are averaged. The client completes the mean again, and of that
    ``personal`` makes its own model. Arrays that are not shared are kept as they were trained.

    Where a simulation holds all clients at once, arrays have one axis more, in front: combine them
    element by element.

    Attributes:
        splits: Whether some arrays stay on the client. If not, ``shared`` is not asked.
        lasting: Whether a client's own model is kept, so that the next one is made from it.
    """

    splits: ClassVar[bool] = False
    lasting: ClassVar[bool] = False

    def shared(self, names: Collection[str]) -> frozenset[str]:
        """Which arrays the server gets and averages; the others never leave the client.

        Raises ModelError if the method knows no such arrays.
        """
        return frozenset(names)

    def personal(self, aggregated: Arrays, own: Arrays, tune: Tune) -> Arrays:
        """The client's own model of a round.

        Args:
            aggregated: The new global arrays, with what stays on the client.
            own: If it is ``lasting``, the client's own model of the round before, and before the
                first the arrays that the federation started from. Else ``aggregated``.
            tune: Trains on the client's records.
        """
        ...


def sent(method: Personalization, arrays: Arrays) -> Arrays:
    """The arrays that leave the client."""
    if not method.splits:
        return arrays
    names = method.shared(arrays.keys())
    return {name: array for name, array in arrays.items() if name in names}


def completed(method: Personalization, given: Arrays, own: Callable[[], Arrays]) -> Arrays:
    """A whole model: the shared arrays as given, the others the client's own.

    Args:
        method: Says which are shared.
        given: The server's; any that are not shared are passed over.
        own: All of the client's; only asked where the method splits.

    Raises:
        ModelError: The server's lack one that is shared.
    """
    if not method.splits:
        return given
    mine = own()
    names = method.shared(mine.keys())
    missing = sorted(names - given.keys())
    if missing:
        raise ModelError(
            f"the server's adapter lacks {missing[0]}, which this personalization shares",
            where="federation.personalization",
            remedy="Start the federation anew, so that all its adapters are of one plan.",
        )
    return {name: given[name] if name in names else array for name, array in mine.items()}
