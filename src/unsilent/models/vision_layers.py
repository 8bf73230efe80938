"""Which modules of a vision model an adapter is put on: its layers in their order, and its head."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unsilent.errors import ModelError
from unsilent.plan import AdapterPlan

_NUMBERED = re.compile(r"(.*\.\d+)\.")
_HEAD = "head."


@dataclass(frozen=True)
class Layers:
    """The modules of the adapted layers.

    Attributes:
        first, last: The first and the last adapted layer, counted from 0 through all stages.
        modules: Full names of the linear modules that are adapted.
    """

    first: int
    last: int
    modules: tuple[str, ...]


def layers_of(model: nn.Module, plan: AdapterPlan) -> Layers:
    """The linear modules that the plan's targets and layers mean.

    A layer is a numbered block that holds such modules: in a model of several stages they are
    counted on from one stage to the next.

    Raises:
        ModelError: There are none, or the layers are outside the model's.
    """
    linear = {
        name: found[1]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and (found := _NUMBERED.match(name))
    }
    meant = {name: at for name, at in linear.items() if name.rsplit(".", 1)[-1] in plan.targets}
    if not meant:
        there = sorted({name.rsplit(".", 1)[-1] for name in linear})
        raise ModelError(
            f"none of the modules {list(plan.targets)} is a linear one in this model's layers",
            where="adapter.targets",
            remedy=(f"Its layers have {', '.join(there)}. " if there else "It has no such. ")
            + "With targets = [] the head alone is trained.",
        )
    order = list(dict.fromkeys(meant.values()))
    depth = len(order)
    first, last = (index + depth if index < 0 else index for index in plan.layers)
    if not 0 <= first <= last < depth:
        raise ModelError(
            f"layers {list(plan.layers)} are outside the model's {depth} layers",
            where="adapter.layers",
            remedy=f"Use layers between 0 and {depth - 1}, or negative from the end.",
        )
    chosen = set(order[first : last + 1])
    return Layers(first, last, tuple(name for name, at in meant.items() if at in chosen))


class Head:
    """The linear layer that answers, trained whole beside the adapter.

    Args:
        linear: The model's own, changed in place and put back.
    """

    def __init__(self, linear: nn.Linear) -> None:
        self._held: dict[str, Tensor] = {f"{_HEAD}weight": linear.weight}
        if linear.bias is not None:
            self._held[f"{_HEAD}bias"] = linear.bias
        self._pristine = {name: tensor.detach().clone() for name, tensor in self._held.items()}
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._held.items()}

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Name to tensor, of the model itself."""
        return dict(self._held)

    def initial(self) -> dict[str, NDArray[np.float32]]:
        """The head as it came with the base."""
        return {name: tensor.float().cpu().numpy() for name, tensor in self._pristine.items()}

    @torch.no_grad()
    def put(self, tensors: dict[str, NDArray[np.float32]] | None) -> None:
        """Set the head; None for the base's own."""
        for name, held in self._held.items():
            given = self._pristine[name] if tensors is None else torch.from_numpy(tensors[name])
            held.copy_(given)


def head_of(model: Any, classes: int) -> nn.Linear:
    """The one linear layer behind the encoder that has an output for each class.

    Raises:
        ModelError: There is none, or more than one.
    """
    body = {id(module) for module in model.base_model.modules()}
    if model.base_model is model:
        body = set()
    found = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear)
        and module.out_features == classes
        and id(module) not in body
    ]
    if len(found) != 1:
        raise ModelError(
            f"it has {len(found) or 'no'} linear heads of {classes} classes behind its encoder",
            where="model.id",
            remedy="Give an image classifier of transformers with one linear head.",
        )
    return found[0]
