"""Item sets as flat arrays of tokens and questions, and selections of them for many clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unsilent.models.frozen import Frozen, Group
from unsilent.models.tree import Row

_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """One row of a sheet.

    Attributes:
        tokens: (t,) places of its tokens in the sheet, those of its prefix first.
        depths: (t,) their positions.
        nodes: (q,) the tokens after which something is asked, by their place in ``tokens``.
        questions: (q,) places of these in the sheet's questions.
        seen, counts: (q, l) and (q,): the tokens that each of them attends to, in ``tokens``.
        edge_questions, edge_tokens, normal: (e,) of each edge which question, which token, and
            whether it needs a log-probability.
        path_edges, edge_paths: (k,) edges of all paths in turn, and the path of each.
        items: (item, choices) in the order of the paths.
    """

    tokens: _Ints
    depths: _Ints
    nodes: _Ints
    questions: _Ints
    seen: _Ints
    counts: _Ints
    edge_questions: _Ints
    edge_tokens: _Ints
    normal: NDArray[np.bool_]
    path_edges: _Ints
    edge_paths: _Ints
    items: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Selection:
    """Rows of several clients, padded to (clients, most); indices as torch tensors.

    Attributes:
        tokens, depths: (clients, t).
        asked, asked_depths, questions: (clients, q) places of tokens and of questions.
        seen, sees: (clients, q, l) places in the flattened tokens, and which of them count.
        asked_slots: (n,) the questions that are no padding, in the flattened ones.
        edge_questions, edge_tokens: (e,); questions are counted among those of ``asked_slots``.
        normal, normal_of, normal_edges: Questions that need a normalizer, and for each edge of
            theirs which one, and which edge.
        path_edges, edge_paths, paths: As in ``Part``, and the number of paths.
    """

    tokens: Tensor
    depths: Tensor
    asked: Tensor
    asked_depths: Tensor
    questions: Tensor
    seen: Tensor
    sees: Tensor
    asked_slots: Tensor
    edge_questions: Tensor
    edge_tokens: Tensor
    normal: Tensor
    normal_of: Tensor
    normal_edges: Tensor
    path_edges: Tensor
    edge_paths: Tensor
    paths: int


@dataclass
class Sheet:
    """A set of rows.

    Attributes:
        parts: The rows.
        normed: (tokens, width) what the last layer's modules are given.
        keys, values: (tokens, …) what the base makes of it.
        hidden, queries: (questions, width), of the tokens after which something is asked.
        nodes: (questions,) places of these tokens.
    """

    parts: list[Part]
    normed: Tensor
    hidden: Tensor
    nodes: _Ints
    keys: Tensor
    values: Tensor
    queries: Tensor

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        groups: Sequence[Group],
        frozen: Frozen,
        normed: Callable[[Tensor], Tensor],
    ) -> Sheet:
        """Rows with what the frozen layers gave; keys, values and queries are still to be set."""
        if frozen.rows is None:
            raise ValueError("nothing lies below the adapted layer")
        parts: list[Part | None] = [None] * len(rows)
        hidden: list[Tensor] = []
        nodes: list[_Ints] = []
        length = questions = 0
        for group, prefix in zip(groups, frozen.prefixes, strict=True):
            before = np.zeros(0, np.int64)
            if group.prefix is not None and prefix is not None:
                before = length + np.arange(len(group.prefix))
                hidden.append(prefix)
                length += len(before)
            for index in group.members:
                part = _part(rows[index].compared, before, length, questions)
                parts[index] = part
                hidden.append(frozen.rows[index])
                length += len(rows[index])
                questions += len(part.nodes)
                nodes.append(part.tokens[part.nodes])
        flat = torch.cat(hidden)
        asked = np.concatenate(nodes)
        empty = torch.empty(0)
        found = [part for part in parts if part is not None]
        return cls(found, normed(flat), flat[torch.from_numpy(asked)], asked, empty, empty, empty)

    def size(self) -> int:
        """Bytes of the arrays."""
        arrays = (self.normed, self.hidden, self.keys, self.values, self.queries)
        return sum(array.nbytes for array in arrays) + 4096 * len(self.parts)

    def part(self, chosen: Sequence[Sequence[int]]) -> Selection:
        """Rows of each client, by their number."""
        lists = [[self.parts[row] for row in rows] for rows in chosen]
        clients = len(lists)
        t = max(sum(len(part.tokens) for part in parts) for parts in lists)
        q = max(sum(len(part.nodes) for part in parts) for parts in lists)
        longest = max(part.seen.shape[1] for parts in lists for part in parts)
        tokens, depths = np.zeros((2, clients, t), np.int64)
        asked, asked_depths, questions = np.zeros((3, clients, q), np.int64)
        seen = np.zeros((clients, q, longest), np.int64)
        counts = np.ones((clients, q), np.int64)
        slots, edges, edge_tokens, normal = [], [], [], []
        path_edges, edge_paths = [], []
        met = edge = path = 0
        for client, parts in enumerate(lists):
            at = to = 0
            for part in parts:
                n, m = len(part.tokens), len(part.nodes)
                tokens[client, at : at + n], depths[client, at : at + n] = part.tokens, part.depths
                asked[client, to : to + m] = part.tokens[part.nodes]
                asked_depths[client, to : to + m] = part.depths[part.nodes]
                questions[client, to : to + m] = part.questions
                seen[client, to : to + m, : part.seen.shape[1]] = part.seen + at
                counts[client, to : to + m] = part.counts
                slots.append(client * q + to + np.arange(m))
                edges.append(part.edge_questions + met)
                edge_tokens.append(part.edge_tokens)
                normal.append(part.normal)
                path_edges.append(part.path_edges + edge)
                edge_paths.append(part.edge_paths + path)
                at, to = at + n, to + m
                met, edge = met + m, edge + len(part.edge_tokens)
                path += sum(count for _, count in part.items)
        seen += (np.arange(clients) * t)[:, None, None]
        sees = np.arange(longest) < counts[..., None]
        seen[~sees] = 0
        of = np.concatenate(edges)
        needs = np.flatnonzero(np.concatenate(normal))
        whose, which = np.unique(of[needs], return_inverse=True)
        tensor = torch.from_numpy
        return Selection(
            tokens=tensor(tokens),
            depths=tensor(depths),
            asked=tensor(asked),
            asked_depths=tensor(asked_depths),
            questions=tensor(questions),
            seen=tensor(seen),
            sees=tensor(sees),
            asked_slots=tensor(np.concatenate(slots)),
            edge_questions=tensor(of),
            edge_tokens=tensor(np.concatenate(edge_tokens)),
            normal=tensor(whose),
            normal_of=tensor(which.reshape(-1)),
            normal_edges=tensor(needs),
            path_edges=tensor(np.concatenate(path_edges)),
            edge_paths=tensor(np.concatenate(edge_paths)),
            paths=path,
        )


def joined(sheets: Sequence[Sheet]) -> tuple[Sheet, list[int]]:
    """One sheet of several, and the number of each one's first row."""
    parts: list[Part] = []
    starts: list[int] = []
    tokens = questions = 0
    nodes: list[_Ints] = []
    for sheet in sheets:
        starts.append(len(parts))
        parts += [
            replace(part, tokens=part.tokens + tokens, questions=part.questions + questions)
            for part in sheet.parts
        ]
        nodes.append(sheet.nodes + tokens)
        tokens += len(sheet.normed)
        questions += len(sheet.hidden)
    whole = Sheet(
        parts,
        torch.cat([sheet.normed for sheet in sheets]),
        torch.cat([sheet.hidden for sheet in sheets]),
        np.concatenate(nodes),
        torch.cat([sheet.keys for sheet in sheets]),
        torch.cat([sheet.values for sheet in sheets]),
        torch.cat([sheet.queries for sheet in sheets]),
    )
    return whole, starts


def _part(row: Row, before: _Ints, start: int, questions: int) -> Part:
    asked, edge_questions = np.unique(row.edge_nodes, return_inverse=True)
    lead = len(before)
    lists = [np.flatnonzero(row.ancestors[node]) + lead for node in asked]
    counts = np.array([lead + len(each) for each in lists], np.int64)
    seen = np.zeros((len(asked), int(counts.max())), np.int64)
    for place, each in enumerate(lists):
        seen[place, :lead] = np.arange(lead)
        seen[place, lead : counts[place]] = each
    path_edges, edge_paths = row.picks
    return Part(
        np.concatenate([before, start + np.arange(len(row))]),
        np.concatenate([np.arange(lead), row.depths]),
        asked + lead,
        questions + np.arange(len(asked)),
        seen,
        counts,
        edge_questions.reshape(-1),
        row.edge_tokens,
        row.normal,
        path_edges,
        edge_paths,
        row.items,
    )
