"""What a model is to the rest of the house: an adapter in, probabilities or a better adapter out.

Three kinds stand behind one interface, ``causal_lm``, ``encoder`` and ``vision``. This file needs
no torch, so that the server's side can average and store adapters without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from unsilent.errors import ModelError
from unsilent.files import write_whole
from unsilent.items import Item, ItemSet
from unsilent.models.arrays import Arrays, weighted_mean


@dataclass(frozen=True)
class Adapter:
    """Trained tensors on top of one frozen base.

    Attributes:
        base: Digest of the base model they were trained on.
        tensors: Name to float32 array, in a fixed order (sorted by name).
    """

    base: str
    tensors: Mapping[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        ordered = {
            name: np.asarray(self.tensors[name], np.float32) for name in sorted(self.tensors)
        }
        for name, tensor in ordered.items():
            if not np.isfinite(tensor).all():
                raise ModelError(
                    f"adapter tensor {name} is not finite", remedy="Training diverged."
                )
        object.__setattr__(self, "tensors", ordered)

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of base, names, shapes and values."""
        hasher = hashlib.sha256(self.base.encode())
        for name, tensor in self.tensors.items():
            hasher.update(f"|{name}{tensor.shape}|".encode())
            hasher.update(np.ascontiguousarray(tensor).tobytes())
        return f"sha256:{hasher.hexdigest()}"

    def save(self, path: Path) -> None:
        """Write as safetensors, whole or not at all."""
        data = save(dict(self.tensors), metadata={"unsilent_base": self.base})
        write_whole(path, data)

    @classmethod
    def load(cls, path: Path, *, base: str) -> Adapter:
        """Read an adapter; raises ModelError if it is damaged or was trained on another base."""
        try:
            with safe_open(path, framework="np") as file:  # type: ignore[no-untyped-call]
                found = (file.metadata() or {}).get("unsilent_base", "")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError:
            raise ModelError("no such adapter", where=str(path)) from None
        except (SafetensorError, OSError):
            raise ModelError(
                "not a readable safetensors file",
                where=str(path),
                remedy="Delete it and train again, or restore it from a backup.",
            ) from None
        if found != base:
            raise ModelError(
                f"adapter was trained on another base ({found or 'unnamed'}, here {base})",
                where=str(path),
                remedy="Use the base model that the adapter was trained on.",
            )
        return cls(base, tensors)


def average(adapters: Sequence[Adapter], weights: Sequence[float]) -> Adapter:
    """The weighted mean of adapters of one base; as ``weighted_mean``."""
    if not adapters or len({adapter.base for adapter in adapters}) != 1:
        raise ModelError("adapters to average must share one base")
    return Adapter(adapters[0].base, weighted_mean([a.tensors for a in adapters], weights))


@dataclass(frozen=True)
class Training:
    """How one client trains: epochs over its records, Adam's rate, batch size, seed.

    ``pull`` adds ``pull / 2 * ||w - towards||^2`` to the loss (Li et al. 2021, eq. 1).
    """

    epochs: int
    learning_rate: float
    batch: int
    seed: int
    pull: float = 0.0
    towards: Arrays | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class TrainingReport:
    """What a federated run shows today: mean loss and accuracy over the last epoch."""

    loss: float
    accuracy: float
    examples: int


class PersonalModel(Protocol):
    """A frozen base with a trainable adapter."""

    @property
    def digest(self) -> str:
        """Identifies base weights, adapter shape and dtype; scores are comparable within it."""
        ...

    @property
    def hashes(self) -> Mapping[str, str]:
        """Content hashes by ``base``, ``tokenizer`` and ``engine``; see ``models.hashes``."""
        ...

    def new_adapter(self, seed: int) -> Adapter:
        """An adapter that changes nothing yet."""
        ...

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """Train a copy of the adapter on records (items with an answer)."""
        ...

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities; None is the base alone."""
        ...


def of_another_base() -> ModelError:
    """An adapter that is not this model's."""
    return ModelError(
        "this adapter was trained on another base",
        remedy="Use the base model and the [adapter] section that it was trained with.",
    )


def without_answer(item: Item) -> ModelError:
    """A record that nothing can be learnt from."""
    return ModelError(
        "a training record needs an answer",
        where=f"item {item.id}",
        remedy="Say which of its choices is correct, or leave it out.",
    )
