"""The methods that come with the package; each is a few lines, and another file can add one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Protocol

from unsilent.errors import ModelError, PlanError
from unsilent.models.arrays import Arrays
from unsilent.models.personalization.protocol import Personalization, Tune


@dataclass(frozen=True)
class FineTune(Personalization):
    """Everything is shared; the new global model is tuned on the client's records."""

    def personal(self, aggregated: Arrays, own: Arrays, tune: Tune) -> Arrays:
        """The global model, tuned."""
        return tune(aggregated)


@dataclass(frozen=True)
class Ditto(Personalization):
    """Everything is shared; a lasting model of the client's own is drawn to the global one.

    Li et al. 2021, eq. 1: it minimizes the client's loss plus lambda / 2 times the squared distance
    from the global model. With 0 it is trained alone; the larger, the nearer it stays.
    """

    lambda_: float = 0.1
    lasting: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.lambda_ < 0:
            raise PlanError(
                f"lambda is {self.lambda_:g}, which pushes clients away from the global model",
                where="federation.personalization",
                remedy="Use 0 or more.",
            )

    def personal(self, aggregated: Arrays, own: Arrays, tune: Tune) -> Arrays:
        """The client's own, trained on with a pull to the global one."""
        return tune(own, pull=self.lambda_, towards=aggregated)


class _Parts(Personalization, Protocol):
    """Some arrays are shared, the others stay; both as they were trained are the client's model."""

    splits: ClassVar[bool] = True

    def personal(self, aggregated: Arrays, own: Arrays, tune: Tune) -> Arrays:
        """The shared arrays and what stayed."""
        return aggregated


@dataclass(frozen=True)
class FedSA(_Parts):
    """The down-projection A of each low-rank pair is shared, B and heads stay (Guo et al. 2024)."""

    def shared(self, names: Collection[str]) -> frozenset[str]:
        """Of a LoRA every ``lora_A``; of a residual adapter its down-projection, ``D`` and ``b``.

        Raises ModelError if there is neither.
        """
        found = {name for name in names if name in ("D", "b") or "lora_A" in name.split(".")}
        if not found:
            raise ModelError(
                "fedsa shares down-projections, and this adapter has none",
                where="federation.personalization",
                remedy="Use a low-rank adapter, or another personalization.",
            )
        return frozenset(found)


@dataclass(frozen=True)
class Local(_Parts):
    """Nothing is shared: each client trains alone, and the server's rounds have no influence."""

    def shared(self, names: Collection[str]) -> frozenset[str]:
        """None."""
        return frozenset()


@dataclass(frozen=True)
class FedPer(_Parts):
    """The body is shared, the last layers stay (Arivazhagan et al. 2019).

    Attributes:
        layers: How many of the adapted layers stay, where the adapter has no head of its own.
    """

    layers: int = 1

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise PlanError(
                f"{self.layers} layers stay, so that there is nothing personal",
                where="federation.personalization",
                remedy="Use 1 or more.",
            )

    def shared(self, names: Collection[str]) -> frozenset[str]:
        """All but ``head.*``, or but the layers of the highest numbers if there is no head.

        Raises ModelError if nothing would be shared.
        """
        stay = {name for name in names if name.startswith("head.")}
        if not stay:
            last = sorted({_layer(name) for name in names})[-self.layers :]
            stay = {name for name in names if _layer(name) in last}
        if stay >= set(names):
            raise ModelError(
                f"the adapter has no more than the {self.layers} layers that would stay",
                where="federation.personalization",
                remedy="Adapt more layers, let fewer stay, or use local.",
            )
        return frozenset(names) - stay


def _layer(name: str) -> int:
    """The number of an array's layer, -1 if its name has none."""
    return next((int(part) for part in name.split(".") if part.isdigit()), -1)
