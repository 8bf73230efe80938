"""Whether a peft model is what its arrays say: tried once, on a few tokens, by what it does.

A score is of the base where no arrays are given, and of the base with the arrays where some are.
Many things make a model another one without a word: an initialization that rewrites the base,
weights that are trained beside the adapter, a layer that ignores it, a forward pass of its own.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unsilent.errors import ModelError
from unsilent.models.causality import NO_NUMBERS, allowed, cannot_be_scored, differ, few_tokens
from unsilent.models.peft_slots import WHERE, PeftSlots

_OWN = "Give a score function of your own."
_PLAIN = (
    'Train an adapter that starts beside the base, as LoRA with init_lora_weights=True and bias="'
    'none"; or give a score function of your own.'
)
# They need a pass over data or a library of their own, without which they cannot be tried here.
_REWRITING = ("corda", "loftq", "lora_ga")
_SEED = 11
_SHARE = 0.25
_MIXED = 5e-2
"""How far logits in mixed precision may lie from those in full, as a share of the largest."""


def check_base(slots: PeftSlots) -> None:
    """Refuse an adapter whose base is no longer the model that it was made from.

    Raises:
        ModelError: Its initialization rewrites the base, or weights outside it are trained.
    """
    for config in slots.model.peft_config.values():
        start = str(getattr(config, "init_lora_weights", "")).lower()
        if start.startswith(_REWRITING) or _rewrites(config):
            kind = f"the initialization {start!r}" if start not in ("", "true") else "this adapter"
            raise _not_the_base(
                f"{kind} rewrites the base model's weights, so that the base cannot be scored"
            )
        if getattr(config, "layer_replication", None):
            raise _not_the_base("layer_replication makes a deeper model of the base")
        bias = getattr(config, "bias", "none")
        if bias != "none":
            raise _not_the_base(f"the base's biases are trained beside the adapter (bias={bias!r})")
    trained = [name for name, parameter in _outside(slots).items() if parameter.requires_grad]
    if trained and f".{slots.name}" in trained[0]:
        # As AdaLoRA, which names but the ranks that it keeps.
        raise ModelError(
            f"what peft gives as the adapter's arrays is not all of it: {trained[0]}",
            where=WHERE,
            remedy=_OWN,
        )
    if trained:
        raise _not_the_base(f"weights of the base are trained beside the adapter: {trained[0]}")


def _not_the_base(what: str) -> ModelError:
    return ModelError(what, where=WHERE, remedy=_PLAIN)


def prove(slots: PeftSlots) -> Tensor:
    """Try on a few tokens that arrays are all that changes the model; gives the base's logits.

    Raises:
        ModelError: The base depends on the arrays, arrays change nothing, they do not come back
            as they were set, or the model's own forward pass computes something else.
    """
    base, tensors = slots.model.get_base_model(), moved(slots)
    share = allowed(base)
    with slots.unchanged(), torch.no_grad():
        try:
            before = base_logits(slots)
            with slots.merged(tensors):
                _check_set(slots, tensors)
                tokens = few_tokens(base)
                # As the app calls it, and as it is scored.
                served, scored = slots.model(input_ids=tokens).logits, base(input_ids=tokens).logits
        except NO_NUMBERS as error:
            raise cannot_be_scored(str(base.config.model_type), error) from None
        # What trains in mixed precision has put a forward of its own around the model's.
        wrapped = _MIXED if "forward" in vars(slots.model) else share
        if served.shape != scored.shape or differ(served, scored, max(share, wrapped)):
            raise ModelError(
                "the peft model's forward pass does more than its layers, which is not scored",
                where=WHERE,
                remedy=_OWN,
            )
        if differ(before, base_logits(slots), share):
            raise ModelError("the base cannot be had without the adapter", where=WHERE, remedy=_OWN)
        _check_effect(slots, tensors)
    return before


@contextmanager
def tried(slots: PeftSlots) -> Iterator[None]:
    """The model under arrays that change much, as trials of how it is scored need it."""
    with slots.unchanged(), slots.merged(moved(slots)):
        yield


@torch.no_grad()
def base_logits(slots: PeftSlots) -> Tensor:
    """(1, tokens, vocabulary) logits of the base for the same few tokens; within ``unchanged``."""
    base = slots.model.get_base_model()
    with slots.merged(None):
        return base(input_ids=few_tokens(base)).logits


class Base:
    """The base of a proven model: whether it still is the one that was proven.

    Args:
        slots: The model's adapter.
        logits: Of the base, from ``prove``.
    """

    def __init__(self, slots: PeftSlots, logits: Tensor) -> None:
        self._slots = slots
        self._logits = logits
        held = {
            t.data_ptr() for name in slots.model.peft_config for t in slots.state(name).values()
        }
        # By where they lie: a tensor that is put in place of another is looked at as well.
        self._places = [
            (among, name)
            for module in slots.modules
            for among in (module._parameters, module._buffers)
            for name, tensor in among.items()
            if tensor is not None and tensor.data_ptr() not in held
        ]
        self._stamp = self._stamped()
        self._structure = _structure(slots)

    @property
    def stands(self) -> bool:
        """Whether the model still has the modules, hooks and scales that it was proven with."""
        return _structure(self._slots) == self._structure

    def check(self) -> None:
        """Look again; costs no forward pass unless a weight or a module was changed.

        Raises:
            ModelError: The base gives other numbers than when it was loaded, or is trained now.
        """
        held = (among.get(name) for among, name in self._places)
        if any(tensor is not None and tensor.requires_grad for tensor in held):
            # In half precision small steps stay below what is told from rounding.
            check_base(self._slots)
        found = self._stamped()
        if found == self._stamp and self.stands:
            return
        with self._slots.unchanged():
            share = allowed(self._slots.model)
            changed = differ(self._logits, base_logits(self._slots), share)
        if changed:
            raise ModelError(
                "the base model is not what it was when it was loaded",
                where=WHERE,
                remedy="Train nothing but the adapter, or load a model of its own for scoring.",
            )
        self._stamp = found

    def _stamped(self) -> list[tuple[int, int]]:
        tensors = (among.get(name) for among, name in self._places)
        return [
            (0, 0)
            if tensor is None
            else (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version)
            for tensor in tensors
        ]


def _structure(slots: PeftSlots) -> list[tuple[object, ...]]:
    """What decides a forward pass beside weights and switches; costs no computing."""
    return [
        (
            id(module),
            id(vars(module).get("forward")),
            # No two hooks have one number.
            (*module._forward_hooks, *module._forward_pre_hooks),
            str(vars(module).get("scaling")),
        )
        for module in slots.modules
    ]


def _outside(slots: PeftSlots) -> dict[str, Tensor]:
    """The model's parameters that no adapter holds, by name."""
    held = {
        tensor.data_ptr()
        for name in slots.model.peft_config
        for tensor in slots.state(name).values()
    }
    return {
        name: parameter
        for name, parameter in slots.model.named_parameters()
        if parameter.data_ptr() not in held
    }


