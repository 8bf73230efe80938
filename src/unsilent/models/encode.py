"""Items as token sequences, one for each choice, as lm-evaluation-harness encodes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unsilent.errors import ItemError
from unsilent.items import Item
from unsilent.models.tree import TokenPath

_UNSET = 10**29
"""A tokenizer that knows no length says something larger."""
_WINDOW = 2048
_PROBES = ("a", "the", "1")


@dataclass(frozen=True)
class Limits:
    """What a model can be asked.

    Attributes:
        rows: Tokens that it has embeddings and logits for.
        window: Most tokens that it sees at once.
    """

    rows: int
    window: int


def window_of(config: Any, tokenizer: Any) -> int:
    """Most tokens at once, where the harness looks for it: config, tokenizer, 2,048 by default."""
    inner = config.get_text_config()
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        found = getattr(inner, name, None)
        if isinstance(found, int) and found > 0:
            return found
    told = getattr(tokenizer, "model_max_length", None)
    return int(told) if told is not None and told < _UNSET else _WINDOW


def token_paths(
    tokenizer: Any, items: Sequence[Item], limits: Limits | None = None
) -> list[list[TokenPath]]:
    """Token sequences of each item's choices, split as lm-evaluation-harness splits them.

    A prompt is encoded alone and with each choice: the choice is what follows after as many tokens
    as the prompt has, even where a token of one melts into the other, and a choice that melts
    whole is its last token. Blanks at the end of a prompt belong to the choice.
    What a tokenizer sets before a text stays, what it sets after one is left out: it is no part
    of the choice. Prompts of a chat stand in the model's template, and their choices are encoded
    alone. Sequences beyond the model's window lose their beginning.

    Raises:
        ItemError: A choice makes no token or does not fit, a token has no embedding, or nothing
            stands before the first token; names the item.
    """
    texts: list[str] = []
    for item in items:
        if item.chat:
            texts += [as_chat(tokenizer, item.prompt), *item.choices]
        else:
            prompt = item.prompt.rstrip()
            texts += [prompt, *(item.prompt + choice for choice in item.choices)]
    encoded = iter(tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else ())
    before = leading(tokenizer)
    out = []
    for index, item in enumerate(items):
        head = list(next(encoded))
        wholes = [list(next(encoded)) for _ in item.choices]
        if item.chat:
            wholes = [head + whole for whole in wholes]
        if any(whole == head for whole in wholes):
            raise _wrong(
                item, "a choice makes no token of this model", "Write its choices in other words."
            )
        if not item.chat and not _opened(tokenizer, item):
            head, wholes = before + head, [before + whole for whole in wholes]
        if not head or min(map(len, wholes)) < 2:
            first = _first(tokenizer, item)
            # A choice that itself begins with that token is asked for the rest, as there.
            wholes = [
                whole if not head and whole[0] == first and len(whole) > 1 else [first, *whole]
                for whole in wholes
            ]
            head = [first, *head]
        out.append(
            [
                _path(item, index, choice, *_split(head, whole), limits)
                for choice, whole in enumerate(wholes)
            ]
        )
    return out


def leading(tokenizer: Any) -> list[int]:
    """The tokens that a tokenizer sets before every text: found by what it does."""
    for text in _PROBES:
        whole = list(tokenizer([text])["input_ids"][0])
        bare = list(tokenizer([text], add_special_tokens=False)["input_ids"][0])
        for place in range(len(whole) - len(bare) + 1):
            if bare and whole[place : place + len(bare)] == bare:
                return whole[:place]
    return []


def as_chat(tokenizer: Any, request: str) -> str:
    """A user's turn and the start of the answer, in the model's template, or a plain one."""
    if tokenizer.chat_template is None:
        begin = tokenizer.decode(leading(tokenizer))
        return f"{begin}User: {request}\nAssistant:\n"
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": request}], add_generation_prompt=True, tokenize=False
    )


def _opened(tokenizer: Any, item: Item) -> bool:
    """Whether the text itself begins as the tokenizer would begin it."""
    begin = getattr(tokenizer, "bos_token", None) or getattr(tokenizer, "eos_token", None)
    return bool(begin) and item.prompt.startswith(begin)


def _first(tokenizer: Any, item: Item) -> int:
    """What a text's first token is predicted from."""
    first = tokenizer.bos_token_id
    first = tokenizer.eos_token_id if first is None else first
    if first is None:
        raise _wrong(
            item,
            "nothing stands before its first token, and the model's tokenizer has no token to "
            "begin or to end a text",
            "Give it a prompt.",
        )
    return int(first)


def _split(head: list[int], whole: list[int]) -> tuple[list[int], int]:
    """The tokens of prompt and choice, and how many are the prompt's."""
    if len(whole) > len(head):
        return head + whole[len(head) :], len(head)
    return whole, len(whole) - 1


def _path(
    item: Item, index: int, choice: int, tokens: list[int], start: int, limits: Limits | None
) -> TokenPath:
    if limits is not None:
        if not 0 <= min(tokens) <= max(tokens) < limits.rows:
            raise _wrong(
                item,
                "a token of it has no embedding in the model",
                "Resize the model to its tokenizer (resize_token_embeddings) and save it again.",
            )
        if len(tokens) - start > limits.window:
            raise _wrong(
                item,
                f"a choice is longer than the {limits.window} tokens that the model sees",
                "Shorten its choices.",
            )
        # The last token is asked for and not seen.
        cut = max(len(tokens) - limits.window - 1, 0)
        tokens, start = tokens[cut:], start - cut
    return TokenPath(index, choice, tuple(tokens), start)


def _wrong(item: Item, what: str, remedy: str) -> ItemError:
    return ItemError(what, where=f"item {item.id}", remedy=remedy)
