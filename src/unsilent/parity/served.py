"""Log-likelihoods of choices by a served model, of its own tokens.

Two forms are spoken. ``OpenAI`` asks ``/v1/completions`` with ``echo`` and ``logprobs``, as vLLM,
SGLang and llama-cpp-python's server answer. llama.cpp's own server gives no log-probabilities of a
prompt there (its issue 27174); ``LlamaCpp`` asks it for the next token, once a token of a choice.

Text is sent and not tokens, so that the endpoint's tokenizer is a part of what is compared. A
prompt is sent alone and with each choice; as in lm-evaluation-harness, the choice is what follows
after as many tokens as the prompt has. Where a token of the prompt melts into the choice, the two
readings need not be the same text to a model, and the item is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from unsilent.items import Item
from unsilent.parity.http import Address, RefusedError

_ABOVE_ZERO = 1e-3
"""How far rounding may lift a log-probability above 0."""

_WIDTHS = (1_000, 20_000, 400_000)
"""How many of the next tokens are asked for, until the choice's own is among them."""

_HARNESS = "It has to answer as lm-evaluation-harness's local-completions reads it."


class Served(Protocol):
    """A served model."""

    def likelihoods(self, item: Item) -> tuple[float, ...] | None:
        """The summed log-probability of each choice, in nats; None where an item is left out.

        Raises EndpointError.
        """
        ...


def texts_of(item: Item) -> list[str]:
    """The prompt alone, and with each choice; blanks at its end belong to the choice."""
    return [item.prompt.rstrip(), *(item.prompt + choice for choice in item.choices)]


@dataclass
class OpenAI:
    """An endpoint of ``/v1/completions``.

    Attributes:
        at: Its address, with ``/v1``.
        name: The model, or the adapter, that is asked for.
    """

    at: Address
    name: str
    _tokens: int = field(default=0, init=False)

    def likelihoods(self, item: Item) -> tuple[float, ...] | None:
        """As ``Served.likelihoods``."""
        texts = texts_of(item)
        head, *wholes = self._read(self._ask(texts), len(texts))
        sums = []
        for tokens, values in wholes:
            start = len(head[0])
            if tokens[:start] != head[0] or len(tokens) == start:
                return None
            own = values[start:]
            if start == 0 or any(value is None for value in own):
                raise self._lacks()
            sums.append(math.fsum(cast("list[float]", own)))
        return tuple(sums)

    def _ask(self, texts: Sequence[str]) -> dict[str, Any]:
        try:
            return self._post(texts)
        except RefusedError:
            # Some want at least one token to be made; it is left out where it is read.
            if self._tokens:
                raise
            self._tokens = 1
            return self._post(texts)

    def _post(self, texts: Sequence[str]) -> dict[str, Any]:
        body = {
            "model": self.name,
            "prompt": list(texts),
            "max_tokens": self._tokens,
            "temperature": 1.0,
            "echo": True,
            "logprobs": 1,
        }
        return self.at.post("completions", body)

    def _read(
        self, answer: Mapping[str, Any], count: int
    ) -> list[tuple[list[str], list[float | None]]]:
        """Tokens and log-probabilities of each text, without what was made after it."""
        choices = answer.get("choices")
        if not isinstance(choices, list) or len(cast("list[Any]", choices)) != count:
            raise self.at.wrong(f"it does not answer each of {count} texts once", _HARNESS)
        found: dict[int, tuple[list[str], list[float | None]]] = {}
        for choice in cast("list[Any]", choices):
            index = choice.get("index") if isinstance(choice, dict) else None
            if isinstance(index, bool) or not isinstance(index, int):
                raise self.at.wrong("it does not say which text it answers", _HARNESS)
            found[index] = self._one(cast("dict[str, Any]", choice).get("logprobs"))
        if sorted(found) != list(range(count)):
            raise self.at.wrong("it does not say which text it answers", _HARNESS)
        made = self._made(answer.get("usage"), [len(tokens) for tokens, _ in found.values()])
        return [
            (tokens[: len(tokens) - made], values[: len(values) - made])
            for tokens, values in (found[index] for index in range(count))
        ]

    def _made(self, usage: object, lengths: Sequence[int]) -> int:
        """How many tokens it made after each text, 0 or 1: what it counts as the prompts' tells.

        Of an endpoint that counts nothing, what it was asked for.
        """
        told = (
            cast("dict[str, Any]", usage).get("prompt_tokens") if isinstance(usage, dict) else None
        )
        if told is None:
            return self._tokens
        made = 0 if told == sum(lengths) else 1
        if told != sum(lengths) - made * len(lengths):
            raise self.at.wrong("it counts other tokens than it answers", _HARNESS)
        return made

    def _one(self, logprobs: object) -> tuple[list[str], list[float | None]]:
        if not isinstance(logprobs, dict):
            raise self._lacks()
        given = cast("dict[str, Any]", logprobs)
        tokens, values = given.get("tokens"), given.get("token_logprobs")
        if not isinstance(tokens, list) or not isinstance(values, list):
            raise self._lacks()
        texts, numbers = cast("list[Any]", tokens), cast("list[Any]", values)
        if not texts or len(texts) != len(numbers) or not all(isinstance(t, str) for t in texts):
            raise self.at.wrong("it does not give one log-probability a token", _HARNESS)
        # Nothing stands before the first token, and there it may be missing.
        return texts, [
            None if value is None and place == 0 else checked(self.at, value)
            for place, value in enumerate(numbers)
        ]

    def _lacks(self) -> Exception:
        return self.at.wrong(
            "it gives no log-probabilities of a prompt",
            "It needs echo and logprobs of /v1/completions; llama.cpp's server is asked by "
            "--form llama.cpp.",
        )


