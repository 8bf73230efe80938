"""What monitoring needs of an app: how its model answers, on which records, and whose own it is."""

from collections.abc import Iterator

import numpy as np
from flwr.app import ArrayRecord, Context

from unsilent.images import shown
from unsilent.items import Item, ItemSet
from visionexample.task import HERE, adapter_of, load_data, the_model, train


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> np.ndarray:
    """Probabilities of the ten digits; None is the base that the provider trained."""
    if items.folder is None:  # the client's own records
        items = shown(items, HERE)
    return the_model().score(items, None if arrays is None else adapter_of(arrays))


def records(context: Context) -> Iterator[Item]:
    """The client's own held-out images."""
    yield from data_of(context)[1]


def personalize(arrays: ArrayRecord, context: Context) -> ArrayRecord:
    """The global adapter, trained on at the client."""
    config = context.run_config
    epochs, rate = int(config["personal-epochs"]), float(config["learning-rate"])
    return train(arrays, data_of(context)[0], epochs, rate, seed=1)[0]


def data_of(context: Context) -> tuple[ItemSet, ItemSet]:
    """Images to train on, and held-out ones."""
    node, config = context.node_config, context.run_config
    place = int(node["partition-id"]), int(node["num-partitions"])
    return load_data(*place, bool(config["narrow"]), int(config["images"]))
