"""A tokenizer as lm-evaluation-harness uses one, and nothing that it sets after a text.

``HFLM.tok_encode`` of the harness (0.4.13) lets a tokenizer set before a text what it sets there,
unless the text itself begins so. What a tokenizer sets after a text is left out here: the harness
takes it for a part of the choice, and then asks for another token than the choice's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unsilent.errors import ModelError

_PROBES = ("a", "the", "1", "x y", "Z", ".")
_OTHER = "so"
_CLOCK = "strftime_now"
"""What a template asks for the date. Where there is none, Llama 3 takes the date below."""
_DATE: Mapping[str, str] = {
    **{"-d": "26", "-m": "7", "-I": "0", "-H": "0", "-M": "0", "-S": "0", "-j": "208"},
    **{"d": "26", "e": "26", "j": "208", "m": "07", "y": "24", "Y": "2024", "u": "5", "w": "5"},
    **{"a": "Fri", "A": "Friday", "b": "Jul", "B": "July", "h": "Jul", "p": "AM"},
    **{"H": "00", "I": "12", "M": "00", "S": "00", "f": "000000", "z": "", "Z": ""},
    **{"F": "2024-07-26", "D": "07/26/24", "x": "07/26/24", "T": "00:00:00", "X": "00:00:00"},
    **{"c": "Fri Jul 26 00:00:00 2024", "R": "00:00", "s": "1721952000", "%": "%"},
}


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

        With ``system`` before it, if there is any. A template that tells the date is given one
        and the same on every day: scores of two days are compared.

        Raises:
            ModelError: The template leaves out what it is given, as those do that go through a
                turn's parts where they are given a text.
        """
        if self._tokenizer.chat_template is None:
            before = f"{system}\n\n" if system else ""
            return f"{before}User: {request}\nAssistant:\n"
        found = self._in_template(request, system)
        # What is told otherwise, such as without its blanks, is told.
        for part, other in (
            (request, (f"{request} {_OTHER}", system)),
            (system, (request, f"{system} {_OTHER}")),
        ):
            if part.strip() and part not in found and self._in_template(*other) == found:
                raise ModelError(
                    "the model's chat template leaves out "
                    + ("what it is asked" if part is request else "the system's turn"),
                    where="chat_template",
                    remedy="Correct the template beside the model, or ask it without chat.",
                )
        return found

    def _in_template(self, request: str, system: str) -> str:
        turns = [{"role": "system", "content": system}] if system else []
        turns.append({"role": "user", "content": request})
        given: dict[str, str] = {}
        if tells_the_date(self._tokenizer):
            given["chat_template"] = _one_date() + self._tokenizer.get_chat_template()
        return str(
            self._tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=False, **given
            )
        )


def tells_the_date(tokenizer: Any) -> bool:
    """Whether a tokenizer's chat template asks for the date of the day, as Llama 3's does."""
    return _CLOCK in str(getattr(tokenizer, "chat_template", None))


def _one_date() -> str:
    """A macro of a template's language in the place of the clock."""
    # What stands for a percent sign comes last.
    steps = "".join(f" | replace('%{directive}', '{text}')" for directive, text in _DATE.items())
    return f"{{%- macro {_CLOCK}(format) -%}}{{{{ format{steps} }}}}{{%- endmacro -%}}"


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
