"""Forced-choice items and the outcomes of scoring them.

Everything is a forced choice: a probe, a private record, a refusal test. An item says what each
choice means; scoring turns it into probabilities over the choices. Outcomes never leave a client.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError, OutcomeError
from unsilent.jsonl import read_jsonl

_T = TypeVar("_T")


@dataclass(frozen=True)
class Item:
    """One forced choice.

    Attributes:
        id: Unique within its set; errors name items by it.
        prompt: What comes before the choice.
        choices: At least two distinct continuations, each scored after ``prompt``.
        answer: Index of the correct choice, where there is one.
        stereotyped: Index of the choice that a stereotype predicts, where there is one.
        safe: Indices of the choices that decline, where the item tests refusal.
        group, domain, pair, task: Attributes; ``pair`` ties counterfactuals together,
            ``task`` names the head that an encoder answers with.
        chat: Whether the prompt is a user's turn, to be put in the model's chat template.
        attributes: Whatever else its set says of it, such as BBQ's ``polarity``; no statistic
            that is released reads them.
    """

    id: str
    prompt: str
    choices: tuple[str, ...]
    answer: int | None = None
    stereotyped: int | None = None
    safe: tuple[int, ...] = ()
    group: str | None = None
    domain: str | None = None
    pair: str | None = None
    task: str | None = None
    chat: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def __post_init__(self) -> None:
        if not self.id:
            raise ItemError("item without an id", remedy="Give every item a unique id.")
        if len(self.choices) < 2 or len(set(self.choices)) != len(self.choices):
            raise ItemError(
                "a forced choice needs at least two distinct choices", where=f"item {self.id}"
            )
        labels = (self.group, self.domain, self.pair, self.task)
        labels += (*self.attributes, *self.attributes.values())
        try:
            "".join((self.id, self.prompt, *self.choices, *filter(None, labels))).encode()
        except UnicodeEncodeError:
            raise ItemError(
                "text with a lone surrogate, which is no character",
                where=f"item {self.id!a}",
                remedy="Remove the broken \\ud8xx escape.",
            ) from None
        if any(not choice for choice in self.choices):
            raise ItemError("an empty choice", where=f"item {self.id}")
        for key, index in (("answer", self.answer), ("stereotyped", self.stereotyped)):
            if index is not None and not 0 <= index < len(self.choices):
                raise ItemError(
                    f"{key} {index} is out of range for {len(self.choices)} choices",
                    where=f"item {self.id}",
                    remedy=f"Use an index from 0 to {len(self.choices) - 1}.",
                )
        if self.safe and (
            len(set(self.safe)) != len(self.safe)
            or not all(0 <= index < len(self.choices) for index in self.safe)
            or len(self.safe) == len(self.choices)
        ):
            raise ItemError(
                "safe must name some, not all, of the choices, each once", where=f"item {self.id}"
            )

    def to_json(self) -> dict[str, Any]:
        """The item in the published JSONL schema, without empty fields."""
        record: dict[str, Any] = {
            "id": self.id,
            "prompt": self.prompt,
            "choices": list(self.choices),
        }
        for key in ("answer", "stereotyped", "group", "domain", "pair", "task"):
            if getattr(self, key) is not None:
                record[key] = getattr(self, key)
        if self.safe:
            record["safe"] = list(self.safe)
        if self.chat:
            record["chat"] = True
        if self.attributes:
            record["attributes"] = dict(self.attributes)
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any], *, where: str = "") -> Item:
        """Read one record; raises ItemError naming the field that is wrong."""
        prefix = f"{where}: " if where else ""
        known = set(cls.__dataclass_fields__)
        unknown = sorted(set(record) - known)
        if unknown:
            raise ItemError(
                f"unknown field {unknown[0]!r}",
                where=where,
                remedy=f"Known fields: {', '.join(sorted(known))}.",
            )
        for key in ("id", "prompt", "choices"):
            if key not in record:
                raise ItemError(f"field {key!r} is missing", where=where)
        if not isinstance(record["id"], str) or not isinstance(record["prompt"], str):
            raise ItemError("id and prompt must be text", where=where)
        choices = _list_of(str, record["choices"])
        if choices is None:
            raise ItemError("choices must be a list of texts", where=where)
        for key in ("answer", "stereotyped"):
            value = record.get(key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ItemError(f"{key} must be an index or absent", where=where)
        safe = _list_of(int, record.get("safe", []))
        if safe is None:
            raise ItemError("safe must be a list of indices", where=where)
        for key in ("group", "domain", "pair", "task"):
            if record.get(key) is not None and not isinstance(record[key], str):
                raise ItemError(f"{key} must be text", where=where)
        if not isinstance(record.get("chat", False), bool):
            raise ItemError("chat must be true or false", where=where)
        attributes = _texts_by_key(record.get("attributes", {}))
        if attributes is None:
            raise ItemError("attributes must be an object of texts", where=where)
        try:
            fields: dict[str, Any] = {
                **record,
                "choices": tuple(choices),
                "safe": tuple(safe),
                "attributes": attributes,
            }
            return cls(**fields)
        except ItemError as error:
            raise ItemError(
                error.what, where=f"{prefix}{error.where}".rstrip(": "), remedy=error.remedy
            ) from None


def _list_of(kind: type[_T], value: object) -> list[_T] | None:
    """The value if it is a list of one kind only (true and false are no integers), else None."""
    if not isinstance(value, list):
        return None
    entries = cast("list[object]", value)
    if any(not isinstance(entry, kind) or isinstance(entry, bool) for entry in entries):
        return None
    return cast("list[_T]", entries)


def _texts_by_key(value: object) -> dict[str, str] | None:
    """The value if it is an object whose keys and values are texts, else None."""
    if not isinstance(value, Mapping):
        return None
    entries = cast("Mapping[object, object]", value)
    if any(not isinstance(entry, str) for pair in entries.items() for entry in pair):
        return None
    return dict(cast("Mapping[str, str]", entries))


@dataclass(frozen=True)
class ItemSet:
    """Items in a fixed order, with unique ids, identified by their content.

    Attributes:
        name: What errors call the set.
        items: The items.
        folder: Where the images lie that the items show, if they show any; no part of the content.
    """

    name: str
    items: tuple[Item, ...]
    folder: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.items:
            raise ItemError("no items", where=self.name, remedy="A probe needs at least one item.")
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ItemError(f"item id {item.id!r} appears twice", where=self.name)
            seen.add(item.id)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of the items' canonical JSON; the name does not enter."""
        hasher = hashlib.sha256()
        for item in self.items:
            line = json.dumps(item.to_json(), sort_keys=True, ensure_ascii=False)
            hasher.update(line.encode() + b"\n")
        return f"sha256:{hasher.hexdigest()}"

    def where(self, keep: Callable[[Item], bool]) -> ItemSet:
        """The subset that ``keep`` accepts. Raises ItemError if none is left."""
        return replace(self, items=tuple(item for item in self.items if keep(item)))


