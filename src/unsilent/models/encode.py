"""Items as token sequences, one for each choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unsilent.items import Item
from unsilent.models.tree import TokenPath


def token_paths(tokenizer: Any, items: Sequence[Item]) -> list[list[TokenPath]]:
    """Token sequences of each item's choices, split as lm-evaluation-harness splits them.

    A prompt is encoded alone and with each choice: the choice begins where the prompt ends, even
    if a token of one melts into the other. Prompts of a chat stand in the model's template.
    """
    texts: list[str] = []
    bare: list[str] = []
    for item in items:
        if item.chat:
            bare += [as_chat(tokenizer, item.prompt), *item.choices]
        else:
            texts += [item.prompt, *(item.prompt + choice for choice in item.choices)]
    encoded = iter(tokenizer(texts)["input_ids"] if texts else ())
    plain = iter(tokenizer(bare, add_special_tokens=False)["input_ids"] if bare else ())
    out = []
    for index, item in enumerate(items):
        source = plain if item.chat else encoded
        head = list(next(source))
        wholes = [list(next(source)) for _ in item.choices]
        if item.chat:
            wholes = [head + whole for whole in wholes]
        if not head or min(map(len, wholes)) < 2:
            # A first token is predicted from something too.
            first = tokenizer.bos_token_id
            first = tokenizer.eos_token_id if first is None else first
            head = [first, *head]
            wholes = [[first, *whole] for whole in wholes]
        out.append(
            [
                TokenPath(index, choice, tuple(whole), min(len(head), len(whole) - 1))
                for choice, whole in enumerate(wholes)
            ]
        )
    return out


def as_chat(tokenizer: Any, request: str) -> str:
    """A user's turn and the start of the answer, in the model's template, or a plain one."""
    if tokenizer.chat_template is None:
        begin = tokenizer.bos_token if getattr(tokenizer, "add_bos_token", False) else ""
        return f"{begin or ''}User: {request}\nAssistant:\n"
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": request}], add_generation_prompt=True, tokenize=False
    )
