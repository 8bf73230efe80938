"""Token trees: every continuation of an item in one row, its shared prefix computed once.

A row holds each distinct proper prefix of its token sequences as one node. A node attends to its
ancestors only and sits at its own depth, so each sequence sees exactly what it would see alone.
Last tokens need no node: only their probability, given the parent, is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

OVERHEAD = {"cpu": 16}
LAUNCH = 1024
"""Tokens that one more batch costs as much as: reading the weights again, or launching kernels."""


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
        tokens, depths: (n,) token and position of each node, parents before children; positions
            go on from those of a shared prefix.
        ancestors: (n, n) bool; row i marks the nodes that node i may attend to, itself included.
        edge_nodes, edge_tokens: (m,) which token is asked for after which node.
        sums: (item, choice, edges) for each path: its log-probability is the sum over its edges.
        offset: Tokens of the shared prefix that is not in the row.
        normal: (m,) bool; where a log-probability is needed. Elsewhere a logit is enough.
    """

    tokens: NDArray[np.int64]
    depths: NDArray[np.int64]
    ancestors: NDArray[np.bool_]
    edge_nodes: NDArray[np.int64]
    edge_tokens: NDArray[np.int64]
    sums: tuple[tuple[int, int, NDArray[np.int64]], ...]
    offset: int
    normal: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def chains(self) -> tuple[NDArray[np.int64], ...]:
        """The nodes from the root to each leaf, one sequence for each leaf."""
        inner = (self.ancestors.sum(axis=0) > 1) if len(self) else np.zeros(0, np.bool_)
        chains = (np.flatnonzero(self.ancestors[leaf]) for leaf in np.flatnonzero(~inner))
        return tuple(chain[np.argsort(self.depths[chain])] for chain in chains)

    @cached_property
    def items(self) -> tuple[tuple[int, int], ...]:
        """The items in the row and how many choices each has, in the order of ``sums``."""
        counts: dict[int, int] = {}
        for item, _, _ in self.sums:
            counts[item] = counts.get(item, 0) + 1
        return tuple(counts.items())

    @cached_property
    def compared(self) -> Row:
        """The row with no more questions than comparing the choices of each item takes.

        What all choices of an item are asked for adds the same to each of them. Where single
        tokens after one node are left, so does the normalizer, and logits compare.
        """
        sums: list[tuple[int, int, NDArray[np.int64]]] = []
        several: set[int] = set()
        at = 0
        for _, count in self.items:
            own = self.sums[at : at + count]
            at += count
            left = _distinct([edges for _, _, edges in own])
            nodes = {int(self.edge_nodes[edge]) for edges in left for edge in edges}
            if len(nodes) > 1 or any(len(edges) != 1 for edges in left):
                several |= nodes
            sums += [(i, c, edges) for (i, c, _), edges in zip(own, left, strict=True)]
        kept = np.unique(np.concatenate([edges for _, _, edges in sums]))
        place = np.zeros(len(self.edge_nodes), np.int64)
        place[kept] = np.arange(len(kept))
        nodes_kept = self.edge_nodes[kept]
        return replace(
            self,
            edge_nodes=nodes_kept,
            edge_tokens=self.edge_tokens[kept],
            sums=tuple((i, c, place[edges]) for i, c, edges in sums),
            normal=np.isin(nodes_kept, sorted(several)),
        )

    @cached_property
    def picks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(k,) edges of all paths one after the other, and the path that each belongs to."""
        lengths = [len(edges) for _, _, edges in self.sums]
        return np.concatenate([edges for _, _, edges in self.sums]), np.repeat(
            np.arange(len(lengths)), lengths
        )


def _distinct(each: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The edges of each path without those of all of them; of equal paths the last one stays."""
    shared = set(each[0].tolist()).intersection(*(edges.tolist() for edges in each[1:]))
    if all(shared.issuperset(edges.tolist()) for edges in each):
        shared.discard(int(each[0][-1]))
    return [edges[~np.isin(edges, list(shared))] for edges in each]


def chain_row(tokens: Sequence[int]) -> Row:
    """A row of one sequence of which nothing is asked: a shared prefix."""
    n = len(tokens)
    empty = np.zeros(0, np.int64)
    return Row(
        np.array(tokens, np.int64),
        np.arange(n),
        np.tril(np.ones((n, n), np.bool_)),
        empty,
        empty,
        (),
        0,
        np.zeros(0, np.bool_),
    )


def stem(paths: Sequence[TokenPath]) -> tuple[int, ...]:
    """What all paths begin with, up to the node after which the first question is asked."""
    reach = min(path.start for path in paths) - 1
    first = paths[0].tokens
    while any(path.tokens[:reach] != first[:reach] for path in paths):
        reach -= 1
    return first[:reach]


def build_row(paths: Sequence[TokenPath], *, offset: int = 0) -> Row:
    """Merge the paths' proper prefixes into one tree, without their first ``offset`` tokens."""
    children: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    edges: dict[tuple[int, int], int] = {}
    sums: list[tuple[int, int, NDArray[np.int64]]] = []
    for path in paths:
        node = -1
        picked: list[int] = []
        for position, token in enumerate(path.tokens[offset:], start=offset):
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
    depths += offset
    pairs = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    return Row(
        np.array(tokens, np.int64),
        depths,
        ancestors,
        pairs[:, 0],
        pairs[:, 1],
        tuple(sums),
        offset,
        np.ones(len(pairs), np.bool_),
    )


def batches(lengths: Sequence[int], budget: int, *, overhead: int = 0) -> list[list[int]]:
    """Indices in batches of similar length, for the least padded tokens in all.

    Rows lie in the order of their length, and the cuts between batches are the best ones, found
    by dynamic programming.

    Args:
        lengths: Tokens of each row.
        budget: Most padded tokens of a batch; a longer row is a batch by itself.
        overhead: Tokens that one more batch costs as much as.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    least = [0] * (len(order) + 1)
    first = [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        first[end], least[end] = end - 1, least[end - 1] + longest + overhead
        for start in range(end - 2, -1, -1):
            padded = longest * (end - start)
            if padded > budget:
                break
            cost = least[start] + padded + overhead
            # Of equal ones the larger batch.
            if cost <= least[end]:
                first[end], least[end] = start, cost
    out: list[list[int]] = []
    end = len(order)
    while end:
        out.append(order[first[end] : end])
        end = first[end]
    return out[::-1]
