"""The reference federation's ClientApp.

The handler is a top-level function: a worker imports this module once, so the base model that
``reference.client`` keeps stays resident from message to message. Where each message starts a
process, the exchanges that only move keys and masks load no model library.
"""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from unsilent.client.participant import answer
from unsilent.engines.flower.messages import kind_of, order_in, reply
from unsilent.engines.flower.site import SIMULATION, site_of
from unsilent.messages import MONITORING
from unsilent.reference.participant import OWN, TRAIN, measure

__all__ = ["SIMULATION", "app", "on_message"]

app = ClientApp()


def on_message(message: Message, context: Context) -> Message:
    """Handler of all of the federation's messages, told apart by their type."""
    kind = kind_of(message.metadata.message_type) or TRAIN
    order = order_in(message, plain=True)
    return reply(message, answer(kind, order, site_of(context), measure, more=OWN))


app.train()(on_message)
for _kind in sorted(MONITORING | set(OWN) - {TRAIN}):
    app.query(f"unsilent_{_kind}")(on_message)
