"""What published scores read from an item, and who answered what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from unsilent.errors import ItemError
from unsilent.items import Item

_T = TypeVar("_T")


def text(item: Item, key: str, *allowed: str) -> str:
    """An attribute; raises ItemError if it is missing or none of the allowed ones."""
    value = item.attributes.get(key)
    if value is None or (allowed and value not in allowed):
        raise _lacking(item, key, f"one of {', '.join(allowed)}" if allowed else "there")
    return value


def number(item: Item, key: str) -> int:
    """An attribute that is a whole number from 0; raises ItemError if it is missing or none."""
    value = item.attributes.get(key, "")
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise _lacking(item, key, "a whole number")
    return int(value)


def choice(item: Item, key: str) -> int:
    """An attribute that is a choice's index; raises ItemError if it is missing or none."""
    value = number(item, key)
    if value >= len(item.choices):
        raise _lacking(item, key, f"an index from 0 to {len(item.choices) - 1}")
    return value


def answer(item: Item) -> int:
    """The correct choice; raises ItemError if the item does not say."""
    if item.answer is None:
        raise ItemError("this item does not say which choice is correct", where=f"item {item.id}")
    return item.answer


def grouped(rows: Iterable[_T], key: Callable[[_T], str]) -> dict[str, list[_T]]:
    """The rows by their key, keys in alphabetical order, rows as they came."""
    found: dict[str, list[_T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items()))


def _lacking(item: Item, key: str, kind: str) -> ItemError:
    return ItemError(
        f"attribute {key!r} is not {kind}",
        where=f"item {item.id}",
        remedy="Load the set with its own loader, or give its items this attribute.",
    )
