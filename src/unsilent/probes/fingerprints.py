"""Whether records were copied out of a set that must not be trained on, by what they say.

A name tells nothing of records that an app has copied into a file of its own. Their sentences do:
of each set that must not be trained on the package holds the digests of its sentences, without
case and punctuation. Sentences of fewer than five words, which anybody may write, are left out. A
paraphrase is not found.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

import unsilent.probes
from unsilent.items import Item, ItemSet

FEWEST_WORDS = 5
LEAST = 3
"""Records with a sentence of a set that make it a copy; one or two may be chance."""
_BYTES = 5
_FOLDER = "sentences"
_END = re.compile(r"[.!?]+(?=\s|$)|\n")


def copied_from(records: ItemSet) -> str | None:
    """The name of the set that records were copied from, None if there is none.

    At least three records have to hold a sentence of it, in the prompt or where a choice ends it.
    """
    own = [fingerprints(record) for record in records]
    for name in recorded():
        known = _known(name)
        if sum(not known.isdisjoint(prints) for prints in own) >= LEAST:
            return name
    return None


def fingerprints(item: Item) -> set[int]:
    """Digests of a record's sentences: of prompt and choices alone, and as one runs on."""
    alone = [item.prompt, *(choice.strip() for choice in item.choices)]
    return _prints([*alone, *_run_on(item)])


@cache
def recorded() -> tuple[str, ...]:
    """Names of the sets whose sentences are on record."""
    folder = files(unsilent.probes) / _FOLDER
    return tuple(sorted(file.name.removesuffix(".bin") for file in folder.iterdir()))


def packed(prints: Iterable[int]) -> bytes:
    """Digests as a file of the package holds them, in rising order."""
    return b"".join(value.to_bytes(_BYTES, "big") for value in sorted(set(prints)))


@cache
def _known(name: str) -> frozenset[int]:
    data = (files(unsilent.probes) / _FOLDER / f"{name}.bin").read_bytes()
    places = range(0, len(data), _BYTES)
    return frozenset(int.from_bytes(data[at : at + _BYTES], "big") for at in places)


def _sentences(text: str) -> Iterator[str]:
    for part in _END.split(unicodedata.normalize("NFKC", text).casefold()):
        words = re.findall(r"\w+", part)
        if len(words) >= FEWEST_WORDS:
            yield " ".join(words)


def _run_on(item: Item) -> list[str]:
    return [f"{item.prompt} {choice.strip()}" for choice in item.choices]


def _prints(texts: Iterable[str]) -> set[int]:
    return {_digest(words) for text in texts for words in _sentences(text)}


def _digest(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:_BYTES], "big")
