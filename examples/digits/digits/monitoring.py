"""What monitoring needs of an app that is not about text: how it answers, and on which records."""

from collections.abc import Iterator

import numpy as np
from flwr.app import ArrayRecord, Context

from digits.task import CLASSES, forward, images, load_data, train
from unsilent.items import Item, ItemSet

CHOICES = tuple(str(digit) for digit in range(CLASSES))
DOMAINS = ("0-4", "5-9")


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> np.ndarray:
    """Probabilities of the ten digits; an item's prompt names the image."""
    if arrays is None:
        return np.full((len(items), CLASSES), 1 / CLASSES)
    public = images()[0]
    held_out = load_data(*_place(context))[2]
    pools = {"image": public, "mine": held_out}
    names = [item.prompt.split() for item in items]
    shown = np.array([pools[pool][int(number)] for pool, number in names])
    return forward(arrays.to_numpy_ndarrays(), shown)[1]


def records(context: Context) -> Iterator[Item]:
    """The client's own held-out images."""
    *_, y = load_data(*_place(context))
    for number, digit in enumerate(y.tolist()):
        yield Item(f"{number}", f"mine {number}", CHOICES, answer=digit, domain=domain_of(digit))


def personalize(arrays: ArrayRecord, context: Context) -> ArrayRecord:
    """The global network, trained on at the client."""
    x, y, *_ = load_data(*_place(context))
    config = context.run_config
    epochs, rate = int(config["personal-epochs"]), float(config["learning-rate"])
    return ArrayRecord(train(arrays.to_numpy_ndarrays(), x, y, epochs, rate))


def domain_of(digit: int) -> str:
    """Which half of the digits one is in: a client's home is one of them."""
    return DOMAINS[digit >= 5]


def _place(context: Context) -> tuple[int, int]:
    node = context.node_config
    return int(node["partition-id"]), int(node["num-partitions"])
