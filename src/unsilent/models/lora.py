"""LoRA layers that are resident once and serve any number of adapters.

Adapters are copied into resident tensors to train, and merged into the base weights to score,
always from a pristine copy: merging and unmerging in place would drift. Neither allocates
anything that stays, so that a thousand adapters cost what one costs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig
from peft.tuners.lora import LoraLayer, LoraModel
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from unsilent.errors import ModelError
from unsilent.models.base import Adapter
from unsilent.models.causality import NO_NUMBERS, allowed, few_tokens
from unsilent.models.memory import out_of_memory
from unsilent.models.targets import Targets, find_targets
from unsilent.models.vision_layers import Layers
from unsilent.plan import AdapterPlan

_PLAIN = {torch.float32, torch.bfloat16, torch.float16, torch.float64}

_SEED, _NOISE = 13, 0.5
_EXACT, _PART = 1e-3, 0.25
_NAME, _HOLDER = "default", "model"
"""The adapter's name, and that of the model in what peft is given."""

Tensors = Mapping[str, NDArray[np.float32]]


class LoraSlots:
    """The LoRA layers of one model.

    Args:
        model: From transformers; frozen, gets LoRA layers in place.
        plan: Rank, scale, targets and layers.
        among: The modules themselves, where they are not those of a model of text.

    Attributes:
        first, last: The first and the last adapted layer.
        parameters: Name to trainable tensor.

    Raises:
        ModelError: The model has no such layers or modules.
    """

    def __init__(self, model: Any, plan: AdapterPlan, among: Layers | None = None) -> None:
        found = find_targets(model, plan) if among is None else _targets(model, among)
        self.first, self.last = found.first, found.last
        config = LoraConfig(
            r=plan.rank,
            lora_alpha=plan.scale * plan.rank,  # type: ignore[arg-type]
            target_modules=rf"{_HOLDER}\.({found.pattern})",
            fan_in_fan_out=_transposed(found, plan.targets),
        )
        # Not as a model of transformers, whose targets peft may put elsewhere: in a mixture, on all
        # experts of all layers.
        self._held = nn.ModuleDict({_HOLDER: model.eval()})
        try:
            self._tuner = LoraModel(self._held, {_NAME: config}, _NAME)
        except (TypeError, ValueError):
            raise ModelError(
                f"peft puts no LoRA on all of the modules {list(plan.targets)} of a model of type "
                f"{model.config.model_type}",
                where="adapter.targets",
                remedy="Name linear modules that its layers have.",
            ) from None
        _check_plain(model)
        self._layers = _named_layers(model, whole=among is not None)
        for layer in self._layers.values():
            for half in (layer.lora_A[_NAME], layer.lora_B[_NAME]):
                # Trained in full precision, whatever the base is in.
                half.to(torch.float64 if half.weight.dtype == torch.float64 else torch.float32)
        self.parameters: dict[str, Tensor] = {
            f"{name}.lora_{half}": getattr(layer, f"lora_{half}")[_NAME].weight
            for name, layer in self._layers.items()
            for half in "AB"
        }
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self.parameters.items()}
        self._weights = {name: _base_weight(layer) for name, layer in self._layers.items()}
        self._pristine = {name: weight.clone() for name, weight in self._weights.items()}
        self._kind = str(model.config.model_type)
        self._beside = False
        # A model of images is tried where it is loaded.
        self._beside = among is None and self._prove(model, plan.targets)

    @property
    def scales(self) -> tuple[float, ...]:
        """What the layers multiply the adapter by, each value once, rising."""
        return tuple(sorted({float(layer.scaling[_NAME]) for layer in self._layers.values()}))

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
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            # Some families write over what their gradients need.
            raise ModelError(
                f"models of type {self._kind} cannot be trained here ({type(error).__name__})",
                where="model.id",
                remedy="Use another model, or one whose layers are torch's own.",
            ) from error
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
        """Base weights with the adapter merged in; afterwards exactly the pristine base.

        Where merging makes another model of it than the layers do, the layers compute beside it.
        """
        beside = self._beside and tensors is not None
        for layer in self._layers.values():
            layer._disable_adapters = not beside
        try:
            if beside:
                self.load(tensors or {})
            elif tensors is not None:
                self._merge(tensors)
            yield
        finally:
            for name, layer in self._layers.items():
                layer._disable_adapters = False
                if tensors is not None and not beside:
                    self._weights[name].copy_(self._pristine[name])

    @torch.no_grad()
    def _merge(self, tensors: Tensors) -> None:
        for name, layer in self._layers.items():
            weight, pristine = self._weights[name], self._pristine[name]
            low = torch.from_numpy(tensors[f"{name}.lora_A"]).to(weight.device)
            high = torch.from_numpy(tensors[f"{name}.lora_B"]).to(weight.device)
            if getattr(layer, "fan_in_fan_out", False):
                high, low = low.T, high.T
            scale = layer.scaling[_NAME]
            if weight.dtype == torch.float32:
                torch.addmm(pristine, high, low, alpha=scale, out=weight)
            else:
                # Rounded once, after the sum.
                weight.copy_(torch.addmm(pristine.float(), high, low, alpha=scale))

    @torch.no_grad()
    def _prove(self, model: Any, targets: tuple[str, ...]) -> bool:
        """Whether the layers have to compute beside the weights, tried on a few tokens.

        Layers may share one weight, and a weight may be used without its module.

        Raises:
            ModelError: An adapter on these modules changes no logit.
        """
        random = np.random.default_rng(_SEED)
        tensors = {
            name: random.normal(0, _NOISE / math.sqrt(shape[1]), shape).astype(np.float32)
            for name, shape in self.shapes.items()
        }
        kept = self.read()
        try:
            tokens = few_tokens(model)
            self.load(tensors)
            layered = model(input_ids=tokens).logits.float()
            with self.merged(tensors):
                merged = model(input_ids=tokens).logits.float()
            with self.merged(None):
                base = model(input_ids=tokens).logits.float()
        except NO_NUMBERS:
            # Refused by what looks at the model next.
            return False
        finally:
            self.load(kept)
        if torch.equal(layered, base):
            raise ModelError(
                f"an adapter on the modules {list(targets)} changes nothing in this model",
                where="adapter.targets",
                remedy="Name linear modules that text goes through.",
            )
        apart = float((layered - merged).abs().max())
        # In half precision rounding is large, and less than what the adapter does.
        effect = _PART * float((layered - base).abs().max()) if allowed(model) > _EXACT else 0.0
        return not apart <= max(allowed(model) * float(layered.abs().max()), effect)

    def merge_for_good(self) -> Any:
        """The base model with the loaded adapter in its weights, without LoRA layers.

        Raises ModelError where the weights with it are another model.
        """
        if self._beside:
            raise ModelError(
                f"an adapter cannot be merged into models of type {self._kind}, whose layers "
                "share weights or use them without their modules",
                where="model.id",
                remedy="Keep the adapter beside the model.",
            )
        self._tuner.merge_and_unload()
        return self._held[_HOLDER]


