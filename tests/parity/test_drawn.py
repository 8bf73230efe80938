"""Which items are asked: public ones, of all sets in turn, the same each time."""

from __future__ import annotations

import pytest

from unsilent.errors import InputError
from unsilent.items import Item, ItemSet
from unsilent.parity.check import drawn

CHOICES = (" a", " b")


def set_of(name: str, count: int, *, chat: bool = False) -> ItemSet:
    return ItemSet(
        name, tuple(Item(str(n), f"{name} {n}", CHOICES, chat=chat) for n in range(count))
    )


def test_sets_take_turns_and_their_ids_do_not_meet() -> None:
    found = drawn({"bias": set_of("bias", 50), "task": set_of("task", 3)}, 10)
    names = [item.id.split("/")[0] for item in found]
    assert (names.count("task"), names.count("bias")) == (3, 7)


def test_the_order_of_a_file_does_not_matter() -> None:
    some = set_of("bias", 50)
    turned = ItemSet("bias", some.items[::-1])
    assert drawn({"bias": some}, 10).digest == drawn({"bias": turned}, 10).digest


def test_chats_empty_prompts_and_repetitions_are_not_asked() -> None:
    odd = ItemSet("odd", (Item("e", " ", CHOICES), Item("r", "bias 0", CHOICES)))
    found = drawn({"chat": set_of("chat", 9, chat=True), "bias": set_of("bias", 2), "odd": odd}, 40)
    assert sorted(item.prompt for item in found) == ["bias 0", "bias 1"]


def test_of_a_pair_one_is_asked() -> None:
    some = ItemSet(
        "p", tuple(Item(f"{n}", f"text {n}", CHOICES, pair=f"{n % 5}") for n in range(10))
    )
    found = drawn({"bias": some}, 40)
    assert sorted(str(item.pair) for item in found) == ["0", "1", "2", "3", "4"]


def test_nothing_left_is_said() -> None:
    with pytest.raises(InputError, match="no item here can be asked"):
        drawn({"chat": set_of("chat", 3, chat=True)}, 40)
