"""Packed token trees reproduce each token path, and batches keep to their budget."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unsilent.models.tree import Row, TokenPath, batches, build_row


@st.composite
def paths(draw: st.DrawFn) -> list[TokenPath]:
    """Items with some choices each; few tokens, so that much is shared."""
    out = []
    for item in range(draw(st.integers(1, 4))):
        head = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=6)))
        for choice in range(draw(st.integers(1, 4))):
            tail = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=5)))
            # The tokens of a prompt may merge with those of a choice, so the start may lie earlier.
            start = draw(st.integers(1, len(head)))
            out.append(TokenPath(item, choice, head + tail, start))
    return out


def seen_by(row: Row, node: int) -> list[int]:
    """The tokens that a node attends to, by position, itself last."""
    seen = np.flatnonzero(row.ancestors[node])
    assert sorted(row.depths[seen]) == list(range(int(row.depths[node]) + 1))
    return row.tokens[seen[np.argsort(row.depths[seen])]].tolist()


@given(paths())
def test_every_scored_token_is_asked_for_after_exactly_its_own_prefix(
    given: list[TokenPath],
) -> None:
    row = build_row(given)
    assert [(item, choice) for item, choice, _ in row.sums] == [(p.item, p.choice) for p in given]
    for path, (_, _, picked) in zip(given, row.sums, strict=True):
        assert len(picked) == len(path.tokens) - path.start
        for position, edge in enumerate(picked, start=path.start):
            assert row.edge_tokens[edge] == path.tokens[position]
            assert seen_by(row, int(row.edge_nodes[edge])) == list(path.tokens[:position])


@given(paths())
def test_each_distinct_proper_prefix_is_one_node_and_each_question_one_edge(
    given: list[TokenPath],
) -> None:
    row = build_row(given)
    prefixes = {p.tokens[:n] for p in given for n in range(1, len(p.tokens))}
    assert {tuple(seen_by(row, node)) for node in range(len(row))} == prefixes
    assert len(row) == len(prefixes)
    questions = {p.tokens[: n + 1] for p in given for n in range(p.start, len(p.tokens))}
    assert len(row.edge_nodes) == len(questions)


@given(paths())
def test_parents_come_before_children(given: list[TokenPath]) -> None:
    row = build_row(given)
    assert not np.triu(row.ancestors, 1).any()
    assert row.ancestors.diagonal().all()


@given(paths(), st.integers(0, 2**32 - 1))
def test_fewer_questions_compare_the_choices_of_an_item_as_all_of_them_do(
    given: list[TokenPath], seed: int
) -> None:
    """By any log-probabilities, of which logits are left where normalizers cancel."""
    row = build_row(given)
    less = row.compared
    random = np.random.default_rng(seed)
    logits = random.normal(size=len(row.edge_nodes))
    normalizers = random.normal(size=len(row))
    known = {
        (int(node), int(token)): (logit, normalizers[node])
        for node, token, logit in zip(row.edge_nodes, row.edge_tokens, logits, strict=True)
    }

    def summed(of: Row) -> dict[int, list[float]]:
        each: dict[int, list[float]] = {}
        for item, _, edges in of.sums:
            asked = [
                known[int(of.edge_nodes[e]), int(of.edge_tokens[e])] + (bool(of.normal[e]),)
                for e in edges
            ]
            total = sum(logit - (norm if whole else 0.0) for logit, norm, whole in asked)
            each.setdefault(item, []).append(total)
        return each

    assert row.normal.all()
    assert len(less.edge_nodes) <= len(row.edge_nodes)
    assert [(item, choice) for item, choice, _ in less.sums] == [(p.item, p.choice) for p in given]
    for item, whole in summed(row).items():
        np.testing.assert_allclose(np.diff(whole), np.diff(summed(less)[item]), atol=1e-9)


def test_what_all_choices_are_asked_for_is_left_out() -> None:
    """The first token of both, and then the normalizer of the one node that is left."""
    row = build_row([TokenPath(0, 0, (9, 5, 1), 1), TokenPath(0, 1, (9, 5, 2), 1)])
    assert row.edge_tokens.tolist() == [5, 1, 2]
    assert row.compared.edge_tokens.tolist() == [1, 2]
    assert not row.compared.normal.any()
    longer = build_row([TokenPath(0, 0, (9, 5, 1), 1), TokenPath(0, 1, (9, 5), 1)]).compared
    assert (longer.edge_tokens.tolist(), longer.normal.tolist()) == ([1], [True])
    same = build_row([TokenPath(0, 0, (9, 5), 1), TokenPath(0, 1, (9, 5), 1)]).compared
    assert same.edge_tokens.tolist() == [5]


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 100), st.integers(0, 30))
def test_batches_hold_every_index_once_and_keep_to_the_budget(
    lengths: list[int], budget: int, overhead: int
) -> None:
    found = batches(lengths, budget, overhead=overhead)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert padded <= budget or len(batch) == 1
    # Similar lengths are together: no batch holds a row shorter than an earlier batch's longest.
    sizes = [lengths[index] for batch in found for index in batch]
    assert sizes == sorted(sizes)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=7), st.integers(1, 30), st.integers(0, 12))
def test_no_other_cuts_cost_less(lengths: list[int], budget: int, overhead: int) -> None:
    """Against all ways to cut the sorted rows."""
    rows = sorted(lengths)

    def cost(parts: list[list[int]]) -> float:
        if any(len(part) > 1 and len(part) * max(part) > budget for part in parts):
            return np.inf
        return sum(len(part) * max(part) + overhead for part in parts)

    ways = []
    for cuts in product([False, True], repeat=len(rows) - 1):
        ends = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(rows)]
        ways.append([rows[a:b] for a, b in pairwise(ends)])
    found = [[lengths[i] for i in batch] for batch in batches(lengths, budget, overhead=overhead)]
    assert cost(found) == min(map(cost, ways))


def test_one_long_row_does_not_make_the_others_long() -> None:
    assert batches([10, 10, 100, 10], 1000, overhead=5) == [[0, 1, 3], [2]]
    assert batches([10, 11, 12], 1000, overhead=5) == [[0, 1, 2]]
