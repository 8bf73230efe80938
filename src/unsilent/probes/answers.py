"""Answers of one model to public items, as a file: computed once, looked up by content.

What the base model answers to a bank does not depend on any client. ``unsilent probes answers``
writes it, a plan pins the file, and a client looks its drawn items up instead of scoring them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from unsilent.errors import ItemError
from unsilent.images.items import by_content, shows_images
from unsilent.items import Item, ItemSet

ANSWERS_SCHEMA = "unsilent/answers/1"
_KEYS = ("bases", "tokenizer", "engine", "likelihood", "version", "adapter")
_DIGEST = 32
_ROUNDING = 1e-6

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Probabilities over the choices of items, under one model and adapter.

    Attributes:
        bases: Content hashes by which the base may be known: of its files, and of its weights.
        tokenizer: Of its tokenizer; empty where it has none.
        engine: Of what computed them; answers of another one are the same but for rounding.
        likelihood: By what choices are compared, as ``model.likelihood`` of a plan.
        version: Of unsilent.
        adapter: Content hash of the adapter; empty for the base alone.
        rows: By ``content_of`` an item the (n_choices,) probabilities.
    """

    bases: tuple[str, ...]
    tokenizer: str = ""
    engine: str = ""
    likelihood: str = "sum"
    version: str = ""
    adapter: str = ""
    rows: Mapping[str, Rows] = field(default_factory=dict[str, Rows], repr=False)

    def of(self, hashes: Mapping[str, str], likelihood: str) -> bool:
        """Whether these are answers of the model with these hashes, under this word."""
        return (
            hashes.get("base") in self.bases
            and hashes.get("tokenizer", "") in ("", self.tokenizer)
            and likelihood == self.likelihood
        )

    def to_bytes(self) -> bytes:
        """Safetensors whose header says what they are; equal answers give equal bytes."""
        names = sorted(self.rows)
        digests = np.array([list(bytes.fromhex(name)) for name in names], dtype=np.uint8)
        told = {key: getattr(self, key) for key in _KEYS}
        tensors = {
            "items": digests.reshape(len(names), _DIGEST),
            "choices": np.array([len(self.rows[name]) for name in names], dtype=np.int64),
            "probabilities": np.concatenate([np.zeros(0), *(self.rows[name] for name in names)]),
        }
        head = json.dumps({"schema": ANSWERS_SCHEMA, **told}, sort_keys=True)
        return save(tensors, metadata={"unsilent": head})

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Answers:
        """Read them. Raises ItemError naming the file if they are damaged, or none."""
        try:
            head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            told = cast("dict[str, Any]", json.loads(head["__metadata__"]["unsilent"]))
            tensors = load(data)
            items, choices = tensors["items"], tensors["choices"]
            probabilities = np.asarray(tensors["probabilities"], dtype=np.float64)
            fits = (
                told.pop("schema") == ANSWERS_SCHEMA
                and items.shape == (len(choices), _DIGEST)
                and probabilities.shape == (choices.sum(),)
                and bool((choices > 0).all())
            )
            if not fits or not (np.isfinite(probabilities) & (probabilities >= 0)).all():
                raise ValueError
            parts = np.split(probabilities, np.cumsum(choices)[:-1])
            if any(abs(part.sum() - 1) > _ROUNDING for part in parts):
                raise ValueError
            rows = {bytes(name).hex(): part for name, part in zip(items, parts, strict=True)}
            fields = {key: str(told[key]) for key in _KEYS if key != "bases"}
            return cls(tuple(map(str, told["bases"])), **fields, rows=rows)
        except (ValueError, KeyError, TypeError, SafetensorError):
            raise ItemError(
                "not a readable file of answers",
                where=where,
                remedy="Make it anew with `unsilent probes answers`.",
            ) from None


def content_of(item: Item) -> str:
    """Hex digest of what decides an item's answers: what is shown, and how it is asked.

    An image counts by what it holds, wherever it lies.
    """
    if shows_images((item,)):
        item = by_content(item)
    asked = [item.prompt, list(item.choices), item.task, item.chat]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()


def rows_by_content(items: ItemSet, table: Rows) -> dict[str, Rows]:
    """(n_items, max_choices) probabilities by what each item asks."""
    return {
        content_of(item): np.array(table[row, : len(item.choices)], dtype=np.float64)
        for row, item in enumerate(items)
    }


def table_of(items: ItemSet, rows: Mapping[str, Rows]) -> Rows:
    """(n_items, max_choices) probabilities of items that all have a row, 0 beyond their choices."""
    table = np.zeros((len(items), max(len(item.choices) for item in items)))
    for place, item in enumerate(items):
        row = rows[content_of(item)]
        table[place, : len(row)] = row
    return table


def missing(items: Iterable[Item], rows: Mapping[str, Rows]) -> tuple[Item, ...]:
    """The items without a row of as many choices as they have."""
    return tuple(i for i in items if len(rows.get(content_of(i), ())) != len(i.choices))
