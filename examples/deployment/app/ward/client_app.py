"""What a ward runs: its training, and the one line that lets it answer monitoring."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from unsilent.flower import monitor_client
from unsilent.items import Item, ItemSet
from ward.task import FEATURES, as_item, patients, probability, train

TRAINED = 60


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    """Probabilities over each item's choices; untrained, both are as likely."""
    weights = np.zeros(FEATURES + 1) if arrays is None else arrays.to_numpy_ndarrays()[0]
    x = np.array([[float(number) for number in item.prompt.split()] for item in items])
    chance = probability(x, weights)
    return [[1 - p, p] for p in chance]


def records(context: Context) -> Iterator[Item]:
    """The ward's own patients that it does not train on."""
    x, y = patients(int(context.node_config["partition-id"]))
    for number in range(TRAINED, len(y)):
        yield as_item(f"stay-{number}", x[number], int(y[number]))


app = monitor_client(ClientApp(), score, records=records)


@app.train()
def fit(message: Message, context: Context) -> Message:
    """Train on the ward's patients."""
    x, y = patients(int(context.node_config["partition-id"]))
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    weights, loss, accuracy = train(weights, x[:TRAINED], y[:TRAINED])
    metrics = {"train_loss": loss, "train_accuracy": accuracy, "num-examples": TRAINED}
    content = {"arrays": ArrayRecord([weights]), "metrics": MetricRecord(metrics)}
    return Message(RecordDict(content), reply_to=message)
