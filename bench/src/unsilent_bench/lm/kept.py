"""What the frozen layers made of a row, kept over federations.

The texts of simulated clients are public and few. Another federation deals them anew, but a row of
tokens is the same row wherever it lies, and no adapter changes what lies below the first one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unsilent.models.engine import Engine
from unsilent.models.frozen import Frozen, Group, Past
from unsilent.models.tree import Row

_Key = tuple[bytes, ...]


class Kept:
    """An engine that computes the frozen layers once for each row, for as long as it lives.

    Memory grows with the different texts, about 60 kB each, not with federations.

    Args:
        engine: Does the work; everything but ``freeze`` is its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: dict[_Key, Tensor] = {}
        self._prefixes: dict[_Key, Tensor | None] = {}
        self.cut, self.budget = engine.cut, engine.budget
        self.overhead, self.shares = engine.overhead, engine.shares

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self._engine.device

    def freeze(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen:
        """As the engine's; rows and prefixes that were seen before are not computed again."""
        if not self.cut:
            return self._engine.freeze(rows, groups)
        keys: list[_Key] = [()] * len(rows)
        new: dict[_Key, Row] = {}
        asked: list[Group] = []
        for group in groups:
            before = len(new)
            for index in group.members:
                keys[index] = _key(rows[index], group.prefix)
                if keys[index] not in self._rows:
                    new.setdefault(keys[index], rows[index])
            if len(new) > before or _behind(group.prefix) not in self._prefixes:
                asked.append(Group(group.prefix, tuple(range(before, len(new)))))
        found = self._engine.freeze(list(new.values()), asked)
        self._rows.update(zip(new, found.rows or (), strict=True))
        for group, prefix in zip(asked, found.prefixes, strict=True):
            self._prefixes[_behind(group.prefix)] = prefix
        return Frozen(
            [self._rows[key] for key in keys],
            [self._prefixes[_behind(group.prefix)] for group in groups],
        )

    def past(self, prefix: Row | None, frozen: Tensor | None) -> Past | None:
        """The engine's own."""
        return self._engine.past(prefix, frozen)

    def edges(
        self,
        rows: Sequence[Row],
        hidden: Sequence[Tensor] | None,
        past: Past | None,
        *,
        whole: bool,
    ) -> Tensor:
        """The engine's own."""
        return self._engine.edges(rows, hidden, past, whole=whole)


def _key(row: Row, prefix: Row | None) -> _Key:
    """What the frozen layers' output of a row depends on."""
    return (row.tokens.tobytes(), row.ancestors.tobytes(), *_behind(prefix))


def _behind(prefix: Row | None) -> _Key:
    return () if prefix is None else (prefix.tokens.tobytes(),)
