"""Seeded edge texts through tokenizers of all kinds: the harness's rows and log-likelihoods."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.models.causal_lm import CausalLM
from unsilent.models.encode import Limits, token_paths
from unsilent.plan import AdapterPlan

FOLDER = Path(__file__).parents[2] / "benchmarks"
KINDS = ("bytes", "bytes-prefix", "pieces", "pieces-first", "unigram", "words")


@pytest.fixture(scope="module")
def edges() -> Iterator[ModuleType]:
    """The long form of these tests, which holds the tokenizers."""
    spec = importlib.util.spec_from_file_location("text_edges", FOLDER / "text_edges.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(FOLDER))
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(FOLDER))


def asked_of(edges: ModuleType, count: int, seed: int) -> list[Item]:
    plain = edges.edge_items(count, seed, chat=False)
    chats = edges.edge_items(count, seed + 1, chat=True)
    return plain + [Item(f"c{i.id}", i.prompt, i.choices, chat=True) for i in chats]


def harness(tokenizer: Any, item: Item, window: int) -> list[tuple[list[int], int]] | None:
    """(tokens, scored ones at their end) of each choice; None where the harness has an error.

    As ``TemplateLM.loglikelihood`` and ``HFLM`` of lm-evaluation-harness 0.4.13 have it, written
    for a tokenizer that sets nothing after a text.
    """
    begin = tokenizer.decode(tokenizer.bos_token_id)

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=not text.startswith(begin)))

    prompt = item.prompt
    if item.chat:
        turns = [{"role": "user", "content": prompt}]
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    found = []
    for choice in item.choices:
        if prompt == "":
            rest = list(tokenizer.encode(choice, add_special_tokens=False))
            head = [tokenizer.bos_token_id]
            rest = rest[1:] if rest and rest[0] == head[0] else rest
        else:
            head = encode(prompt.rstrip())
            rest = encode(prompt + choice)[len(head) :]
        if not head or not 0 < len(rest) <= window:
            return None
        found.append(((head + rest)[-(window + 1) :], len(rest)))
    return found


@pytest.mark.parametrize("ends", ["none", "bos", "eos", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_the_harness_s_or_the_item_is_refused(
    kind: str, ends: str, edges: ModuleType
) -> None:
    """What sets something after a text is held against the same without that."""
    ended = {"eos": "none", "both": "bos"}.get(ends, ends)
    templates = ("plain", "bos", "tight")
    seen = 0
    for number, template in enumerate(templates):
        tokenizer = edges.tokenizer_of(kind, ends, template)
        other = edges.tokenizer_of(kind, ended, template)
        for item in asked_of(edges, 12, number):
            expected = harness(other, item, edges.WINDOW)
            try:
                (paths,) = token_paths(tokenizer, [item], Limits(len(tokenizer), edges.WINDOW))
            except ItemError as error:
                assert error.where == f"item {item.id}"
                continue
            if expected is None:
                # Blanks alone are an empty prompt, which is all that is scored by a rule of ours.
                assert not item.prompt.strip() and not item.chat
                continue
            assert [(list(p.tokens), len(p.tokens) - p.start) for p in paths] == expected
            seen += 1
    assert seen > 40


@pytest.mark.parametrize("family", ["gpt2", "llama", "mistral"])
def test_scores_are_those_of_one_plain_pass_for_each_choice(family: str, edges: ModuleType) -> None:
    """Beyond the positions of GPT-2, the window of Llama, and the sliding one of Mistral."""
    tokenizer = edges.tokenizer_of("pieces", "both", "bos")
    model = edges.small_model(len(tokenizer), family)
    plan = AdapterPlan(rank=2, targets=(edges.MODELS[family],), layers=(1, 1))
    lm = CausalLM(model, tokenizer, weights="small", adapter=plan)
    other = edges.tokenizer_of("pieces", "bos", "bos")
    items = [item for item in asked_of(edges, 16, 5) if harness(other, item, edges.WINDOW)]
    table = lm.log_likelihoods(ItemSet("edges", tuple(items)), None)
    longest = 0
    for row, item in zip(table, items, strict=True):
        for column, (tokens, scored) in enumerate(harness(other, item, edges.WINDOW) or []):
            with torch.no_grad(), lm.merged(None):
                logs = model(input_ids=torch.tensor([tokens[:-1]])).logits[0].log_softmax(-1)
            asked = range(len(tokens) - scored, len(tokens))
            expected = sum(float(logs[at - 1, tokens[at]]) for at in asked)
            assert row[column] == pytest.approx(expected, abs=1e-4)
            longest = max(longest, len(tokens))
    assert longest == edges.WINDOW + 1 > edges.SLIDING
    assert np.isfinite(table[:, :2]).all()


def test_the_harness_itself_says_the_same(edges: ModuleType) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    for number, (kind, ends, template) in enumerate(list(edges.cases())[::13]):
        name = list(edges.MODELS)[number % len(edges.MODELS)]
        row = edges.compared(kind, ends, template, name, asked_of(edges, 8, number))
        assert row["wrong"] == 0
        assert row["same"] > 8