@dataclass
class LlamaCpp:
    """llama.cpp's own server, by ``/tokenize`` and ``/completion`` with ``n_probs``.

    Attributes:
        at: Its address, without ``/v1``.
    """

    at: Address
    _known: dict[tuple[int, ...], dict[int, float]] = field(
        default_factory=dict[tuple[int, ...], dict[int, float]], init=False
    )

    def likelihoods(self, item: Item) -> tuple[float, ...] | None:
        """As ``Served.likelihoods``."""
        # Choices of an item share beginnings; items hardly do.
        self._known = {}
        head, *wholes = (self._tokens(text) for text in texts_of(item))
        start, sums = len(head), []
        for tokens in wholes:
            if not start or tokens[:start] != head or len(tokens) == start:
                return None
            each = [self._next(tokens[:end], tokens[end]) for end in range(start, len(tokens))]
            if None in each:
                return None
            sums.append(math.fsum(cast("list[float]", each)))
        return tuple(sums)

    def _tokens(self, text: str) -> tuple[int, ...]:
        found = self.at.post("tokenize", {"content": text, "add_special": True}).get("tokens")
        if not isinstance(found, list) or not all(map(_whole, cast("list[Any]", found))):
            raise self.at.wrong("it gives no tokens of a text", "Give llama.cpp's own address.")
        return tuple(cast("list[int]", found))

    def _next(self, before: tuple[int, ...], token: int) -> float | None:
        for width in _WIDTHS:
            known = self._known.setdefault(before, {})
            if token not in known and len(known) < width:
                known |= self._ask(before, width)
            if token in known:
                return known[token]
        return None

    def _ask(self, before: tuple[int, ...], width: int) -> dict[int, float]:
        body = {
            "prompt": list(before),
            "n_predict": 1,
            "n_probs": width,
            "temperature": 1.0,
            "post_sampling_probs": False,
            "cache_prompt": True,
        }
        try:
            (step,) = self.at.post("completion", body)["completion_probabilities"]
            found = {each["id"]: each["logprob"] for each in step["top_logprobs"]}
        except (KeyError, TypeError, ValueError):
            found = {}
        if not found or not all(map(_whole, found)):
            raise self.at.wrong(
                "it gives no log-probabilities of the next token",
                "Use a llama.cpp server that knows n_probs and post_sampling_probs.",
            )
        return {token: checked(self.at, value) for token, value in found.items()}


def checked(at: Address, value: object) -> float:
    """A log-probability that is one. Raises EndpointError."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number > _ABOVE_ZERO:
        raise at.wrong(
            "a log-probability that is none", "Look for NaN or an overflow in the served model."
        )
    return min(number, 0.0)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
