"""A method on a client's adapters, with the model that trains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from unsilent.models.arrays import Arrays
from unsilent.models.base import Adapter, Training
from unsilent.models.personalization.protocol import Personalization, completed, sent


def shared_part(method: Personalization, adapter: Adapter) -> Adapter:
    """What of an adapter leaves the client."""
    return Adapter(adapter.base, sent(method, adapter.tensors))


def whole(method: Personalization, given: Adapter, own: Callable[[], Adapter]) -> Adapter:
    """The server's adapter with what stays on the client. Raises ModelError as ``completed``."""
    return Adapter(given.base, completed(method, given.tensors, lambda: own().tensors))


def personalized(
    method: Personalization,
    training: Training,
    train: Callable[[Adapter, Training], Adapter],
    *,
    aggregated: Adapter,
    own: Adapter,
) -> Adapter:
    """The client's own adapter of a round.

    Args:
        method: How.
        training: How long, how fast; of 0 epochs, nothing is trained.
        train: Trains an adapter on the client's records.
        aggregated: The new global adapter, whole.
        own: As of ``Personalization.personal``.
    """

    def tune(start: Arrays, *, pull: float = 0.0, towards: Arrays | None = None) -> Arrays:
        if not training.epochs:
            return start
        how = replace(training, pull=pull, towards=towards)
        return train(Adapter(aggregated.base, start), how).tensors

    return Adapter(aggregated.base, method.personal(aggregated.tensors, own.tensors, tune))
