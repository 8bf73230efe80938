"""The reference federation's ClientApp: train, and answer a monitoring round's query.

The handlers are top-level functions: a worker imports this module once, so the base model that
``worker`` keeps stays resident from message to message.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from unsilent.flower import messages
from unsilent.flower.worker import Client, start_adapter
from unsilent.models.base import Adapter

START = "query.unsilent_start"
"""Message type of the question for an adapter to start from."""
OBSERVE = "query.unsilent_observe"
"""Message type of a monitoring round."""

app = ClientApp()


def _index(context: Context) -> int:
    return int(context.node_config["partition-id"])


def _folder(message: Message, context: Context) -> Path:
    """The client's own folder: its node's ``store``, or one in the simulated run's."""
    order = message.content.config_records[messages.ORDER]
    store = context.node_config.get("store") or f"{order['out']}/clients/{_index(context):04d}"
    return Path(str(store))


def _log(message: Message, context: Context) -> Path:
    return _folder(message, context) / "error.log"


def _client(message: Message, context: Context) -> tuple[Client, int, Adapter]:
    """Who is asked, for which round, and with which adapter."""
    order = message.content.config_records[messages.ORDER]
    client = Client(
        str(order["plan"]), _index(context), _folder(message, context), bool(order["simulated"])
    )
    adapter = messages.adapter_of(message.content, str(order["base"]))
    return client, int(str(order["round"])), adapter


def start_client(message: Message, context: Context) -> Message:
    """Reply with the adapter that round 1 starts from: the plan's, or one that changes nothing."""
    order = message.content.config_records[messages.ORDER]
    adapter = start_adapter(str(order["plan"]))
    return messages.answer(
        message, {"client": _index(context), "base": adapter.base}, adapter=adapter
    )


def train_client(message: Message, context: Context) -> Message:
    """Train from the global adapter; reply with the local one and today's metrics."""
    client, round_number, start = _client(message, context)
    if round_number == client.plan.reference_round:
        client.keep_reference(start)
    local, report = client.train(round_number, start)
    return messages.answer(
        message,
        {"client": client.index},
        adapter=local,
        metrics={
            "loss": report.loss,
            "accuracy": report.accuracy,
            "num-examples": float(report.examples),
        },
    )


def observe_client(message: Message, context: Context) -> Message:
    """Measure the personalized behaviour; reply with one noised release and nothing else."""
    client, round_number, aggregated = _client(message, context)
    release = client.observe(round_number, aggregated)
    return messages.answer(message, {"client": client.index, "release": release.to_bytes()})


def on_train(message: Message, context: Context) -> Message:
    """Handler of ``train`` messages."""
    return messages.guarded(train_client, _log)(message, context)


def on_start(message: Message, context: Context) -> Message:
    """Handler of ``query.unsilent_start`` messages."""
    return messages.guarded(start_client, _log)(message, context)


def on_observe(message: Message, context: Context) -> Message:
    """Handler of ``query.unsilent_observe`` messages."""
    return messages.guarded(observe_client, _log)(message, context)


app.train()(on_train)
app.query("unsilent_start")(on_start)
app.query("unsilent_observe")(on_observe)