def moved(slots: PeftSlots) -> dict[str, NDArray[np.float32]]:
    """The adapter's tensors with noise on them, so that all of it has an effect."""
    random = np.random.default_rng(_SEED)
    tensors = {}
    for name, tensor in slots.state().items():
        plain = tensor.detach().float().cpu().numpy()
        wide = max(plain.shape[-1], 1) if plain.ndim else 1
        noise = random.normal(0, _SHARE / np.sqrt(wide), plain.shape)
        tensors[name] = (plain + noise * tensor.is_floating_point()).astype(np.float32)
    return tensors


def _check_set(slots: PeftSlots, tensors: dict[str, NDArray[np.float32]]) -> None:
    for name, tensor in slots.state().items():
        wanted = torch.from_numpy(tensors[name]).to(tensor.device, tensor.dtype)
        if not torch.equal(tensor, wanted):
            raise ModelError(
                f"the array {name} is not what the model holds after it was set",
                where=WHERE,
                remedy=_OWN,
            )


def _check_effect(slots: PeftSlots, tensors: dict[str, NDArray[np.float32]]) -> None:
    """Refuse arrays on which no logit depends; of a layer's experts one has to count."""
    base = slots.model.get_base_model()
    with slots.merged(tensors), torch.enable_grad():
        places = {t.data_ptr(): name for name, t in slots.state().items()}
        asked = {
            places[p.data_ptr()]: p for p in slots.model.parameters() if p.data_ptr() in places
        }
        asked = {name: p for name, p in asked.items() if p.is_floating_point()}
        for parameter in asked.values():
            parameter.requires_grad_(True)
        logits = base(input_ids=few_tokens(base)).logits.float()
        weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(_SEED))
        found: list[Tensor | None] = [None] * len(asked)
        if logits.requires_grad:
            try:
                found = list(
                    torch.autograd.grad(
                        (logits * weights.to(logits.device)).sum(),
                        list(asked.values()),
                        allow_unused=True,
                    )
                )
            except RuntimeError as error:
                # Some families write over what their gradients need.
                raise cannot_be_scored(str(base.config.model_type), error) from None
    counts = {
        name: gradient is not None and bool(gradient.any())
        for name, gradient in zip(asked, found, strict=True)
    }
    alive = {_kind(name) for name, counted in counts.items() if counted}
    idle = [name for name in counts if _kind(name) not in alive]
    if idle or not counts:
        raise ModelError(
            f"{len(idle) or 'all'} of the adapter's arrays change nothing in the model"
            + (f", such as {idle[0]}" if idle else ""),
            where=WHERE,
            remedy="Check its scale, and that every layer applies it; or give a score "
            "function of your own.",
        )


def _kind(name: str) -> str:
    """A tensor's layer and what it is there, whichever expert's."""
    before, number, rest = re.split(r"\.(\d+)\.", name, maxsplit=1)
    return f"{before}.{number}." + re.sub(r"\.\d+\.", ".#.", f".{rest}")


def _rewrites(config: Any) -> bool:
    """Whether an adapter of this kind changes the layer that it is put on: tried on a small one."""
    from peft import inject_adapter_in_model

    plain = copy.deepcopy(config)
    for name in vars(plain):
        if name in _ELSEWHERE:
            setattr(plain, name, _ELSEWHERE[name])
    plain.target_modules = {"layer"}
    wide = 16 * max(4, math.ceil(int(getattr(config, "r", 0) or 0) / 8))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        holder = nn.ModuleDict({"layer": nn.Linear(wide, wide)})
        given = torch.randn(3, wide)
        with torch.no_grad():
            expected = holder["layer"](given)
            try:
                inject_adapter_in_model(plain, holder)
                layer: Any = holder["layer"]
                layer._disable_adapters = True
                return bool((layer(given) - expected).abs().max() > 1e-5)
            except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError):
                # Such a kind is put on no single layer; what it does to the model is tried there.
                return False


_ELSEWHERE: dict[str, Any] = {
    "alpha_pattern": {},
    "exclude_modules": None,
    "feedforward_modules": set(),
    "inference_mode": False,
    "layer_replication": None,
    "layers_pattern": None,
    "layers_to_transform": None,
    "modules_to_save": None,
    "rank_pattern": {},
    "target_parameters": None,
    "trainable_token_indices": None,
    "fan_in_fan_out": False,
}
"""What a configuration says of other modules than the one it is tried on."""
