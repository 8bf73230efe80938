"""LoRA layers that are resident once and serve any number of adapters.

Adapters are copied into resident tensors to train, and merged into the base weights to score,
always from a pristine copy: merging and unmerging in place would drift. Neither allocates
anything that stays, so that a thousand adapters cost what one costs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from unsilent.errors import ModelError
from unsilent.models.base import Adapter
from unsilent.models.vision_layers import Layers
from unsilent.plan import AdapterPlan

_PLAIN = {torch.float32, torch.bfloat16, torch.float16, torch.float64}

_WRAP = "base_model.model."
"""What peft puts before a module's name."""

Tensors = Mapping[str, NDArray[np.float32]]


class LoraSlots:
    """The LoRA layers of one model.

    Args:
        model: From transformers; frozen, gets LoRA layers in place.
        plan: Rank, scale, targets and layers.
        among: The modules that targets and layers mean, where the model's kind finds them; by
            default those of its ``layers``, as language models have them.

    Attributes:
        first, last: The first and the last adapted layer.
        parameters: Name to trainable tensor.

    Raises:
        ModelError: The model has no such layers or modules.
    """

    def __init__(self, model: Any, plan: AdapterPlan, among: Layers | None = None) -> None:
        if among is None:
            self.first, self.last = _within(model, plan)
            where: dict[str, Any] = {
                "target_modules": list(plan.targets),
                "layers_to_transform": list(range(self.first, self.last + 1)),
                "fan_in_fan_out": _transposed(model, plan.targets),
            }
        else:
            self.first, self.last = among.first, among.last
            where = {"target_modules": list(among.modules)}
        config = LoraConfig(
            r=plan.rank,
            lora_alpha=plan.scale * plan.rank,  # type: ignore[arg-type]
            **where,
        )
        try:
            with warnings.catch_warnings():
                # peft asks for a property by the name that transformers 5 has deprecated.
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
                self._wrapped: Any = get_peft_model(model.eval(), config)
        except ValueError:
            raise ModelError(
                f"none of the modules {list(plan.targets)} in this model",
                where="adapter.targets",
                remedy="Name linear modules that its layers have.",
            ) from None
        _check_plain(self._wrapped)
        self._layers: dict[str, LoraLayer] = {
            name.rsplit("layers.", 1)[-1] if among is None else name.removeprefix(_WRAP): module
            for name, module in self._wrapped.named_modules()
            if isinstance(module, LoraLayer)
        }
        self.parameters: dict[str, Tensor] = {
            f"{name}.lora_{half}": getattr(layer, f"lora_{half}")["default"].weight
            for name, layer in self._layers.items()
            for half in "AB"
        }
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self.parameters.items()}
        self._weights = {name: _base_weight(layer) for name, layer in self._layers.items()}
        self._pristine = {name: weight.clone() for name, weight in self._weights.items()}

    def initial(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """LoRA's start: A uniform as in Hu et al. 2021, B zero, so that nothing changes yet."""
        random = np.random.default_rng(seed)
        tensors = {}
        for name, shape in self.shapes.items():
            if name.endswith("lora_A"):
                bound = 1 / math.sqrt(shape[1])
                tensors[name] = random.uniform(-bound, bound, shape).astype(np.float32)
            else:
                tensors[name] = np.zeros(shape, dtype=np.float32)
        return tensors

    def fits(self, adapter: Adapter) -> bool:
        """Whether the adapter's tensors have these names and shapes."""
        return {name: tensor.shape for name, tensor in adapter.tensors.items()} == self.shapes

    def load(self, tensors: Tensors) -> None:
        """Copy an adapter into the resident tensors."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(torch.from_numpy(tensors[name]))

    def read(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the resident tensors."""
        return {
            name: parameter.detach().float().cpu().numpy().copy()
            for name, parameter in self.parameters.items()
        }

    @contextmanager
    def training(self) -> Iterator[list[Tensor]]:
        """The trainable tensors, asking for gradients meanwhile."""
        parameters = list(self.parameters.values())
        try:
            for parameter in parameters:
                parameter.requires_grad_(True)
            yield parameters
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
                parameter.grad = None

    def pull(self, weight: float, towards: Tensors) -> None:
        """Add to the gradients those of ``weight / 2`` times the squared distance from arrays."""
        for name, parameter in self.parameters.items():
            there = torch.from_numpy(towards[name]).to(parameter)
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach() - there, alpha=weight)

    @contextmanager
    def merged(self, tensors: Tensors | None) -> Iterator[None]:
        """Base weights with the adapter merged in; afterwards exactly the pristine base."""
        for layer in self._layers.values():
            layer._disable_adapters = True
        try:
            if tensors is not None:
                self._merge(tensors)
            yield
        finally:
            for name, layer in self._layers.items():
                layer._disable_adapters = False
                if tensors is not None:
                    self._weights[name].copy_(self._pristine[name])

    @torch.no_grad()
    def _merge(self, tensors: Tensors) -> None:
        for name, layer in self._layers.items():
            weight, pristine = self._weights[name], self._pristine[name]
            low = torch.from_numpy(tensors[f"{name}.lora_A"]).to(weight.device)
            high = torch.from_numpy(tensors[f"{name}.lora_B"]).to(weight.device)
            if getattr(layer, "fan_in_fan_out", False):
                high, low = low.T, high.T
            scale = layer.scaling["default"]
            if weight.dtype == torch.float32:
                torch.addmm(pristine, high, low, alpha=scale, out=weight)
            else:
                # Rounded once, after the sum.
                weight.copy_(torch.addmm(pristine.float(), high, low, alpha=scale))

    def merge_for_good(self) -> Any:
        """The base model with the loaded adapter in its weights, without LoRA layers."""
        return self._wrapped.merge_and_unload()


def _within(model: Any, plan: AdapterPlan) -> tuple[int, int]:
    """The plan's first and last layer, counted from 0. Raises ModelError if they are not there."""
    depth = int(getattr(model.config.get_text_config(), "num_hidden_layers", 0))
    first, last = (index + depth if index < 0 else index for index in plan.layers)
    if not 0 <= first <= last < depth:
        raise ModelError(
            f"layers {list(plan.layers)} are outside the model's {depth} layers",
            where="adapter.layers",
            remedy=f"Use layers between 0 and {depth - 1}, or negative from the end.",
        )
    return first, last


def _check_plain(wrapped: Any) -> None:
    """Refuse weights into which no adapter can be merged: packed or quantized ones."""
    for name, layer in wrapped.named_modules():
        if isinstance(layer, LoraLayer):
            weight = getattr(layer.get_base_layer(), "weight", None)
            if not isinstance(weight, Tensor) or weight.dtype not in _PLAIN or weight.ndim != 2:
                raise ModelError(
                    "an adapter cannot be merged into this module's weights, which are quantized "
                    f"or of another kind ({name.removeprefix('base_model.model.')})",
                    where="adapter.targets",
                    remedy="Give the model with its plain weights, or name linear modules.",
                )


def _base_weight(layer: Any) -> Tensor:
    """The frozen weight under a LoRA layer."""
    weight: Tensor = layer.get_base_layer().weight.data
    return weight


def _transposed(model: Any, targets: tuple[str, ...]) -> bool:
    """Whether the targets hold their weights as GPT-2 does, (in, out)."""
    kinds = {
        isinstance(module, Conv1D)
        for name, module in model.named_modules()
        if name.rsplit(".", 1)[-1] in targets
    }
    if len(kinds) > 1:
        raise ModelError(
            f"the modules {list(targets)} hold their weights in different ways",
            where="adapter.targets",
            remedy="Name modules of one kind.",
        )
    return kinds == {True}
