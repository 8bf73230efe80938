"""Token trees: every continuation of an item in one row, its shared prefix computed once.

A row holds each distinct proper prefix of its token sequences as one node. A node attends to its
ancestors only and sits at its own depth, so each sequence sees exactly what it would see alone.
Last tokens need no node: only their probability, given the parent, is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenPath:
    """One token sequence, of which the tokens from ``start`` on are scored (start >= 1)."""

    item: int
    choice: int
    tokens: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class Row:
    """One packed row.

    Attributes:
        tokens, depths: (n,) token and position of each node, parents before children.
        ancestors: (n, n) bool; row i marks the nodes that node i may attend to, itself included.
        edge_nodes, edge_tokens: (m,) which token is asked for after which node.
        sums: (item, choice, edges) for each path: its log-probability is the sum over its edges.
        one_step: Whether all choices of each item are single tokens after one node, so that
            logits compare as log-probabilities do.
    """

    tokens: NDArray[np.int64]
    depths: NDArray[np.int64]
    ancestors: NDArray[np.bool_]
    edge_nodes: NDArray[np.int64]
    edge_tokens: NDArray[np.int64]
    sums: tuple[tuple[int, int, NDArray[np.int64]], ...]
    one_step: bool

    def __len__(self) -> int:
        return len(self.tokens)


def build_row(paths: Sequence[TokenPath]) -> Row:
    """Merge the paths' proper prefixes into one tree."""
    children: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    edges: dict[tuple[int, int], int] = {}
    sums: list[tuple[int, int, NDArray[np.int64]]] = []
    for path in paths:
        node = -1
        picked: list[int] = []
        for position, token in enumerate(path.tokens):
            if position >= path.start:
                picked.append(edges.setdefault((node, token), len(edges)))
            if position == len(path.tokens) - 1:
                break
            if (node, token) not in children:
                children[(node, token)] = len(tokens)
                tokens.append(token)
                parents.append(node)
            node = children[(node, token)]
        sums.append((path.item, path.choice, np.array(picked, dtype=np.int64)))
    ancestors = np.eye(len(tokens), dtype=np.bool_)
    depths = np.zeros(len(tokens), dtype=np.int64)
    for index, parent in enumerate(parents):
        if parent >= 0:
            ancestors[index] |= ancestors[parent]
            depths[index] = depths[parent] + 1
    pairs = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    nodes: dict[int, set[int]] = {}
    for item, _, asked in sums:
        nodes.setdefault(item, set()).update(pairs[asked, 0].tolist())
    one_step = all(len(asked) == 1 for _, _, asked in sums) and all(
        len(seen) == 1 for seen in nodes.values()
    )
    return Row(
        np.array(tokens, np.int64),
        depths,
        ancestors,
        pairs[:, 0],
        pairs[:, 1],
        tuple(sums),
        one_step,
    )


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches of similar length whose padded size stays within ``budget`` tokens."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    out: list[list[int]] = []
    current: list[int] = []
    for index in order:
        if current and lengths[index] * (len(current) + 1) > budget:
            out.append(current)
            current = []
        current.append(index)
    if current:
        out.append(current)
    return out