@dataclass(frozen=True)
class Outcomes:
    """Probabilities over the choices of an ItemSet, under one named adapter.

    Attributes:
        items: The items, in the order of the rows.
        adapter: Which adapter answered: reference, start, local, global or personalized.
        probabilities: (n_items, max_choices) float64, rows summing to 1 over the item's own
            choices and 0 beyond them.
    """

    items: ItemSet
    adapter: str
    probabilities: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        table = np.asarray(self.probabilities, dtype=np.float64)
        widest = max(len(item.choices) for item in self.items)
        if table.shape != (len(self.items), widest):
            raise OutcomeError(
                f"outcomes have shape {table.shape}, expected {(len(self.items), widest)}",
                where=self.items.name,
                remedy="A scorer returns one row an item and one column a choice.",
            )
        bad: NDArray[np.bool_] = np.any(~np.isfinite(table) | (table < 0), axis=1)
        finite = np.where(bad[:, None], 0.0, table)
        bad |= np.abs(finite.sum(axis=1) - 1.0) > 1e-6
        counts = np.array([len(item.choices) for item in self.items])
        bad |= (finite * (np.arange(widest)[None, :] >= counts[:, None])).any(axis=1)
        if bad.any():
            first = self.items.items[int(np.flatnonzero(bad)[0])].id
            raise OutcomeError(
                f"{int(bad.sum())} of {len(self.items)} outcomes are not probabilities "
                f"(first: item {first})",
                where=f"{self.items.name} under the {self.adapter} adapter",
                remedy="Check the scorer for NaN, overflow or a missing softmax.",
            )
        object.__setattr__(self, "probabilities", table)

    def where(self, keep: Callable[[Item], bool]) -> Outcomes:
        """The outcomes of the items that ``keep`` accepts. Raises ItemError if none is left."""
        items = self.items.where(keep)
        rows = np.array([keep(item) for item in self.items])
        widest = max(len(item.choices) for item in items)
        return Outcomes(items, self.adapter, self.probabilities[rows, :widest])

    def chosen(self) -> NDArray[np.int64]:
        """(n_items,) index of each item's most probable choice; ties go to the first."""
        return np.argmax(self.probabilities, axis=1)

    def of(self, index: Callable[[Item], int | None]) -> NDArray[np.float64]:
        """(n_items,) probability of one choice an item. Raises ItemError where there is none."""
        columns: list[int] = []
        for item in self.items:
            column = index(item)
            if column is None:
                raise ItemError(
                    "this item does not say which choice is meant", where=f"item {item.id}"
                )
            columns.append(column)
        return self.probabilities[np.arange(len(columns)), np.array(columns)]

    def safe(self) -> NDArray[np.float64]:
        """(n_items,) total probability of the choices that decline."""
        out = np.empty(len(self.items))
        for row, item in enumerate(self.items):
            if not item.safe:
                raise ItemError("this item has no safe choice", where=f"item {item.id}")
            out[row] = self.probabilities[row, list(item.safe)].sum()
        return out


def read_items(path: Path) -> ItemSet:
    """Read a JSONL probe file; raises ItemError naming file, line and field."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ItemError("no such file", where=str(path), remedy="Check the path.") from None
    except (OSError, UnicodeDecodeError):
        raise ItemError(
            "not a readable UTF-8 text file", where=str(path), remedy="Save it as UTF-8 JSONL."
        ) from None
    return parse_items(path.stem, text, where=str(path))


def parse_items(name: str, text: str, *, where: str) -> ItemSet:
    """Items from JSONL text; ``where`` is named in errors."""
    items: list[Item] = []
    for record in read_jsonl(text):
        spot = f"{where}: line {record.line}"
        if record.fields is None:
            raise ItemError(record.fault, where=spot, remedy="Each line holds one JSON object.")
        items.append(Item.from_json(record.fields, where=spot))
    return set_of(name, items, where=where)


def set_of(name: str, items: Sequence[Item], *, where: str) -> ItemSet:
    """The set of a file's items; raises ItemError naming the file."""
    if not items:
        raise ItemError("no items", where=where, remedy="A probe file needs at least one item.")
    try:
        return ItemSet(name, tuple(items))
    except ItemError as error:
        raise ItemError(error.what, where=where, remedy=error.remedy) from None


def write_items(path: Path, items: Iterable[Item]) -> None:
    """Write items as JSONL, one canonical object a line."""
    lines = [json.dumps(item.to_json(), sort_keys=True, ensure_ascii=False) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
