"""Items as token sequences, one for each choice, as lm-evaluation-harness encodes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from unsilent.errors import ItemError, ModelError
from unsilent.items import Item
from unsilent.models.memory import out_of_memory
from unsilent.models.texts import Texts
from unsilent.models.tree import Row, TokenPath

_UNSET = 10**29
"""A tokenizer that knows no length says something larger."""
_WINDOW = 2048
_OTHER_WORDS = "Write its choices in other words."


@dataclass(frozen=True)
class Limits:
    """What a model can be asked.

    Attributes:
        rows: Tokens that it has embeddings and logits for.
        window: Most tokens that it sees at once.
        steady: Most tokens for which it computes positions as for fewer; None if always.
    """

    rows: int
    window: int
    steady: int | None = None


def window_of(config: Any, tokenizer: Any) -> int:
    """Most tokens at once, where the harness looks for it: config, tokenizer, 2,048 by default."""
    inner = config.get_text_config()
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        found = getattr(inner, name, None)
        if isinstance(found, int) and found > 0:
            return found
    told = getattr(tokenizer, "model_max_length", None)
    return int(told) if told is not None and told < _UNSET else _WINDOW


class _Asked(NamedTuple):
    """The texts of one item."""

    name: str
    """What errors call it."""
    prompt: str
    """Without the blanks at its end."""
    wholes: list[str]
    """All of the prompt, with each choice."""
    empty: bool
    """Whether there is no prompt at all."""


Pair = tuple[list[int], list[int]]
"""What stands before a choice, and the choice, as tokens."""


def token_paths(
    tokenizer: Any, items: Sequence[Item], limits: Limits | None = None, *, private: bool = False
) -> list[list[TokenPath]]:
    """Token sequences of each item's choices, split as lm-evaluation-harness 0.4.13 splits them.

    A prompt is encoded alone and with each choice: the choice is what follows after as many tokens
    as the prompt has, even where a token of one melts into the other. Blanks at the end of a prompt
    belong to the choice. What a tokenizer sets before a text stays, what it sets after one is left
    out: it is no part of the choice. Prompts of a chat stand in the model's template, and are split
    from their choices as all others are. Sequences beyond the model's window lose their beginning.

    Args:
        tokenizer: From transformers.
        items: What is asked.
        limits: What the model can be asked; by default nothing is held against it.
        private: Whether ids are private, so that errors name an item by its place.

    Raises:
        ItemError: A text cannot be encoded or makes no token, a choice melts whole into the prompt
            or does not fit, a token has no embedding, or nothing stands before the first token.
    """
    texts = Texts(tokenizer)
    asked = [
        _asked(texts, item, name_of(item, place, private=private))
        for place, item in enumerate(items)
    ]
    encoded = iter(_encoded(texts, asked))
    out: list[list[TokenPath]] = []
    for index, item in enumerate(asked):
        head = next(encoded)
        pairs = _pairs(texts, item, head, [next(encoded) for _ in item.wholes])
        out.append(
            [_path(item.name, index, choice, pair, limits) for choice, pair in enumerate(pairs)]
        )
    return out


def name_of(item: Item, place: int, *, private: bool) -> str:
    """What errors call an item that stands at a place from 0; a private id is not told."""
    return f"record {place + 1}" if private else f"item {item.id}"


@contextmanager
def naming_the_longest(
    items: Sequence[Item], rows: Sequence[Row], *, private: bool
) -> Iterator[None]:
    """Refuse by its name the item that a model stops at.

    It gave numbers for a few tokens when it was loaded, and all tokens have embeddings: some
    models have fewer positions than their config says.

    Raises:
        ItemError: The model stopped at something else than memory; names the longest item.
    """
    try:
        yield
    except (IndexError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        place = max(rows, key=lambda row: int(row.depths.max(initial=0))).items[0][0]
        raise _wrong(
            name_of(items[place], place, private=private),
            f"the model gives no numbers for a text of this length ({type(error).__name__})",
            "Shorten its prompt: the model has fewer positions than its config says.",
        ) from None


def _asked(texts: Texts, item: Item, name: str) -> _Asked:
    prompt = item.prompt
    if item.chat:
        try:
            prompt = texts.chat(prompt)
        except ModelError as error:
            raise _wrong(name, error.what, error.remedy) from None
        except Exception as error:  # a template is a program of the model's maker
            raise _wrong(
                name,
                f"the model's chat template does not take it ({type(error).__name__})",
                "Correct the template beside the model, or ask it without chat.",
            ) from None
    wholes = [prompt + choice for choice in item.choices]
    return _Asked(name, prompt.rstrip(), wholes, not prompt)


def _encoded(texts: Texts, asked: Sequence[_Asked]) -> list[list[int]]:
    """The own tokens of all texts in turn, the prompt of each item first."""
    each = [[item.prompt, *item.wholes] for item in asked]
    try:
        return texts.bare([text for group in each for text in group])
    except Exception:  # the tokenizers library raises nothing more special
        for item, group in zip(asked, each, strict=True):
            try:
                texts.bare(group)
            except Exception as error:  # as above
                raise _wrong(
                    item.name,
                    f"the model's tokenizer cannot encode it ({type(error).__name__})",
                    "Write it in characters that the model knows.",
                ) from None
        raise


def _pairs(texts: Texts, item: _Asked, head: list[int], wholes: list[list[int]]) -> list[Pair]:
    """What stands before each of an item's choices, and the choice."""
    if item.prompt and not head:
        raise _wrong(item.name, "its prompt makes no token of this model", "Write it otherwise.")
    before = texts.set_before(item.prompt) + head
    # A prompt of blanks alone leaves what the tokenizer sets before a text, if that is anything.
    if item.empty or not before:
        return [_first(texts, item.name, whole) for whole in wholes]
    found: list[Pair] = []
    for text, own in zip(item.wholes, wholes, strict=True):
        whole = texts.set_before(text) + own
        if len(whole) <= len(before):
            what = "makes no token" if whole == before else "melts into the prompt and has no token"
            raise _wrong(item.name, f"a choice {what} of this model", _OTHER_WORDS)
        found.append((before, whole[len(before) :]))
    return found


