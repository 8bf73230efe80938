"""A score function for apps that adapt a causal language model of transformers with peft."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from flwr.app import ArrayRecord, Context
from numpy.typing import NDArray

from unsilent.items import ItemSet
from unsilent.models.base import Adapter
from unsilent.models.hashes import base_hash
from unsilent.plan import AdapterPlan, Likelihood

if TYPE_CHECKING:
    from unsilent.models.causal_lm import CausalLM
    from unsilent.models.lora import LoraSlots
    from unsilent.models.peft_proof import Base
    from unsilent.models.peft_slots import PeftSlots

Load = Callable[[Context], tuple[Any, Any]]
"""The client's peft model and its tokenizer. A top-level function: workers keep what it loaded."""


class _Resident(NamedTuple):
    """A loaded model, and what it was loaded by."""

    load: Load
    adapter: str | None
    loaded: tuple[Any, Any]
    slots: PeftSlots
    base: Base
    model: CausalLM


# One model a process: base models are large.
_held: list[_Resident] = []


class PeftScore:
    """Scores items under an adapter that arrives as arrays.

    ``app = monitor_client(app, PeftScore(load_model))``, where ``load_model(context)`` returns a
    peft model and its tokenizer. Choices are scored by their log-likelihood after the prompt, as
    in the reference federation. The model is left as it was found, so it may be the one that the
    app trains.

    Arrays are matched by name with ``get_peft_model_state_dict(model)``, or by order where they
    are numbered, as lists of NumPy arrays are.

    When the model is loaded, and again where its modules have changed since, it is tried on a few
    tokens: without arrays it has to be the base, and all of the arrays have to take part. An
    adapter that starts by rewriting the base (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA), weights that
    are trained beside it, and an adapter that is merged, switched off or accompanied by another
    are refused.

    Args:
        load: A top-level function of the app's; called once a process.
        adapter: The name of the adapter that arrays are of, where the model has several: it is
            scored alone.
        likelihood: By what choices are compared, as ``model.likelihood`` of a plan; under a plan
            it is the plan's.
    """

    def __init__(
        self, load: Load, *, adapter: str | None = None, likelihood: Likelihood = "sum"
    ) -> None:
        self._load = load
        self._adapter = adapter
        self._hashed: tuple[object, str] | None = None
        self._likelihood: Likelihood = likelihood

    def under(self, likelihood: Likelihood) -> PeftScore:
        """The same, with choices compared by a plan's word; monitoring asks for it."""
        return PeftScore(self._load, adapter=self._adapter, likelihood=likelihood)

    def __call__(
        self, items: ItemSet, arrays: ArrayRecord | None, context: Context
    ) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities; arrays of None are the base model.

        Raises:
            ModelError: What is scored would not be the base, or not the base with these arrays;
                or the arrays are of another adapter.
            ItemError: An item that this model cannot be asked; names it.
        """
        held = _resident(self._load, self._adapter, context)
        model = held.model
        model.likelihood = self._likelihood
        adapter = None if arrays is None else Adapter(model.digest, held.slots.named(arrays))
        with held.slots.unchanged():
            return model.score(items, adapter)

    def hashes(self, context: Context) -> dict[str, str]:
        """Content hashes of base, tokenizer and engine, as a plan's ``model.expect`` names them.

        All of the base is read: a second for each few gigabytes, once a process.

        Raises:
            ModelError: As when it is called.
        """
        held = _resident(self._load, self._adapter, context)
        if self._hashed is None or self._hashed[0] is not held.loaded:
            self._hashed = held.loaded, base_hash(held.slots.model)
        return {**held.model.hashes, "base": self._hashed[1]}


def _resident(load: Load, adapter: str | None, context: Context) -> _Resident:
    """The model of this process, which is what its arrays say."""
    if not _held or _held[0].load is not load or _held[0].adapter != adapter:
        _held[:] = [_proven(load, adapter, load(context))]
    held = _held[0]
    held.slots.check()
    held.base.check()
    if not held.base.stands:
        # Proven anew, and scored by what its modules allow now.
        _held[:] = [_proven(load, adapter, held.loaded)]
    return _held[0]


def _proven(load: Load, adapter: str | None, loaded: tuple[Any, Any]) -> _Resident:
    """A loaded model with what scores it. Raises ModelError if it is not what its arrays say."""
    from unsilent.models.causal_lm import CausalLM
    from unsilent.models.peft_proof import Base, check_base, prove, tried
    from unsilent.models.peft_slots import PeftSlots

    model, tokenizer = loaded
    slots = PeftSlots(model, adapter)
    check_base(slots)
    logits = prove(slots)
    with tried(slots):
        made = CausalLM(
            slots.model.get_base_model(),
            tokenizer,
            weights=getattr(load, "__qualname__", "peft"),
            adapter=AdapterPlan(),
            # All that scoring asks of adapter layers; nothing is trained through it.
            slots=cast("LoraSlots", slots),
        )
    return _Resident(load, adapter, loaded, slots, Base(slots, logits), made)
