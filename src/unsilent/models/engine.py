"""What computes the scores of packed rows: the shared trunk, or the plain path behind it.

Both answer the same questions with the same numbers. The trunk shares prefixes and frozen layers,
for which the model's attention has to take a mask of our own; whether it does is tried once on a
few tokens against the model's own forward pass. A model that does not gets the plain path.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from unsilent.models.causality import NO_NUMBERS, cannot_be_scored, check_causal
from unsilent.models.frozen import Frozen, Group, Hidden, Past
from unsilent.models.plain import Plain
from unsilent.models.prefixes import Shared, shared_prefixes
from unsilent.models.tree import Row, TokenPath, build_row, chain_row, stem
from unsilent.models.trunk import Trunk

_LOG = logging.getLogger("unsilent")

_BUDGET = {"cpu": 384}
_WIDE = 8192
"""A processor's cache, or an accelerator's width, in tokens."""

# A branch that sees its siblings is off by nats; rounding is not.
_AGREE = {torch.float32: 2e-3, torch.float64: 2e-3}
_AGREE_HALF = 0.5
_SEED = 5


class Engine(Protocol):
    """Scores rows under the weights as they are now."""

    cut: int
    budget: int
    overhead: int
    """Tokens that one more batch costs as much as."""
    shares: bool
    """Whether rows may leave a shared prefix out."""

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        ...

    def freeze(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen:
        """What the layers below the first adapter give, which no adapter changes."""
        ...

    def past(self, prefix: Row | None, frozen: Tensor | None) -> Past | None:
        """What rows attend to of their prefix, under the weights as they are now."""
        ...

    def edges(
        self, rows: Sequence[Row], hidden: Hidden | None, past: Past | None, *, whole: bool
    ) -> Tensor:
        """(n_edges,) float32 score of all rows' edges in turn; differentiable.

        With ``whole`` log-probabilities; else only where ``Row.normal`` says so, and scores that
        compare after one node elsewhere.
        """
        ...


def pack(groups: Sequence[Sequence[TokenPath]], *, share: bool) -> tuple[list[Row], list[Group]]:
    """Rows of the paths of items that belong together, and the prefixes that rows share."""
    found = (
        shared_prefixes([stem(paths) for paths in groups])
        if share
        else [Shared((), tuple(range(len(groups))))]
    )
    rows: dict[int, Row] = {}
    packed = []
    for part in found:
        for index in part.members:
            rows[index] = build_row(groups[index], offset=len(part.prefix))
        packed.append(Group(chain_row(part.prefix) if part.prefix else None, part.members))
    return [rows[index] for index in range(len(groups))], packed


def choose_engine(model: Any, cut: int, budget: int | None) -> Engine:
    """The trunk if it reproduces the model's own numbers, else the plain path, and says so.

    Args:
        model: A causal language model of transformers.
        cut: Index of the first adapted layer.
        budget: Padded tokens in one batch; by default what suits the device.

    Raises:
        ModelError: The model gives no numbers at all for a few tokens, or none that a causal
            language model gives.
    """
    budget = budget or _BUDGET.get(next(model.parameters()).device.type, _WIDE)
    plain = Plain(model, cut, budget)
    kind = str(model.config.model_type)
    check_causal(model, kind=kind)
    try:
        trunk = Trunk(model, cut, budget)
        reason = _difference(trunk, plain, kind)
        if not reason:
            return trunk
    except AttributeError:
        reason = "its layers are in no part of their own"
    except TypeError as error:
        reason = str(error)
    _LOG.warning(
        "scoring %s models the plain way, one sequence for each choice: %s; "
        "slower, with the same numbers",
        kind,
        reason,
    )
    return plain


def _difference(trunk: Trunk, plain: Plain, kind: str) -> str:
    """Why the trunk's numbers are not the model's own; empty if they are."""
    random = np.random.default_rng(_SEED)
    vocabulary = int(plain.model.get_input_embeddings().weight.shape[0])
    head, one, two, three = (tuple(random.integers(vocabulary, size=n)) for n in (6, 5, 4, 7))
    items = [
        [TokenPath(0, 0, head + one, 7), TokenPath(0, 1, head + one[:1] + two, 7)],
        [TokenPath(1, 0, head + three, 8), TokenPath(1, 1, head + three[:2] + two, 8)],
    ]
    with torch.inference_mode():
        rows, _ = pack(items, share=False)
        try:
            expected = plain.edges(rows, None, None, whole=True)
        except NO_NUMBERS as error:
            raise cannot_be_scored(kind, error) from None
        shared = [build_row(paths, offset=4) for paths in items]
        group = Group(chain_row(head[:4]), (0, 1))
        try:
            frozen = trunk.freeze(shared, [group])
            past = trunk.past(group.prefix, frozen.prefixes[0])
            found = trunk.edges(shared, frozen.rows, past, whole=True)
        except NO_NUMBERS as error:
            return f"its layers do not run apart ({type(error).__name__})"
    most = float((found - expected).abs().max()) if len(found) == len(expected) else np.inf
    if not most <= _AGREE.get(trunk.dtype, _AGREE_HALF):
        return "its attention does not take a mask of our own"
    return ""
