"""A score function for client scripts that adapt a causal language model with peft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.items import ItemSet
from unsilent.models.peft_scoring import PeftScoring
from unsilent.open_text import Writing
from unsilent.plan import Likelihood

Load = Callable[[], tuple[Any, Any]]
"""The client's peft model and its tokenizer."""


class PeftScore(PeftScoring):
    """Scores items under an adapter that arrives as arrays.

    ``monitor_client(PeftScore(load_model))``, where ``load_model()`` returns a peft model and its
    tokenizer. It is the one of Flower's line, ``unsilent.flower.PeftScore``, but for that
    ``load_model`` is called with nothing.

    Args:
        load: A function of the script's; called once a process, by rank 0.
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
        self, items: ItemSet, arrays: Mapping[str, NDArray[Any]] | None
    ) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities; arrays of None are the base model.

        Raises:
            ModelError: What is scored would not be the base, or not the base with these arrays;
                or the arrays are of another adapter.
            ItemError: An item that this model cannot be asked; names it.
        """
        return self.rows(items, arrays)

    def write(
        self, items: ItemSet, arrays: Mapping[str, NDArray[Any]] | None, writing: Writing
    ) -> list[str]:
        """What the model writes after each prompt, for modes of open text. Raises ModelError."""
        return self.texts(items, arrays, writing)

    def hashes(self) -> dict[str, str]:
        """Content hashes of base, tokenizer and engine, as a plan's ``model.expect`` names them.

        Raises:
            ModelError: As when it is called.
        """
        return self.content()
