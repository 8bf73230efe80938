"""A small cache bounded by bytes, so that a worker's memory does not grow with its clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """Keeps computed values up to ``limit`` bytes in all, dropping the least recently used.

    Args:
        limit: Bytes kept; a single larger value is returned and not kept.
        size: Bytes of a value.
    """

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        self._limit = limit
        self._size = size
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, compute: Callable[[], V]) -> V:
        """The kept value of ``key``, or a newly computed one."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        value = compute()
        size = self._size(value)
        if size <= self._limit:
            self._kept[key] = value
            self._bytes += size
            while self._bytes > self._limit:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= self._size(dropped)
        return value

    def newest(self) -> Iterator[V]:
        """What is kept, the most recently used first."""
        return reversed(self._kept.values())
