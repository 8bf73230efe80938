"""One client's part in monitoring, for every engine: agree, measure, release, mask.

An engine makes an order and a site of what it received, calls :func:`answer` and sends what comes
back. Whether the owner agreed to the plan is asked before anything else of an order is used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from unsilent.client.agreement import Owner, agreed, answers_file, keep_out, probe_folder
from unsilent.client.failures import guarded
from unsilent.client.measuring import Measured
from unsilent.client.observer import Observer
from unsilent.client.retired import refuse_retired
from unsilent.client.site import Site
from unsilent.device import computing_on
from unsilent.errors import InputError, SecureSumError, UnsilentError
from unsilent.files import write_whole
from unsilent.messages import (
    AGREE,
    BOXES,
    DRAW,
    KEYS,
    MASKS,
    MONITORING,
    NAME,
    OBSERVE,
    SHARES,
    UNMASK,
    Answer,
    Order,
    asked_from_here,
)
from unsilent.plan import MonitoringPlan
from unsilent.preserve import time_limit
from unsilent.probes.shipping import Shipped, shipped_in
from unsilent.release import ExactNoise, NoiseSource, Release, SeededNoise

if TYPE_CHECKING:
    from unsilent.release.secure_sum import SecureClient

_ID_BYTES = 16


@dataclass(frozen=True)
class Agreed:
    """An order under a plan that the client's owner agreed to.

    Attributes:
        plan: The plan.
        order: The order; its other fields are not yet looked at.
        site: Whom it was sent to.
    """

    plan: MonitoringPlan
    order: Order
    site: Site

    @classmethod
    def to(cls, order: Order, site: Site) -> Agreed:
        """An order, if its plan was agreed to. Before it nothing of an order is used.

        Raises:
            NotAgreedError: The client's owner did not agree to the order's plan.
            NoFolderError: The client has no folder of its own.
            InputError: Its round is no whole number, or its plan is of the first schema.
        """
        owner = _owner(order, site)
        plan = agreed(order.plan, owner)
        plan.refuse_earlier()
        keep_out(plan, owner, site.folder)
        # ``True`` is 1 as well, and would be written otherwise: as another file's name.
        if type(order.round) is not int:
            raise InputError(
                "a round is a whole number",
                where="the server's order",
                remedy="Server and clients need the same version of unsilent.",
            )
        return cls(plan, order, site)

    @cached_property
    def shipped(self) -> Shipped:
        """Probe sets that came with it, not yet held against the plan's pins."""
        return shipped_in(self.order.body)

    @cached_property
    def probes_in(self) -> Path | None:
        """Folder of the plan's relative paths; None if the owner read the plan."""
        return probe_folder(self.plan, _owner(self.order, self.site), dict(self.shipped))

    @property
    def answers_in(self) -> Path | None:
        """Where the plan's file of answers may lie; None if it names none that may be read."""
        return answers_file(self.plan, _owner(self.order, self.site))

    @property
    def drawn_as(self) -> str:
        """By which words this client's items are drawn."""
        return drawn_as(self.plan, self.site)

    def observer(self) -> Observer:
        """What releases for this client."""
        return observer_of(self.plan, self.site, self.order.run, self.order.round)


Measure = Callable[[Agreed], Measured]
"""Measures all planned modes of one client, what its run shows, and whether its adapter acts."""
Work = Callable[[Agreed], Answer]
"""Answers an order of the engine's or the federation's own."""


def answer(
    kind: str,
    order: Order,
    site: Site,
    measure: Measure | None = None,
    *,
    more: Mapping[str, Work] | None = None,
) -> Answer:
    """A client's answer to an order. Whatever fails is one of ``client.sentences``.

    Args:
        kind: What is asked: one of ``messages.MONITORING``, or a key of ``more``.
        order: As it came.
        site: Who is asked.
        measure: Called at most once a round, and never again once the round is released.
        more: Further kinds; they too are answered only under a plan that was agreed to.
    """
    with computing_on(site.device):
        return guarded(lambda: _answered(kind, Agreed.to(order, site), measure, more or {}), site)


def observer_of(plan: MonitoringPlan, site: Site, run: str, round_number: int) -> Observer:
    """A client's observer for a plan and a run of it."""
    noise = noise_of(plan, site.number, round_number, seeded=site.simulated)
    return Observer(plan, site.name, site.folder, noise=noise, run=run)


def noise_of(plan: MonitoringPlan, index: int, round_number: int, *, seeded: bool) -> NoiseSource:
    """The exact sampler, or a client's repeatable one in a simulation."""
    if seeded:
        return SeededNoise([plan.seed, max(index, 0), round_number])
    return ExactNoise()


