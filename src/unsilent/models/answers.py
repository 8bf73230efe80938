"""What a causal language model really answers: the behaviour that a measure stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from unsilent.models.texts import Texts

_BATCH = 32


@torch.inference_mode()
def greedy_answers(model: Any, tokenizer: Any, requests: Sequence[str], tokens: int) -> list[str]:
    """The first ``tokens`` tokens of the model's answer to each request, by greedy decoding.

    Without blanks at the ends; empty where the model ends its turn at once. The weights are used
    as they are: merge an adapter first.
    """
    texts = Texts(tokenizer)
    encoded = texts.whole([texts.chat(request) for request in requests])
    # Masked, so that it is only a place to fill where a tokenizer ends no text.
    filling = tokenizer.eos_token_id or 0
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    answers = [""] * len(encoded)
    for start in range(0, len(order), _BATCH):
        picked = order[start : start + _BATCH]
        longest = max(len(encoded[index]) for index in picked)
        ids = torch.full((len(picked), longest), filling)
        mask = torch.zeros((len(picked), longest), dtype=torch.long)
        for slot, index in enumerate(picked):
            ids[slot, longest - len(encoded[index]) :] = torch.tensor(encoded[index])
            mask[slot, longest - len(encoded[index]) :] = 1
        written = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=filling,
        )
        for slot, index in enumerate(picked):
            text = tokenizer.decode(written[slot, longest:], skip_special_tokens=True)
            answers[index] = text.strip()
    return answers
