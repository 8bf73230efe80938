"""What the frozen layers made of a row is computed once, and is what the engine would make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from unsilent_bench.lm.kept import Kept

from unsilent.models.frozen import Frozen, Group
from unsilent.models.tree import Row, chain_row


class Counting:
    """An engine whose frozen layers give a row's tokens, with those of its prefix added up."""

    cut, budget, overhead, shares = 3, 64, 0, True
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.computed: list[int] = []

    def freeze(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen:
        hidden = [torch.empty(0)] * len(rows)
        for group in groups:
            before = 0 if group.prefix is None else int(group.prefix.tokens.sum())
            for index in group.members:
                hidden[index] = torch.from_numpy(rows[index].tokens + before)
                self.computed.append(index)
        prefixes = [None if g.prefix is None else torch.from_numpy(g.prefix.tokens) for g in groups]
        return Frozen(hidden, prefixes)

    def past(self, prefix: Any, frozen: Any) -> None:
        return None

    def edges(self, rows: Any, hidden: Any, past: Any, *, whole: bool) -> torch.Tensor:
        return torch.zeros(0)


def test_rows_are_computed_once_for_each_prefix() -> None:
    rows = [chain_row(tokens) for tokens in ((1, 2), (3,), (1, 2), (4, 5))]
    groups = [Group(chain_row((7, 8)), (0, 1)), Group(None, (2,)), Group(chain_row((9,)), (3,))]
    engine = Counting()
    kept = Kept(engine)
    for _ in range(2):
        found, true = kept.freeze(rows, groups), Counting().freeze(rows, groups)
        assert found.rows is not None and true.rows is not None
        for one, other in zip(found.tensors(), true.tensors(), strict=True):
            assert torch.equal(one, other)
        assert [p is None for p in found.prefixes] == [False, True, False]
        assert len(engine.computed) == 4
    more = kept.freeze([chain_row((3,)), chain_row((6,)), rows[2]], [Group(None, (0, 1, 2))])
    assert [t.tolist() for t in more.rows or []] == [[3], [6], [1, 2]]
    assert len(engine.computed) == 6


def test_rows_with_other_ancestors_are_other_rows() -> None:
    chain = chain_row((1, 2))
    apart = Row(**{**vars(chain), "ancestors": np.eye(2, dtype=np.bool_)})
    engine = Counting()
    kept = Kept(engine)
    kept.freeze([chain], [Group(None, (0,))])
    kept.freeze([apart], [Group(None, (0,))])
    assert len(engine.computed) == 2


def test_a_row_that_is_there_twice_is_computed_once() -> None:
    engine = Counting()
    found = Kept(engine).freeze([chain_row((1,)), chain_row((1,))], [Group(None, (0, 1))])
    assert len(engine.computed) == 1
    assert len(found.rows or []) == 2
