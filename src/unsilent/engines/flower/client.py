"""The reference federation's ClientApp: train, and answer a monitoring round's queries.

The handlers are top-level functions: a worker imports this module once, so the base model that
``worker`` keeps stays resident from message to message. Where each message starts a process, the
exchanges that only move keys and masks load no model library.
"""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from unsilent.client.agreement import probe_folder
from unsilent.engines.flower import answering, messages
from unsilent.engines.flower.answering import (
    SIMULATION,
    Order,
    folder_of,
    index_of,
    log_of,
    simulated,
)
from unsilent.engines.flower.messages import MASKS
from unsilent.engines.flower.shipping import shipped_in
from unsilent.models.base import Adapter
from unsilent.reference.client import Client, start_sent

__all__ = ["SIMULATION", "app"]

app = ClientApp()


def _client(message: Message, context: Context) -> tuple[Client, Order, Adapter]:
    """Who is asked, for what, and with which adapter; nothing under a plan not agreed to."""
    order = answering.order_of(message, context)
    shipped = shipped_in(order.values)
    client = Client(
        order.text,
        index_of(context),
        folder_of(context),
        simulated=simulated(context),
        shipped=shipped,
        base=probe_folder(order.plan, order.owner, dict(shipped)),
        run=order.run,
    )
    return client, order, messages.adapter_of(message.content, str(order.values["base"]))


def start_client(message: Message, context: Context) -> Message:
    """Reply with the adapter that round 1 starts from: the plan's, or one that changes nothing."""
    order = answering.order_of(message, context)
    shipped = shipped_in(order.values)
    base = probe_folder(order.plan, order.owner, dict(shipped))
    adapter = start_sent(order.text, shipped, base)
    return messages.answer(
        message, {"client": index_of(context), "base": adapter.base}, adapter=adapter
    )


def train_client(message: Message, context: Context) -> Message:
    """Train from the global adapter; reply with the local one and today's metrics."""
    client, order, start = _client(message, context)
    local, report = client.train(order.round, start)
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
    """Measure the personalized behaviour; reply with one release, masked if so planned."""
    client, order, aggregated = _client(message, context)
    reference = messages.reference_of(message.content, aggregated.base)
    release = client.observer(order.round).begin(order.round)
    answering.keep_findings(order, context)
    if release is None:
        release = client.observe(order.round, aggregated, reference)
    return answering.sent(message, context, client.plan, release)


def promote_client(message: Message, context: Context) -> Message:
    """Keep the promoted adapter as the one in use, personalized."""
    client, order, promoted = _client(message, context)
    client.serve(order.round, promoted)
    return messages.answer(message, {"client": client.index})


def on_train(message: Message, context: Context) -> Message:
    """Handler of ``train`` messages."""
    return messages.guarded(train_client, log_of)(message, context)


def on_start(message: Message, context: Context) -> Message:
    """Handler of ``query.unsilent_start`` messages."""
    return messages.guarded(start_client, log_of)(message, context)


def on_name(message: Message, context: Context) -> Message:
    """Handler of ``query.unsilent_name`` messages."""
    return messages.guarded(answering.name_client, log_of)(message, context)


def on_observe(message: Message, context: Context) -> Message:
    """Handler of ``query.unsilent_observe`` messages."""
    return messages.guarded(observe_client, log_of)(message, context)


def on_promote(message: Message, context: Context) -> Message:
    """Handler of ``query.unsilent_promote`` messages."""
    return messages.guarded(promote_client, log_of)(message, context)


def on_mask(message: Message, context: Context) -> Message:
    """Handler of the secure sum's exchanges."""
    return messages.guarded(answering.mask_client, log_of)(message, context)


app.train()(on_train)
app.query("unsilent_start")(on_start)
app.query("unsilent_name")(on_name)
app.query("unsilent_observe")(on_observe)
app.query("unsilent_promote")(on_promote)
for _kind in MASKS:
    app.query(_kind.removeprefix("query."))(on_mask)
