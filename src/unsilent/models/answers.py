"""What a causal language model really answers: the behaviour that a measure stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from unsilent.models.texts import Texts

_BATCH = 32


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: the likeliest at temperature 0, else drawn by a seed."""

    tokens: int
    temperature: float = 0.0
    seed: int = 0
    system: str = ""


def greedy_answers(model: Any, tokenizer: Any, requests: Sequence[str], tokens: int) -> list[str]:
    """The first ``tokens`` tokens of the model's answer to each request, by greedy decoding.

    Without blanks at the ends; empty where the model ends its turn at once. The weights are used
    as they are: merge an adapter first.
    """
    return answers(model, tokenizer, requests, Decoding(tokens))


def answers(
    model: Any,
    tokenizer: Any,
    requests: Sequence[str],
    decoding: Decoding,
    turns: Sequence[bool] | None = None,
) -> list[str]:
    """The beginning of the model's answer to each request; as ``greedy_answers``.

    Args:
        model: From transformers, its weights as they are to be used.
        tokenizer: The model's.
        requests: Users' turns, or beginnings that are gone on with.
        decoding: How many tokens, and how they are chosen.
        turns: Which of the requests are users' turns; all by default.
    """
    texts = Texts(tokenizer)
    turned = [True] * len(requests) if turns is None else list(turns)
    written = [
        texts.chat(request, decoding.system) if turn else request
        for request, turn in zip(requests, turned, strict=True)
    ]
    # A draw leaves the generator that others use as it was.
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode():
        torch.manual_seed(decoding.seed)
        return _generated(model, tokenizer, texts.whole(written), decoding)


def _generated(
    model: Any, tokenizer: Any, encoded: Sequence[Sequence[int]], decoding: Decoding
) -> list[str]:
    # Masked, so that it is only a place to fill where a tokenizer ends no text.
    filling = tokenizer.eos_token_id or 0
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    found = [""] * len(encoded)
    chosen: dict[str, Any] = {"do_sample": False}
    if decoding.temperature > 0:
        chosen = {"do_sample": True, "temperature": decoding.temperature, "top_k": 0, "top_p": 1.0}
    for start in range(0, len(order), _BATCH):
        picked = order[start : start + _BATCH]
        longest = max(len(encoded[index]) for index in picked)
        ids = torch.full((len(picked), longest), filling)
        mask = torch.zeros((len(picked), longest), dtype=torch.long)
        for slot, index in enumerate(picked):
            ids[slot, longest - len(encoded[index]) :] = torch.tensor(list(encoded[index]))
            mask[slot, longest - len(encoded[index]) :] = 1
        written = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=decoding.tokens,
            pad_token_id=filling,
            **chosen,
        )
        for slot, index in enumerate(picked):
            text = tokenizer.decode(written[slot, longest:], skip_special_tokens=True)
            found[index] = text.strip()
    return found
