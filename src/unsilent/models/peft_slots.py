"""The adapter layers of a user's peft model, set for scoring and left as they were found."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.models.base import Adapter

Tensors = Mapping[str, NDArray[np.float32]]

WHERE = "PeftScore"
"""What errors name as their place."""

_OWN = "Give a score function of your own."
_LAYER = re.compile(r"\.(\d+)\.")
_COMPILED = "_orig_mod."
_TORCHAO = "torchao"
_KEEPS = "ENABLE_DORA_CACHING"
"""Whether DoRA keeps what it computed of an adapter until the model trains again, as peft says."""
_PACKS = "support_avx512bf16_for_cpu"
"""Whether a 4-bit layer of bitsandbytes packs its weights anew where it is first evaluated."""


class PeftSlots:
    """The adapter layers of a peft model, of any kind that peft computes within the layers.

    Args:
        model: From ``get_peft_model`` or ``PeftModel.from_pretrained``.
        adapter: The name of the adapter that arrays are of; the only one by default, else
            peft's own ``default`` where it is the one in use.

    Attributes:
        name: The adapter's name.
        first: The first adapted layer.
        last: The last one.
        shapes: Name to shape of the adapter's tensors, in peft's order.

    Raises:
        ModelError: Nothing is adapted, something outside the layers is, it is not clear which
            adapter is meant, or as ``check``.
    """

    def __init__(self, model: Any, adapter: str | None = None) -> None:
        self.model = getattr(model, "_orig_mod", model)
        if not hasattr(self.model, "peft_config") or not hasattr(self.model, "get_base_model"):
            raise ModelError(
                "load_model did not return a peft model",
                where=WHERE,
                remedy="Return what get_peft_model or PeftModel.from_pretrained gives.",
            )
        for tensor in self.model.parameters():
            if tensor.is_meta:
                raise ModelError(
                    "some of the model's weights are not in memory (offloaded, or never loaded)",
                    where=WHERE,
                    remedy="Load it whole on one device or several, without offloading. " + _OWN,
                )
            if type(tensor.data).__module__.startswith(_TORCHAO):
                raise ModelError(
                    "the base model's weights are torchao's, which scoring does not leave as it "
                    "found them",
                    where=WHERE,
                    remedy="Load it with plain weights or by bitsandbytes. " + _OWN,
                )
        self._given = adapter is not None
        self.name = _chosen(list(self.model.peft_config), adapter)
        state = self.state()
        self.shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        held = {tensor.data_ptr() for tensor in state.values()}
        self.modules: list[Any] = []
        self._look()
        self._held = [
            (module, name, parameter.shape)
            for module in self.modules
            for name, parameter in module._parameters.items()
            if parameter is not None and parameter.data_ptr() in held
        ]
        self.check()
        places = [_LAYER.search(name) for name in self.shapes]
        numbers = [int(place.group(1)) for place in places if place]
        if not numbers or len(numbers) < len(places):
            raise ModelError(
                "an adapter that is not within the model's layers", where=WHERE, remedy=_OWN
            )
        self.first, self.last = min(numbers), max(numbers)

    @property
    def scales(self) -> tuple[float, ...]:
        """What the layers multiply the adapter by, each value once, rising; none of some kinds."""
        told = (getattr(layer, "scaling", None) for layer in self._layers)
        found = {float(each[self.name]) for each in told if each and self.name in each}
        return tuple(sorted(found))

    def check(self) -> None:
        """Refuse a state in which the model computes something else than base and arrays say.

        The app may have changed it since it was looked at last.

        Raises:
            ModelError: An adapter is merged into the base, layers are switched off, or another
                adapter takes part.
        """
        self._look()
        there = set(map(id, self.modules))
        if any(
            id(module) not in there
            or module._parameters.get(name) is None
            or module._parameters[name].shape != shape
            for module, name, shape in self._held
        ):
            raise ModelError(
                "the adapter's layers are not those that the model was loaded with",
                where=WHERE,
                remedy="Neither unload nor replace them, or load a model of its own for scoring.",
            )
        layers = self._layers
        if any(getattr(layer, "merged_adapters", None) for layer in layers):
            raise ModelError(
                "an adapter is merged into the base model's weights, which are no longer the base",
                where=WHERE,
                remedy="Call model.unmerge_adapter() before the model is scored, or load a "
                "model of its own for scoring.",
            )
        if getattr(self.model, "_adapters_disabled", False) or any(
            layer._disable_adapters for layer in layers
        ):
            raise ModelError(
                "adapter layers are switched off, so that the model serves without the arrays",
                where=WHERE,
                remedy="Call model.base_model.enable_adapter_layers() before the model is scored.",
            )
        active = {name for layer in layers for name in _names(layer._active_adapter)}
        unused = [
            layer
            for layer in layers
            if self.name in layer._get_available_adapters()
            and self.name not in _names(layer._active_adapter)
        ]
        if not self._given and (active - {self.name} or unused):
            raise ModelError(
                f"the model serves with {_listed(active) or 'no adapter'}, and the arrays are of "
                f"the adapter {self.name!r}",
                where=WHERE,
                remedy=f"If {self.name!r} alone is to be scored, say so: "
                f'PeftScore(load_model, adapter="{self.name}"); else give a score '
                "function of your own.",
            )

    def named(self, arrays: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """The arrays by the adapter's names. Raises ModelError if they are another's."""
        names = list(self.shapes)
        numbered = list(arrays) == [str(number) for number in range(len(names))]
        found = dict(zip(names, arrays.values(), strict=True)) if numbered else dict(arrays)
        # What is compiled, the whole model or its layers, adds to names there and here.
        own = {name.replace(_COMPILED, ""): name for name in names}
        tensors = {
            own.get(bare := name.replace(_COMPILED, ""), bare): np.asarray(
                _plain(array), np.float32
            )
            for name, array in found.items()
        }
        if {name: tensor.shape for name, tensor in tensors.items()} != self.shapes:
            raise ModelError(
                "the arrays are not those of this model's adapter",
                where=WHERE,
                remedy="Send get_peft_model_state_dict(model), or its values in order.",
            )
        return tensors

    def fits(self, adapter: Adapter) -> bool:
        """Whether the adapter's tensors have these names and shapes."""
        return {name: tensor.shape for name, tensor in adapter.tensors.items()} == self.shapes

    def state(self, name: str | None = None) -> dict[str, Any]:
        """An adapter's tensors as peft names them, not copied; by default of this one."""
        from peft import get_peft_model_state_dict

        plain = _tensors(self.model)
        with warnings.catch_warnings():
            # What peft says of embeddings beside an adapter is of no account: nothing is saved.
            warnings.simplefilter("ignore")
            return dict(
                get_peft_model_state_dict(self.model, plain, adapter_name=name or self.name)
            )

    @contextmanager
    def merged(self, tensors: Tensors | None) -> Iterator[None]:
        """The model under these tensors alone, None for its base; within ``unchanged``."""
        if tensors is None:
            with self.model.disable_adapter():
                yield
            return
        import torch

        self._put({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
        for layer in self._layers:
            there = layer._get_available_adapters()
            layer._active_adapter = [self.name] if not there or self.name in there else []
        yield

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Afterwards adapter, mode and switches of the model are what they were."""
        kept = {name: tensor.clone() for name, tensor in self.state().items()}
        modes = [(module, module.training) for module in self.modules]
        asked = [(parameter, parameter.requires_grad) for parameter in self.parameters()]
        switches = [
            (layer, layer._active_adapter, layer._disable_adapters) for layer in self._layers
        ]
        packing = [
            (module, vars(module)[_PACKS]) for module in self.modules if _PACKS in vars(module)
        ]
        try:
            for module, _ in packing:
                setattr(module, _PACKS, False)
            self.model.eval()
            with _nothing_kept():
                yield
        finally:
            for module, wanted in packing:
                setattr(module, _PACKS, wanted)
            self._put(kept)
            for module, training in modes:
                module.training = training
            for layer, active, disabled in switches:
                layer._active_adapter, layer._disable_adapters = active, disabled
            for parameter, wanted in asked:
                if parameter.requires_grad != wanted:
                    parameter.requires_grad_(wanted)

    def _put(self, state: Mapping[str, Any]) -> None:
        from peft import set_peft_model_state_dict

        found = set_peft_model_state_dict(self.model, dict(state), adapter_name=self.name)
        if found.unexpected_keys:
            raise ModelError(
                "peft finds no place in the model for some of the arrays", where=WHERE, remedy=_OWN
            )

    def parameters(self) -> list[Any]:
        """The model's parameters, as they were when it was looked at last."""
        return [
            parameter
            for module in self.modules
            for parameter in module._parameters.values()
            if parameter is not None
        ]

    def _look(self) -> None:
        """Find the model's modules, and those that an adapter can be switched on and off in."""
        found: dict[int, Any] = {}
        # Not modules(), which spells out a name for each.
        waiting = [self.model]
        while waiting:
            module = waiting.pop()
            if id(module) not in found:
                found[id(module)] = module
                waiting += [inner for inner in module._modules.values() if inner is not None]
        modules = list(found.values())
        if list(map(id, modules)) == list(map(id, self.modules)):
            return
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        kinds = (BaseTunerLayer, AuxiliaryTrainingWrapper)
        self.modules = modules
        self._layers = [module for module in modules if isinstance(module, kinds)]


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Meanwhile DoRA keeps no norms and products between calls, which were other arrays'."""
    from peft.tuners.lora import dora

    kept = getattr(dora, _KEEPS, None)
    try:
        if kept:
            # What was kept before is forgotten by the next call.
            setattr(dora, _KEEPS, False)
        yield
    finally:
        if kept:
            setattr(dora, _KEEPS, kept)


def _tensors(model: Any) -> dict[str, Any]:
    """A model's tensors by the names and in the order of ``state_dict``, which is not called.

    A 4-bit layer of bitsandbytes unpacks its weights for that, and they are other ones afterwards
    where it had packed them for a processor.
    """
    found = {}
    for prefix, module in model.named_modules(remove_duplicate=False):
        left = module._non_persistent_buffers_set
        held = {**module._parameters, **{k: v for k, v in module._buffers.items() if k not in left}}
        for name, tensor in held.items():
            if tensor is not None:
                found[f"{prefix}.{name}" if prefix else name] = tensor.detach()
    return found


def _plain(array: Any) -> NDArray[Any]:
    """NumPy's own, or what an engine's kind of array holds of it."""
    return array if isinstance(array, np.ndarray) else array.numpy()


def _chosen(names: list[str], wanted: str | None) -> str:
    """The name of the adapter that arrays are of."""
    if wanted is not None:
        if wanted not in names:
            raise ModelError(
                f"the model has no adapter {wanted!r}",
                where=WHERE,
                remedy=f"It has {_listed(names)}.",
            )
        return wanted
    if len(names) == 1:
        return names[0]
    if "default" in names:
        return "default"
    raise ModelError(
        f"the model has the adapters {_listed(names)}, and nothing says which one the arrays are "
        "of",
        where=WHERE,
        remedy='Name it: PeftScore(load_model, adapter="…").',
    )


def _names(active: str | list[str]) -> list[str]:
    return [active] if isinstance(active, str) else list(active)


def _listed(names: set[str] | list[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
