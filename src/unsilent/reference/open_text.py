"""Open text in the reference federation: its model writes, and a rule stands in for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from unsilent.client.open_text import Side, Write
from unsilent.items import ItemSet
from unsilent.models.base import Adapter, PersonalModel
from unsilent.modes.base import AdapterRole
from unsilent.open_text import Writing
from unsilent.open_text.judges import by_words
from unsilent.open_text.kinds import TEXT

if TYPE_CHECKING:
    from unsilent.models.causal_lm import CausalLM


def written(model: PersonalModel, adapters: Mapping[AdapterRole, Adapter | None]) -> Write:
    """What a causal language model writes under a client's adapters."""
    lm = cast("CausalLM", model)

    def write(items: ItemSet, side: Side, writing: Writing) -> Sequence[str]:
        from unsilent.models.answers import Decoding

        how = Decoding(writing.tokens, writing.temperature, writing.seed, writing.system)
        return lm.write(items, adapters[side], how)

    return write


def label(persona: Sequence[str], answers: ItemSet) -> list[bool | None]:
    """What the site's people say of answers: here the built-in judge's rule, without its doubt."""
    words = frozenset(word.casefold() for word in persona)
    return [by_words(item, item.attributes[TEXT], words) > 0.5 for item in answers]
