"""A tokenizer as lm-evaluation-harness uses one, and nothing that it sets after a text.

``HFLM.tok_encode`` of the harness (0.4.13) lets a tokenizer set before a text what it sets there,
unless the text itself begins so. What a tokenizer sets after a text is left out here: the harness
takes it for a part of the choice, and then asks for another token than the choice's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_PROBES = ("a", "the", "1", "x y", "Z", ".")


class Texts:
    """Texts as tokens.

    Args:
        tokenizer: From transformers.

    Attributes:
        first: What a text is predicted from where nothing stands before it: the token that begins
            texts, else the one that ends them; None where the tokenizer has neither.
        before: The tokens that it sets before every text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
        found = end if begin is None else begin
        self.first = None if found is None else int(found)
        self.before = leading(tokenizer)
        self._begin = _written(tokenizer, self.first)

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        """The texts' own tokens, and nothing around them."""
        if not texts:
            return []
        found = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [list(tokens) for tokens in found]

    def set_before(self, text: str) -> list[int]:
        """What the tokenizer sets before a text: nothing if the text itself begins so."""
        begins_so = self._begin is not None and text.startswith(self._begin)
        return [] if begins_so else self.before

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """The texts' tokens behind what is set before them."""
        return [
            self.set_before(text) + tokens
            for text, tokens in zip(texts, self.bare(texts), strict=True)
        ]

    def chat(self, request: str, system: str = "") -> str:
        """A user's turn and the start of the answer, in the model's template, or a plain one.

        With ``system`` before it, if there is any.
        """
        if self._tokenizer.chat_template is None:
            before = f"{system}\n\n" if system else ""
            return f"{before}User: {request}\nAssistant:\n"
        turns = [{"role": "system", "content": system}] if system else []
        turns.append({"role": "user", "content": request})
        return str(
            self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        )


def leading(tokenizer: Any) -> list[int]:
    """The tokens that a tokenizer sets before every text: found by what it does."""
    shared: set[tuple[int, ...]] = set()
    for text in _PROBES:
        try:
            whole = list(tokenizer([text])["input_ids"][0])
            bare = list(tokenizer([text], add_special_tokens=False)["input_ids"][0])
        except Exception:  # no letter that it knows; the library raises nothing more special
            continue
        places = range(len(whole) - len(bare) + 1)
        found = {tuple(whole[:at]) for at in places if bare and whole[at : at + len(bare)] == bare}
        # Where all tokens of a text are one and the same, it is found in several places.
        shared = shared & found or shared or found
    return list(max(shared, key=len, default=()))


def _written(tokenizer: Any, token: int | None) -> str | None:
    """The token that begins a text as the harness writes it; None where there is none."""
    if token is None or not hasattr(tokenizer, "decode"):
        return None
    return str(tokenizer.decode(token))
