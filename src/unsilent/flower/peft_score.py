"""A score function for apps that adapt a causal language model of transformers with peft."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from flwr.app import ArrayRecord, Context
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models.base import Adapter
from unsilent.plan import AdapterPlan

if TYPE_CHECKING:
    from unsilent.models.causal_lm import CausalLM
    from unsilent.models.lora import LoraSlots

Load = Callable[[Context], tuple[Any, Any]]
"""The client's peft model and its tokenizer. A top-level function: workers keep what it loaded."""

_LAYER = re.compile(r"\.(\d+)\.")

# One model a process: base models are large. The function is what it was loaded by.
_held: list[tuple[Load, Any, CausalLM]] = []


class PeftScore:
    """Scores items under an adapter that arrives as arrays.

    ``app = monitor_client(app, PeftScore(load_model))``, where ``load_model(context)`` returns a
    peft model and its tokenizer. Choices are scored by their log-likelihood after the prompt, as
    in the reference federation. The model is left as it was found, so it may be the one that the
    app trains.

    Arrays are matched by name with ``get_peft_model_state_dict(model)``, or by order where they
    are numbered, as lists of NumPy arrays are.

    Args:
        load: A top-level function of the app's; called once a process.
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    def __call__(
        self, items: ItemSet, arrays: ArrayRecord | None, context: Context
    ) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities; arrays of None are the base model.

        Raises:
            ModelError: The model has no adapter that is scored apart from its base, or the arrays
                are of another one.
        """
        slots, model = _resident(self._load, context)
        adapter = None if arrays is None else Adapter(model.digest, slots.named(arrays))
        with slots.unchanged():
            return model.score(items, adapter)


class PeftSlots:
    """The adapter layers of a peft model, of any kind that peft computes within the layers.

    Args:
        model: From ``get_peft_model`` or ``PeftModel.from_pretrained``.

    Attributes:
        first: The first adapted layer.
        last: The last one.
        shapes: Name to shape of the adapter's tensors, in peft's order.

    Raises:
        ModelError: Nothing is adapted, or something outside the layers is.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._state().items()}
        places = [_LAYER.search(name) for name in self.shapes]
        numbers = [int(place.group(1)) for place in places if place]
        if not numbers or len(numbers) < len(places):
            raise ModelError(
                "an adapter that is not within the model's layers",
                where="PeftScore",
                remedy="Give monitor_client a score function of your own.",
            )
        self.first, self.last = min(numbers), max(numbers)

    def named(self, arrays: ArrayRecord) -> dict[str, NDArray[np.float32]]:
        """The arrays by the adapter's names. Raises ModelError if they are another's."""
        names = list(self.shapes)
        numbered = list(arrays) == [str(number) for number in range(len(names))]
        found = dict(zip(names, arrays.values(), strict=True)) if numbered else dict(arrays)
        tensors = {name: np.asarray(array.numpy(), np.float32) for name, array in found.items()}
        if {name: tensor.shape for name, tensor in tensors.items()} != self.shapes:
            raise ModelError(
                "the arrays are not those of this model's adapter",
                where="PeftScore",
                remedy="Send get_peft_model_state_dict(model), or its values in order.",
            )
        return tensors

    def fits(self, adapter: Adapter) -> bool:
        """Whether the adapter's tensors have these names and shapes."""
        return {name: tensor.shape for name, tensor in adapter.tensors.items()} == self.shapes

    @contextmanager
    def merged(self, tensors: Mapping[str, NDArray[np.float32]] | None) -> Iterator[None]:
        """The model under these tensors, None for its base alone."""
        if tensors is None:
            with self._model.disable_adapter():
                yield
            return
        self._set(tensors)
        yield

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Afterwards adapter and mode of the model are what they were."""
        kept = {name: tensor.clone() for name, tensor in self._state().items()}
        modes = {name: module.training for name, module in self._model.named_modules()}
        try:
            self._model.eval()
            yield
        finally:
            self._put(kept)
            for name, module in self._model.named_modules():
                module.training = modes[name]

    def _set(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        import torch

        self._put({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})

    def _put(self, state: Mapping[str, Any]) -> None:
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(self._model, dict(state))

    def _state(self) -> dict[str, Any]:
        from peft import get_peft_model_state_dict

        return dict(get_peft_model_state_dict(self._model))


def _resident(load: Load, context: Context) -> tuple[PeftSlots, CausalLM]:
    """The model of this process."""
    if not _held or _held[0][0] is not load:
        from unsilent.models.causal_lm import CausalLM

        model, tokenizer = load(context)
        slots = PeftSlots(model)
        with slots.unchanged():
            made = CausalLM(
                model.get_base_model(),
                tokenizer,
                weights=getattr(load, "__qualname__", "peft"),
                adapter=AdapterPlan(),
                # All that scoring asks of adapter layers; nothing is trained through it.
                slots=cast("LoraSlots", slots),
            )
        _held[:] = [(load, slots, made)]
    return _held[0][1], _held[0][2]
