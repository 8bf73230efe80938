"""The server's side of monitoring rounds, whoever trains: enrol, spend, measure, sum, judge.

Every engine goes through here, by a transport of its own. A round that fails is recorded as missed,
with its reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unsilent.errors import BudgetError, BudgetSpentError, ReleaseError, RunError, SecureSumError
from unsilent.findings import Finding
from unsilent.messages import ADAPTER, NAME, OBSERVE, REFERENCE, Answer, Arrays, Order
from unsilent.plan import MonitoringPlan
from unsilent.release.noise import needed_releases
from unsilent.server.monitor import Monitor
from unsilent.server.plain_sum import Aggregation, PlainSum
from unsilent.server.transport import Answers, Report, Transport, ask


@dataclass(frozen=True)
class Member:
    """An enrolled client: its number, -1 if it has none, and its identity, empty if not told."""

    number: int
    identity: bytes


class Coordinator:
    """One run's monitoring rounds: who is asked for what, and what becomes of it.

    Args:
        transport: Reaches the nodes.
        plan: The plan.
        monitor: Judges, and keeps the ledger.
        out: The run's folder.
        report: Told the stage and how many clients have answered.
        shipped: Fields of an order that carry the pinned probe files, as
            ``probes.shipping.shipped_fields`` gives them.

    Attributes:
        members: Enrolled clients by node, no two the same.
    """

    def __init__(
        self,
        transport: Transport,
        plan: MonitoringPlan,
        monitor: Monitor,
        out: Path,
        report: Report,
        shipped: Mapping[str, bytes] | None = None,
    ) -> None:
        self.plan = plan
        self.monitor = monitor
        self.members: dict[int, Member] = {}
        self._releases = Counter[int]()
        self._text = json.dumps(plan.to_json())
        self._shipped = dict(shipped or {})
        self._transport = transport
        self._report = report
        self._aggregation: Aggregation = PlainSum(monitor)
        if plan.privacy.aggregation == "secure-sum":
            from unsilent.server.masked_sum import SecureSum

            self._aggregation = SecureSum(plan, monitor, out, self.exchange)

    def enrol(self, nodes: Iterable[int]) -> Answers:
        """Ask nodes who they are, those that have not said so yet.

        Of two that are the same client the first one is enrolled.
        """
        new = [node for node in nodes if node not in self.members]
        if not new:
            return Answers()
        asked = {node: {} for node in new}
        answers = self.exchange(NAME, 0, asked, "start: enrol the clients")
        known = {_who(member) for member in self.members.values()}
        for node, reply in list(answers.good.items()):
            member = _member(reply)
            if member is None:
                del answers.good[node]
                answers.reasons.append("a client did not say who it is")
            elif (who := _who(member)) is not None and who in known:
                answers.reasons.append("two nodes are the same client, and one was not asked")
            else:
                known.add(who)
                self.members[node] = member
        return answers

    def observe(
        self,
        round_number: int,
        nodes: Sequence[int],
        adapter: Arrays,
        reference: Arrays | None,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[Finding, ...] | None:
        """One monitoring round: spend, measure, sum, judge; None if it was missed.

        Args:
            round_number: A monitoring round of the plan.
            nodes: Who trained in it.
            adapter: The newly aggregated one.
            reference: What behaviour is compared with; None is the base model.
            body: Further fields of the order, for an engine's or a federation's own clients.

        Raises:
            InputError: What the plan names is unusable for every client.
        """
        try:
            present = self._present(nodes)
            begun = not self.monitor.spend(round_number)
            identities = {node: self.members[node].identity for node in present}
            summed = self._aggregation.prepare(round_number, identities, begun=begun)
            # Who is in no sum is not asked: it would spend what its numbers cost for nothing.
            asked = [node for node in present if node in summed]

            def measure() -> Answers:
                return self._measured(round_number, asked, adapter, reference, body or {})

            total = self._aggregation.collect(round_number, measure)
            return self.monitor.judge(round_number, total)
        except (BudgetError, ReleaseError, RunError, SecureSumError) as error:
            if isinstance(error, BudgetSpentError):
                self.monitor.stop(round_number, error.line())
            self.monitor.miss(round_number, error.line())
            return None

    def may_release(self, node: int) -> bool:
        """Whether a node has answered in fewer rounds than the plan lets one client release in.

        As far as this process knows: a client counts for itself, and refuses what is too much.
        """
        cap = self.plan.privacy.rounds_per_client
        return cap is None or self._releases[node] < cap

    def order(
        self,
        round_number: int,
        body: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Arrays] | None = None,
        *,
        probes: bool = False,
    ) -> Order:
        """An order of this run.

        Args:
            round_number: The round; 0 before the first.
            body: Its fields.
            arrays: Its arrays.
            probes: Whether the pinned probe files travel with it.
        """
        fields = {**(self._shipped if probes else {}), **(body or {})}
        return Order(self._text, self.monitor.run, round_number, fields, arrays or {})

    def exchange(
        self, kind: str, round_number: int, asked: Mapping[int, Mapping[str, Any]], stage: str
    ) -> Answers:
        """Ask nodes, each with its own fields, as long as the plan waits."""
        orders = {node: self.order(round_number, body) for node, body in asked.items()}
        return self.ask(kind, orders, stage, self.plan.monitor.timeout)

    def ask(self, kind: str, orders: Mapping[int, Order], stage: str, timeout: float) -> Answers:
        """Send each node its order and wait, at most ``timeout`` seconds."""
        return ask(
            self._transport,
            kind,
            orders,
            lambda n, total: self._report(stage, n, total),
            timeout=timeout,
        )

    def _present(self, nodes: Sequence[int]) -> list[int]:
        """The enrolled among these nodes. Raises RunError if they are too few for any sum."""
        if self.monitor.stopped is not None:
            return [node for node in nodes if node in self.members]
        answers = self.enrol(nodes)
        present = [node for node in nodes if node in self.members and self.may_release(node)]
        needed = needed_releases(self.plan)
        if len(present) < needed:
            why = f" ({answers.reasons[0].rstrip('.')})" if answers.reasons else ""
            raise RunError(
                f"{len(present)} clients are there and enrolled, and a sum needs {needed}{why}",
                where="monitoring",
                remedy="Allow for drop-outs in privacy.dropout.",
            )
        return present

    def _measured(
        self,
        round_number: int,
        nodes: Sequence[int],
        adapter: Arrays,
        reference: Arrays | None,
        body: Mapping[str, Any],
    ) -> Answers:
        arrays = {ADAPTER: adapter} | ({} if reference is None else {REFERENCE: reference})
        order = self.order(round_number, {**self._published(), **body}, arrays, probes=True)
        stage = f"round {round_number}: measure"
        asked = dict.fromkeys(nodes, order)
        answers = self.ask(OBSERVE, asked, stage, self.plan.monitor.timeout)
        if answers.bad_input is not None and not answers.good:
            raise answers.failure()
        self._releases.update(answers.good.keys())
        self._check_budgets(answers, len(nodes))
        return answers

    def _published(self) -> dict[str, str]:
        """The newest findings, by which a client sees where it stands; earlier rounds left out."""
        try:
            return {"findings": self.monitor.newest().text()}
        except RunError:
            return {}

    def _check_budgets(self, answers: Answers, asked: int) -> None:
        """Raise BudgetSpentError if too few clients have budget left for any later sum."""
        needed = needed_releases(self.plan)
        if answers.spent > asked - needed:
            raise BudgetSpentError(
                f"{answers.spent} of {asked} clients have spent their own limit, and a sum needs "
                f"{needed}",
                where="monitoring",
                remedy="Training goes on. Whoever owns a client's folder may raise its limit.",
            )


def chosen(plan: MonitoringPlan, nodes: Sequence[int], round_number: int) -> list[int]:
    """As many of some nodes as the plan says take part, drawn anew for each round."""
    count = max(1, plan.taking_part)
    if len(nodes) <= count:
        return list(nodes)
    random = np.random.default_rng([plan.seed, round_number])
    return [nodes[index] for index in sorted(random.choice(len(nodes), count, replace=False))]


def _member(reply: Answer) -> Member | None:
    number, identity = reply.body.get("client"), reply.body.get("identity", b"")
    if not isinstance(number, int) or not isinstance(identity, bytes):
        return None
    return Member(number, identity)


def _who(member: Member) -> bytes | int | None:
    """What two nodes may not share; None if the client told nothing of the kind."""
    if member.identity:
        return member.identity
    return None if member.number < 0 else member.number
