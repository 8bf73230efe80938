"""Scoring a user's peft model under arrays, for the score function of any engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models.base import Adapter
from unsilent.models.hashes import base_hash
from unsilent.models.peft_slots import WHERE
from unsilent.open_text.writing import Writing
from unsilent.plan import AdapterPlan, Likelihood

if TYPE_CHECKING:
    from unsilent.models.causal_lm import CausalLM
    from unsilent.models.lora import LoraSlots
    from unsilent.models.peft_proof import Base
    from unsilent.models.peft_slots import PeftSlots

Load = Callable[..., tuple[Any, Any]]
"""The client's peft model and its tokenizer."""


class Resident(NamedTuple):
    """A loaded model, and what it was loaded by."""

    load: Load
    adapter: str | None
    loaded: tuple[Any, Any]
    slots: PeftSlots
    base: Base
    model: CausalLM


held: list[Resident] = []
"""The one model of this process: base models are large."""


class PeftScoring:
    """What an engine's ``PeftScore`` is, but for what its engine hands to the app's functions.

    Args:
        load: A top-level function of the app's; called once a process.
        adapter: The name of the adapter that arrays are of, where the model has several.
        likelihood: By what choices are compared, as ``model.likelihood`` of a plan.
    """

    def __init__(
        self, load: Load, *, adapter: str | None = None, likelihood: Likelihood = "sum"
    ) -> None:
        self._load = load
        self._adapter = adapter
        self._hashed: tuple[object, str] | None = None
        self._likelihood: Likelihood = likelihood

    def rows(
        self, items: ItemSet, arrays: Mapping[str, Any] | None, *given: Any
    ) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities; arrays of None are the base model.

        Args:
            items: What is asked.
            arrays: By the adapter's names; each a NumPy array, or with one behind ``numpy()``.
            given: What ``load`` is called with.

        Raises:
            ModelError: What is scored would not be the base, or not the base with these arrays;
                or the arrays are of another adapter.
            ItemError: An item that this model cannot be asked; names it.
        """
        found = self._resident(given)
        model = found.model
        model.likelihood = self._likelihood
        adapter = None if arrays is None else Adapter(model.digest, found.slots.named(arrays))
        with found.slots.unchanged():
            return model.score(items, adapter)

    def texts(
        self, items: ItemSet, arrays: Mapping[str, Any] | None, writing: Writing, *given: Any
    ) -> list[str]:
        """What the model writes after each prompt; arguments and errors otherwise as ``rows``."""
        from unsilent.models.answers import Decoding

        found = self._resident(given)
        model = found.model
        adapter = None if arrays is None else Adapter(model.digest, found.slots.named(arrays))
        how = Decoding(writing.tokens, writing.temperature, writing.seed, writing.system)
        with found.slots.unchanged():
            return model.write(items, adapter, how)

    def content(self, *given: Any) -> dict[str, str]:
        """Content hashes of base, tokenizer and engine, as a plan's ``model.expect`` names them.

        All of the base is read: a second for each few gigabytes, once a process.

        Raises:
            ModelError: As ``rows``.
        """
        found = self._resident(given)
        if self._hashed is None or self._hashed[0] is not found.loaded:
            self._hashed = found.loaded, base_hash(found.slots.model)
        return {**found.model.hashes, "base": self._hashed[1]}

    def _resident(self, given: tuple[Any, ...]) -> Resident:
        """The model of this process, which is what its arrays say."""
        load, adapter = self._load, self._adapter
        if not held or held[0].load is not load or held[0].adapter != adapter:
            held[:] = [proven(load, adapter, load(*given))]
        found = held[0]
        found.slots.check()
        found.base.check()
        if not found.base.stands:
            # Proven anew, and scored by what its modules allow now.
            held[:] = [proven(load, adapter, found.loaded)]
        return held[0]


def proven(load: Load, adapter: str | None, loaded: tuple[Any, Any]) -> Resident:
    """A loaded model with what scores it. Raises ModelError if it is not what its arrays say."""
    from unsilent.models.causal_lm import CausalLM
    from unsilent.models.peft_proof import Base, check_base, prove, tried
    from unsilent.models.peft_slots import PeftSlots

    model, tokenizer = _both(loaded)
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
    return Resident(load, adapter, loaded, slots, Base(slots, logits), made)


def _both(loaded: Any) -> tuple[Any, Any]:
    """The model and the tokenizer. Raises ModelError if it is something else."""
    if not (isinstance(loaded, tuple | list) and len(loaded) == 2):
        raise ModelError(
            "load_model did not return a model and its tokenizer",
            where=WHERE,
            remedy="Let it end with `return model, tokenizer`.",
        )
    if not (callable(loaded[1]) and hasattr(loaded[1], "bos_token_id")):
        raise ModelError(
            "what load_model returned beside the model is no tokenizer",
            where=WHERE,
            remedy="Return what AutoTokenizer.from_pretrained gives; of a processor its tokenizer.",
        )
    return loaded[0], loaded[1]
