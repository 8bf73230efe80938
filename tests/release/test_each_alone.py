"""What is answered to one record does not depend on the records beside it."""

import numpy as np

from unsilent.items import Item, ItemSet
from unsilent.release.record_rules import each_alone


def padded(items):
    """A scorer whose numbers depend on the longest text of the batch, as padding makes them."""
    longest = max(len(item.prompt) for item in items)
    widest = max(len(item.choices) for item in items)
    table = np.zeros((len(items), widest))
    for row, item in enumerate(items):
        count = len(item.choices)
        table[row, :count] = 1 / count
        table[row, 0] += 1e-7 * (longest - len(item.prompt))
        table[row, 1] -= 1e-7 * (longest - len(item.prompt))
    return table


def made(*texts):
    return ItemSet(
        "held-out",
        tuple(
            Item(f"r{n}", text, (" a", " b", " c")[: 2 + n % 2], answer=0)
            for n, text in enumerate(texts)
        ),
    )


def test_a_longer_record_changes_no_other_row():
    one, other = made("short", "text", "tail"), made("short", "text" * 50, "tail")
    assert not np.array_equal(padded(one)[[0, 2]], padded(other)[[0, 2]])
    assert np.array_equal(each_alone(one, padded)[[0, 2]], each_alone(other, padded)[[0, 2]])


def test_rows_are_those_of_all_at_once_and_nothing_lies_beyond_an_items_choices():
    items = made("same", "same", "same")
    assert np.array_equal(each_alone(items, padded), padded(items))
    assert each_alone(items, padded)[0, 2] == 0.0