def _owner(order: Order, site: Site) -> Owner:
    """Whose client this is: also the server's own, where one process is both sides."""
    return replace(site.owner, here=asked_from_here(order))


def _answered(
    kind: str, asked: Agreed, measure: Measure | None, more: Mapping[str, Work]
) -> Answer:
    if kind in MONITORING:
        refuse_retired(asked.site.folder)
    if kind == NAME:
        return _name(asked)
    if kind in MASKS:
        return _exchange(kind, asked)
    if kind == OBSERVE and measure is not None:
        return _observe(asked, measure)
    if kind in more:
        return more[kind](asked)
    raise InputError(
        "no question of this kind is answered here",
        where=kind[:60],
        remedy="Server and clients need the same version of unsilent.",
    )


def drawn_as(plan: MonitoringPlan, site: Site) -> str:
    """By which words a client's items are drawn from a bank: what it enrols by, so none can choose.

    Simulated clients are told apart by their numbers, so that a simulation can be repeated. Real
    ones by their identity: owners may give two clients one number, and both would be asked the
    same. Whoever enrols the client knows either, and can draw its items again.

    Raises:
        NoFolderError: It is no simulated one and has no folder of its own.
    """
    return site.name if site.simulated else identity_of(plan, site).hex()


def identity_of(plan: MonitoringPlan, site: Site) -> bytes:
    """What a client enrols by: for a secure sum its public signing key."""
    if plan.privacy.aggregation == "secure-sum":
        return _masking(plan, plan.monitoring_rounds[0], site).identity
    return _identity(site.folder)


def _name(asked: Agreed) -> Answer:
    """The client's number and its identity."""
    identity = identity_of(asked.plan, asked.site)
    return Answer({"client": asked.site.number, "identity": identity})


def _exchange(kind: str, asked: Agreed) -> Answer:
    """The client's part in an exchange of the secure sum."""
    given = asked.order.body["body"]
    if not isinstance(given, bytes):
        raise SecureSumError("the server's message holds no bytes")
    masking = _masking(asked.plan, asked.order.round, asked.site)
    if kind == KEYS:
        # Who may not release in this round lends it no keys: it would be missed later, and cost
        # the others a drop-out that they planned for someone else.
        asked.observer().check_rounds(asked.order.round)
        return Answer({"body": masking.advertise()})
    work = {
        DRAW: masking.reveal,
        SHARES: masking.share,
        BOXES: masking.accept,
        AGREE: masking.agree,
        UNMASK: masking.unmask,
    }[kind]
    return Answer({"body": work(given)})


def _observe(asked: Agreed, measure: Measure) -> Answer:
    """One release, masked if the plan says so. It is measured unless it was made before."""
    plan, number = asked.plan, asked.order.round
    # Both are asked first: whether measuring fails tells something of what is measured.
    _ = asked.shipped, asked.probes_in
    observer = asked.observer()
    made = observer.begin(number)
    _keep_findings(asked)
    if made is None:
        if plan.privacy.aggregation == "secure-sum":
            _masking(plan, number, asked.site).check_ready(number)
        # A function that hangs would hold up training after the server has gone on.
        with time_limit(plan.monitor.timeout):
            measured = measure(asked)
        made = observer.release(number, *measured)
    return Answer({"body": _sent(plan, asked.site, made)})


def _sent(plan: MonitoringPlan, site: Site, made: Release) -> bytes:
    if plan.privacy.aggregation == "plain":
        return made.to_bytes()
    return _masking(plan, made.round, site).mask(made.round, made.vector)


def _keep_findings(asked: Agreed) -> None:
    """Keep the findings that came with an order, for the client's own view of where it stands.

    What is none, or is of another plan, is passed over: a round does not depend on it.
    """
    # Not before a message brings some: the exchanges of a secure sum load no schema.
    from unsilent.client.local import receive_findings
    from unsilent.findings import Findings

    told = asked.order.body.get("findings")
    if isinstance(told, str):
        with suppress(UnsilentError, ValueError, RecursionError, OSError):
            findings = Findings.from_json(json.loads(told))
            if findings.plan == asked.plan.digest:
                receive_findings(asked.site.folder, findings)


def _masking(plan: MonitoringPlan, round_number: int, site: Site) -> SecureClient:
    """The client's side of the secure sum that serves a round."""
    # Waits for a plan that asks for it: nothing else needs its cryptography.
    from unsilent.release.secure_sum import SecureClient, Terms

    terms = Terms.serving(plan, round_number)
    return SecureClient(terms, site.folder, pinned=plan.privacy.secure_sum.keys)


def _identity(folder: Path) -> bytes:
    """What tells this client's folder from every other, made once."""
    path = folder / "identity"
    if not path.is_file():
        write_whole(path, os.urandom(_ID_BYTES))
    return path.read_bytes()
