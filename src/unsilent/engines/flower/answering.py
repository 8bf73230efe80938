"""A client's answers to monitoring: who it is, its part in a secure sum, and its release.

What the reference federation's ClientApp and a monitored one share. Where each message starts a
process, the exchanges that only move keys and masks load no model library.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flwr.app import Context, Message

from unsilent.client.agreement import Owner, agreed, keep_out
from unsilent.client.observer import Observer
from unsilent.client.sentences import LOG
from unsilent.engines.flower import messages
from unsilent.engines.flower.messages import AGREE, BOXES, DRAW, KEYS, SHARES, UNMASK
from unsilent.errors import NoFolderError, SecureSumError, UnsilentError
from unsilent.files import write_whole
from unsilent.plan import MonitoringPlan
from unsilent.release import ExactNoise, NoiseSource, Release, SeededNoise

if TYPE_CHECKING:
    from unsilent.release.secure_sum import SecureClient

SIMULATION = "UNSILENT_SIMULATION"
"""Environment variable of simulated clients: the folder that holds theirs."""

_ID_BYTES = 16


@dataclass(frozen=True)
class Order:
    """What a message asks, under a plan that the client's owner agreed to.

    Attributes:
        plan: The plan.
        text: Its JSON, as it came.
        run: Which run of the plan asks.
        round: The round; 0 before the first.
        owner: The settings by which the plan passed.
        values: The message's other fields, not yet looked at.
    """

    plan: MonitoringPlan
    text: str
    run: str
    round: int
    owner: Owner
    values: Any


def order_of(message: Message, context: Context) -> Order:
    """What a message asks. Every handler begins here: before it nothing of a message is used.

    Raises:
        NotAgreedError: The client's owner did not agree to the message's plan.
        NoFolderError: The client has no folder of its own.
    """
    values = message.content.config_records[messages.ORDER]
    text = str(values["plan"])
    owner = Owner.of(context.node_config, simulates=simulated(context))
    plan = agreed(text, owner)
    keep_out(plan, owner, folder_of(context))
    round_number = int(str(values.get("round", 0)))
    return Order(plan, text, str(values.get("run", "")), round_number, owner, values)


def index_of(context: Context) -> int:
    """The client's number: its node's ``partition-id``, -1 where it has none."""
    return int(context.node_config.get("partition-id", -1))


def name_of(context: Context) -> str:
    """The client's name in its own files."""
    index = index_of(context)
    return "client" if index < 0 else f"client-{index}"


def simulated(context: Context) -> bool:
    """Whether the client is simulated, which decides that its noise is seeded.

    Nothing that a server sends makes it so: either the environment says it, or the process is a
    worker of Flower's simulation.
    """
    return not context.node_config.get("store") and (SIMULATION in os.environ or _in_worker())


def folder_of(context: Context) -> Path:
    """The client's own folder: its node's ``store``, else one of a simulated run.

    Never one that the server names.

    Raises:
        NoFolderError: The node has none and is not simulated.
    """
    store = context.node_config.get("store")
    if store:
        return Path(str(store))
    number = f"{max(index_of(context), 0):04d}"
    if SIMULATION in os.environ:
        return Path(os.environ[SIMULATION]) / "clients" / number
    if _in_worker():
        return Path(tempfile.gettempdir()) / f"unsilent-{context.run_id}" / number
    raise NoFolderError(
        "this client has no folder of its own",
        where="node config",
        remedy=f"Start its SuperNode with --node-config 'store=\"FOLDER\"', or set {SIMULATION} "
        "to a folder for a simulation.",
    )


def log_of(context: Context) -> Path:
    """Where the client's owner reads what went wrong."""
    return folder_of(context) / LOG


def name_client(message: Message, context: Context) -> Message:
    """Reply with the client's number and its identity: for a secure sum its public signing key."""
    plan = order_of(message, context).plan
    if plan.privacy.aggregation == "secure-sum":
        identity = _masking(plan, plan.monitoring_rounds[0], context).identity
    else:
        identity = _identity(folder_of(context))
    return messages.answer(message, {"client": index_of(context), "identity": identity})


def mask_client(message: Message, context: Context) -> Message:
    """Reply to an exchange of the secure sum, by the message's type."""
    order = order_of(message, context)
    given = order.values["body"]
    if not isinstance(given, bytes):
        raise SecureSumError("the server's message holds no bytes")
    masking = _masking(order.plan, order.round, context)
    kind = message.metadata.message_type
    if kind == KEYS:
        return messages.answer(message, {"body": masking.advertise()})
    answer = {
        DRAW: masking.reveal,
        SHARES: masking.share,
        BOXES: masking.accept,
        AGREE: masking.agree,
        UNMASK: masking.unmask,
    }[kind]
    return messages.answer(message, {"body": answer(given)})


def observer_of(order: Order, context: Context) -> Observer:
    """The client's observer for the plan and the run of a message."""
    seeded = simulated(context)
    return Observer(
        order.plan,
        name_of(context),
        folder_of(context),
        noise=noise_of(order.plan, index_of(context), order.round, seeded=seeded),
        run=order.run,
    )


def noise_of(plan: MonitoringPlan, index: int, round_number: int, *, seeded: bool) -> NoiseSource:
    """The exact sampler, or a client's repeatable one in a simulation."""
    if seeded:
        return SeededNoise([plan.seed, max(index, 0), round_number])
    return ExactNoise()


def sent(message: Message, context: Context, plan: MonitoringPlan, made: Release) -> Message:
    """The reply that carries a release, masked if the plan says so."""
    if plan.privacy.aggregation == "plain":
        return messages.answer(message, {"body": made.to_bytes()})
    masked = _masking(plan, made.round, context).mask(made.round, made.vector)
    return messages.answer(message, {"body": masked})


def keep_findings(order: Order, context: Context) -> None:
    """Keep the findings that came with a message, for the client's own view of where it stands.

    What is none, or is of another plan, is passed over: a round does not depend on it.
    """
    # Not before a message brings some: the exchanges of a secure sum load no schema.
    from unsilent.client.local import receive_findings
    from unsilent.findings import Findings

    told = order.values.get("findings")
    if isinstance(told, str):
        with suppress(UnsilentError, ValueError, RecursionError, OSError):
            findings = Findings.from_json(json.loads(told))
            if findings.plan == order.plan.digest:
                receive_findings(folder_of(context), findings)


def _masking(plan: MonitoringPlan, round_number: int, context: Context) -> SecureClient:
    """The client's side of the secure sum that serves a round."""
    # Waits for a plan that asks for it: nothing else needs its cryptography.
    from unsilent.release.secure_sum import SecureClient, Terms

    terms = Terms.serving(plan, round_number)
    return SecureClient(terms, folder_of(context), pinned=plan.privacy.secure_sum.keys)


def _identity(folder: Path) -> bytes:
    """What tells this client's folder from every other, made once."""
    path = folder / "identity"
    if not path.is_file():
        write_whole(path, os.urandom(_ID_BYTES))
    return path.read_bytes()


def _in_worker() -> bool:
    """Whether this process is a worker of Ray, in which Flower's simulation runs its clients."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return False
    return bool(ray.get_runtime_context().worker.mode == ray.WORKER_MODE)