def _check_plain(model: Any) -> None:
    """Refuse weights into which no adapter can be merged: packed or quantized ones."""
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            weight = getattr(layer.get_base_layer(), "weight", None)
            if not isinstance(weight, Tensor) or weight.dtype not in _PLAIN or weight.ndim != 2:
                raise ModelError(
                    "an adapter cannot be merged into this module's weights, which are quantized "
                    f"or of another kind ({name})",
                    where="adapter.targets",
                    remedy="Give the model with its plain weights, or name linear modules.",
                )


def _base_weight(layer: Any) -> Tensor:
    """The frozen weight under a LoRA layer."""
    weight: Tensor = layer.get_base_layer().weight.data
    return weight


def _targets(model: Any, among: Layers) -> Targets:
    """Modules that are known by their whole names."""
    return Targets(
        among.first,
        among.last,
        "|".join(map(re.escape, among.modules)),
        tuple(model.get_submodule(name) for name in among.modules),
    )


def _named_layers(model: Any, *, whole: bool) -> dict[str, LoraLayer]:
    """The adapted modules, each by its name from the number of its layer on, or by all of it."""
    if whole:
        return {name: m for name, m in model.named_modules() if isinstance(m, LoraLayer)}
    found = {
        f"base_model.model.{name}": module
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }
    short = {name: name.rsplit("layers.", 1)[-1] for name in found}
    # Of a model with several stacks, by all of its name.
    several = len(set(short.values())) < len(found)
    return {name if several else short[name]: module for name, module in found.items()}


def _transposed(found: Targets, targets: tuple[str, ...]) -> bool:
    """Whether the targets hold their weights as GPT-2 does, (in, out)."""
    kinds = {isinstance(module, Conv1D) for module in found.modules}
    if len(kinds) > 1:
        raise ModelError(
            f"the modules {list(targets)} hold their weights in different ways",
            where="adapter.targets",
            remedy="Name modules of one kind.",
        )
    return kinds == {True}
