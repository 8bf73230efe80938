"""A score function for apps that adapt a causal language model of transformers with peft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context
from numpy.typing import NDArray

from unsilent.items import ItemSet
from unsilent.models.peft_scoring import PeftScoring
from unsilent.open_text import Writing
from unsilent.plan import Likelihood

Load = Callable[[Context], tuple[Any, Any]]
"""The client's peft model and its tokenizer. A top-level function: workers keep what it loaded."""


class PeftScore(PeftScoring):
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
        super().__init__(load, adapter=adapter, likelihood=likelihood)

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
        return self.rows(items, arrays, context)

    def write(
        self, items: ItemSet, arrays: ArrayRecord | None, writing: Writing, context: Context
    ) -> list[str]:
        """What the model writes after each prompt, for modes of open text. Raises ModelError."""
        return self.texts(items, arrays, writing, context)

    def hashes(self, context: Context) -> dict[str, str]:
        """Content hashes of base, tokenizer and engine, as a plan's ``model.expect`` names them.

        All of the base is read: a second for each few gigabytes, once a process.

        Raises:
            ModelError: As when it is called.
        """
        return self.content(context)
