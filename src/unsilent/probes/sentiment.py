"""Rated texts of four domains, and which of them are public.

Source: the ground-truth files of Hutto and Gilbert, *VADER*, ICWSM 2014 (MIT), valence rated by
people from -4 to 4. Whole documents are either private (for clients) or public (for probes).
"""

from __future__ import annotations

import hashlib
import html
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from unsilent.assets import SENTIMENT, Progress, fetch
from unsilent.errors import AssetError

Part = Literal["private", "probes", "heads"]
"""private: for clients; probes: public items; heads: public examples that train a head."""

DOMAINS: tuple[str, ...] = ("tweets", "product", "film", "news")
_FILES = {
    "tweets": "tweets_GroundTruth.txt",
    "product": "amazonReviewSnippets_GroundTruth.txt",
    "film": "movieReviewSnippets_GroundTruth.txt",
    "news": "nytEditorialSnippets_GroundTruth.txt",
}
_PROBE_SHARE = 0.10
_HEAD_SHARE = 0.05
MAX_VALENCE = 4.0


@dataclass(frozen=True)
class Text:
    """One rated text.

    Attributes:
        id: ``domain/number``, unique over all domains.
        document: ``domain/number`` of the review or editorial that it is a sentence of. Tweets
            and film snippets have plain ids in the source: each is a document of its own.
        domain: One of ``DOMAINS``.
        text: One line, blanks collapsed.
        valence: Mean human rating, -4 (most negative) to 4 (most positive).
    """

    id: str
    document: str
    domain: str
    text: str
    valence: float

    @property
    def positive(self) -> bool:
        """The label of the sentiment task: whether people rated it above 0."""
        return self.valence > 0

    @property
    def words(self) -> int:
        """Number of blank-separated words."""
        return len(self.text.split())


def clean(raw: str) -> str:
    """One line of plain text: entities resolved, doubled quotes and blanks made single."""
    return " ".join(html.unescape(raw).replace("''", '"').split())


def parse_texts(domain: str, data: bytes, *, where: str) -> tuple[Text, ...]:
    """Texts of one ground-truth file: tab-separated id, mean rating, text; UTF-8, any line end.

    Raises AssetError naming the line for anything else.
    """
    try:
        lines = re.split(r"\r?\n", data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise AssetError("not UTF-8 text", where=where) from None
    texts: list[Text] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        spot = f"{where}: line {number}"
        fields = line.split("\t", 2)
        if len(fields) != 3 or not re.fullmatch(r"\d+(_\d+)?", fields[0]):
            raise AssetError("expected id, rating and text", where=spot)
        try:
            valence = float(fields[1])
        except ValueError:
            raise AssetError("the rating is not a number", where=spot) from None
        if not math.isfinite(valence) or abs(valence) > MAX_VALENCE:
            raise AssetError("the rating is outside -4 to 4", where=spot)
        document = fields[0].partition("_")[0]
        text = clean(fields[2])
        if text:
            texts.append(
                Text(f"{domain}/{fields[0]}", f"{domain}/{document}", domain, text, valence)
            )
    return tuple(texts)


def distinct(texts: tuple[Text, ...]) -> tuple[Text, ...]:
    """The texts without repeats; what reads the same but for case and marks counts as one."""
    seen: set[str] = set()
    kept: list[Text] = []
    for text in texts:
        wording = " ".join(re.findall(r"\w+", text.text.casefold())) or text.text
        if wording not in seen:
            seen.add(wording)
            kept.append(text)
    return tuple(kept)


def read_folder(folder: Path) -> tuple[Text, ...]:
    """All distinct texts of a folder with the four ground-truth files, in a fixed order."""
    texts: list[Text] = []
    for domain in DOMAINS:
        path = folder / _FILES[domain]
        texts += parse_texts(domain, path.read_bytes(), where=path.name)
    return distinct(tuple(texts))


@lru_cache(maxsize=2)
def _read_once(folder: Path) -> tuple[Text, ...]:
    return read_folder(folder)


def sentiment_texts(*, progress: Progress | None = None) -> tuple[Text, ...]:
    """All distinct texts, fetched first if need be. Raises AssetError."""
    return _read_once(fetch(SENTIMENT, progress=progress))


def part_of(text: Text) -> Part:
    """Which part a text belongs to: decided by a hash of its document, so the same for ever."""
    digest = hashlib.sha256(f"unsilent/part/1:{text.document}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < _PROBE_SHARE:
        return "probes"
    return "heads" if place < _PROBE_SHARE + _HEAD_SHARE else "private"


def private_texts(*, progress: Progress | None = None) -> tuple[Text, ...]:
    """The texts that clients' records may come from: 85% of the documents."""
    return tuple(t for t in sentiment_texts(progress=progress) if part_of(t) == "private")


def public_texts(*, progress: Progress | None = None) -> tuple[Text, ...]:
    """The texts that probes may come from: 10% of the documents, disjoint from all others."""
    return tuple(t for t in sentiment_texts(progress=progress) if part_of(t) == "probes")


def head_texts(*, progress: Progress | None = None) -> tuple[Text, ...]:
    """Public texts that train an encoder's heads: 5% of the documents, disjoint from probes."""
    return tuple(t for t in sentiment_texts(progress=progress) if part_of(t) == "heads")


def usable(
    text: Text, valence: tuple[float, float] = (0.0, MAX_VALENCE), words: tuple[int, int] = (5, 24)
) -> bool:
    """Whether a text is of fit length and its absolute valence is in the range (not 0)."""
    low, high = valence
    size = abs(text.valence)
    return size > 0 and low <= size <= high and words[0] <= text.words <= words[1]
