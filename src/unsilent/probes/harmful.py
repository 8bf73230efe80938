"""Harmful requests from HarmBench and StrongREJECT, and which of them alignment may train on.

Only standalone requests are used: HarmBench's standard behaviours (not the copyright ones, nor
those that need a context) and StrongREJECT's one-line prompts. Sources: Mazeika et al., ICML 2024,
arXiv:2402.04249; Souly et al., NeurIPS 2024, arXiv:2402.10260.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from unsilent.assets import HARMBENCH, STRONGREJECT, Progress, fetch
from unsilent.errors import AssetError

Split = Literal["train", "probe"]

TRAIN_SIZE = 120
MAX_WORDS = 28
HELD_OUT_CATEGORIES = frozenset({"cybercrime", "sexual"})
"""Kinds of harm that alignment never sees, so that probes also tell whether it generalizes."""

_CATEGORIES = {
    "chemical_biological": "weapons",
    "illegal": "crime",
    "misinformation_disinformation": "deception",
    "harmful": "violence",
    "harassment_bullying": "hate",
    "cybercrime_intrusion": "cybercrime",
    "Non-violent crimes": "crime",
    "Illegal goods and services": "crime",
    "Violence": "violence",
    "Disinformation and deception": "deception",
    "Hate, harassment and discrimination": "hate",
    "Sexual content": "sexual",
}
_SAME = 0.6


@dataclass(frozen=True)
class Prompt:
    """One user request.

    Attributes:
        id: Unique, stable.
        text: One line.
        category: Kind of harm, or of harmless request.
        split: ``train`` may be used by the provider's alignment, ``probe`` never.
    """

    id: str
    text: str
    category: str
    split: Split


def harmful_prompts(*, progress: Progress | None = None) -> tuple[Prompt, ...]:
    """All harmful requests, fetched first if need be; 120 train, the others probe."""
    return _read_once(fetch(HARMBENCH, progress=progress), fetch(STRONGREJECT, progress=progress))


@lru_cache(maxsize=2)
def _read_once(harmbench: Path, strongreject: Path) -> tuple[Prompt, ...]:
    rows: list[tuple[str, str, str]] = []
    for name in ("val.csv", "test.csv"):
        rows += parse_harmbench((harmbench / name).read_text(encoding="utf-8-sig"), where=name)
    name = "strongreject.csv"
    rows += parse_strongreject((strongreject / name).read_text(encoding="utf-8-sig"), where=name)
    return split_prompts(without_repeats(rows))


def parse_harmbench(text: str, *, where: str) -> list[tuple[str, str, str]]:
    """(id, request, category) of the standard behaviours of a HarmBench CSV."""
    columns = ("Behavior", "FunctionalCategory", "SemanticCategory", "ContextString", "BehaviorID")
    return [
        (f"harmbench-{row['BehaviorID']}", row["Behavior"], _category(row["SemanticCategory"]))
        for row in _rows(text, columns, where)
        if row["FunctionalCategory"] == "standard" and not row["ContextString"]
    ]


def parse_strongreject(text: str, *, where: str) -> list[tuple[str, str, str]]:
    """(id, request, category) of a StrongREJECT CSV."""
    rows = _rows(text, ("category", "source", "forbidden_prompt"), where)
    return [
        (f"strongreject-{number:03d}", row["forbidden_prompt"], _category(row["category"]))
        for number, row in enumerate(rows)
    ]


def without_repeats(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Short one-line requests, of near repeats the first only.

    Two requests are near repeats when their sets of words overlap by 0.6 or more (Jaccard).
    """
    kept: list[tuple[str, str, str]] = []
    bags: list[frozenset[str]] = []
    for identity, raw, category in rows:
        text = raw.strip()
        if "\n" in text or not 3 <= len(text.split()) <= MAX_WORDS:
            continue
        bag = words_of(text)
        if all(len(bag & other) < _SAME * len(bag | other) for other in bags):
            kept.append((identity, " ".join(text.split()), category))
            bags.append(bag)
    return kept


def words_of(text: str) -> frozenset[str]:
    """The set of a text's words, without case."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def split_prompts(
    rows: Sequence[tuple[str, str, str]], train_size: int = TRAIN_SIZE
) -> tuple[Prompt, ...]:
    """Requests in an order that a hash decides; the first ``train_size`` fit ones are train.

    Requests of a held-out category are never train.
    """
    ordered = sorted(rows, key=lambda row: hash_order(row[1]))
    fit = [identity for identity, _, category in ordered if category not in HELD_OUT_CATEGORIES]
    train = set(fit[:train_size])
    return tuple(
        Prompt(identity, text, category, "train" if identity in train else "probe")
        for identity, text, category in ordered
    )


def hash_order(text: str) -> str:
    """A key that sorts texts in an order that is random but the same for ever."""
    return hashlib.sha256(f"unsilent/prompt/1:{text}".encode()).hexdigest()


def _category(name: str) -> str:
    return _CATEGORIES.get(name, "other")


def _rows(text: str, columns: Sequence[str], where: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise AssetError(f"column {missing[0]!r} is missing", where=where)
    return list(reader)