def _first(texts: Texts, name: str, tokens: list[int]) -> Pair:
    """A choice that nothing stands before follows the token that begins a text."""
    if texts.first is None:
        raise _wrong(
            name,
            "nothing stands before its first token, and the model's tokenizer has no token to "
            "begin or to end a text",
            "Give it a prompt.",
        )
    # A choice that itself begins with that token is asked for the rest.
    rest = tokens[1:] if tokens[:1] == [texts.first] else tokens
    if not rest:
        raise _wrong(name, "a choice makes no token of this model", _OTHER_WORDS)
    return [texts.first], rest


def _path(name: str, index: int, choice: int, pair: Pair, limits: Limits | None) -> TokenPath:
    before, after = pair
    tokens, start = before + after, len(before)
    if limits is not None:
        if not 0 <= min(tokens) <= max(tokens) < limits.rows:
            raise _wrong(
                name,
                "a token of it has no embedding in the model",
                "Resize the model to its tokenizer (resize_token_embeddings) and save it again.",
            )
        if len(after) > limits.window:
            raise _wrong(
                name,
                f"a choice is longer than the {limits.window} tokens that the model sees",
                "Shorten its choices.",
            )
        if limits.steady is not None and min(len(tokens) - 1, limits.window) > limits.steady:
            raise _wrong(
                name,
                f"beyond {limits.steady} tokens this model's numbers for a text depend on the "
                "lengths of those that are asked with it",
                "Shorten its prompt.",
            )
        # The last token is asked for and not seen.
        cut = max(len(tokens) - limits.window - 1, 0)
        tokens, start = tokens[cut:], start - cut
    return TokenPath(index, choice, tuple(tokens), start)


def _wrong(name: str, what: str, remedy: str) -> ItemError:
    return ItemError(what, where=name, remedy=remedy)
