"""What a client of the reference federation answers: it starts, trains, is measured, and serves."""

from __future__ import annotations

from unsilent.client.measuring import Measured
from unsilent.client.participant import Agreed, Work
from unsilent.messages import ADAPTER, REFERENCE, Answer, Arrays
from unsilent.models.base import Adapter
from unsilent.reference.client import Client, start_sent

START = "start"
"""Kind of the question for an adapter to start from."""
TRAIN = "train"
"""Of a round of training."""
PROMOTE = "promote"
"""Of the gate's word which adapter to use from now on."""
BASE = "base"
"""Field of an order and of an answer: the digest of the model that its adapter belongs to."""
METRICS: tuple[str, ...] = ("num-examples", "loss", "accuracy")
"""Names of what a client tells of its training."""


def measure(asked: Agreed) -> Measured:
    """What one client of the federation measures."""
    client, aggregated = _client(asked), _adapter(asked, asked.order.arrays[ADAPTER])
    given = asked.order.arrays.get(REFERENCE)
    reference = None if given is None else _adapter(asked, given)
    return client.measure(asked.order.round, aggregated, reference)


def _start(asked: Agreed) -> Answer:
    """The adapter that round 1 starts from: the plan's, or one that changes nothing."""
    adapter = start_sent(asked.order.plan, asked.shipped, asked.probes_in)
    return Answer({"client": asked.site.number, BASE: adapter.base}, {ADAPTER: adapter.tensors})


def _train(asked: Agreed) -> Answer:
    """Train from the global adapter; the local one and today's metrics."""
    start = _adapter(asked, asked.order.arrays[ADAPTER])
    local, report = _client(asked).train(asked.order.round, start)
    told = float(report.examples), report.loss, report.accuracy
    metrics = dict(zip(METRICS, told, strict=True))
    return Answer({"client": asked.site.number}, {ADAPTER: local.tensors}, metrics)


def _promote(asked: Agreed) -> Answer:
    """Keep the promoted adapter as the one in use, personalized."""
    _client(asked).serve(asked.order.round, _adapter(asked, asked.order.arrays[ADAPTER]))
    return Answer({"client": asked.site.number})


OWN: dict[str, Work] = {START: _start, TRAIN: _train, PROMOTE: _promote}
"""What is asked beside monitoring, by kind."""


def _client(asked: Agreed) -> Client:
    return Client(
        asked.order.plan,
        asked.site.number,
        asked.site.folder,
        simulated=asked.site.simulated,
        shipped=asked.shipped,
        base=asked.probes_in,
        run=asked.order.run,
        drawn_as=asked.drawn_as,
        answers=asked.answers_in,
    )


def _adapter(asked: Agreed, arrays: Arrays) -> Adapter:
    return Adapter(str(asked.order.body[BASE]), dict(arrays))
