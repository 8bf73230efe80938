"""The server's side of monitoring rounds, whoever trains: enrol, spend, measure, sum, judge.

The reference federation and a monitored strategy of any app go through here. A round that fails
is recorded as missed, with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, Message
from flwr.serverapp import Grid

from unsilent.engines.flower import messages
from unsilent.engines.flower.aggregation import Aggregation, PlainSum
from unsilent.engines.flower.exchange import Answers, Report, ask
from unsilent.engines.flower.measuring import find
from unsilent.engines.flower.messages import ANSWER, NAME, OBSERVE
from unsilent.engines.flower.shipping import shipped_fields
from unsilent.errors import BudgetError, BudgetSpentError, ReleaseError, RunError, SecureSumError
from unsilent.findings import Finding
from unsilent.models.base import Adapter
from unsilent.plan import MonitoringPlan
from unsilent.release.noise import needed_releases
from unsilent.server.monitor import Monitor


@dataclass(frozen=True)
class Member:
    """An enrolled client: its number, -1 if it has none, and its identity, empty if not told."""

    number: int
    identity: bytes


class Monitoring:
    """One run's monitoring rounds: who is asked for what, and what becomes of it.

    Args:
        grid: Reaches the nodes.
        plan: The plan.
        monitor: Judges, and keeps the ledger.
        out: The run's folder.
        report: Told the stage and how many clients have answered.

    Attributes:
        shipped: Fields of a message that carry the pinned probe files.
        order: What each message to whoever needs probes says: the plan, which run of it, and what
            is shipped.
        members: Enrolled clients by node, no two the same.
    """

    def __init__(
        self, grid: Grid, plan: MonitoringPlan, monitor: Monitor, out: Path, report: Report
    ) -> None:
        self.plan = plan
        self.monitor = monitor
        self.shipped = shipped_fields(plan, find)
        self._terms: dict[str, Any] = {"plan": json.dumps(plan.to_json()), "run": monitor.run}
        self.order: dict[str, Any] = {**self._terms, **self.shipped}
        self.members: dict[int, Member] = {}
        self._grid = grid
        self._report = report
        self._aggregation: Aggregation = PlainSum(monitor)
        if plan.privacy.aggregation == "secure-sum":
            from unsilent.engines.flower.masked import SecureSum

            self._aggregation = SecureSum(plan, monitor, out, self.exchange)

    def enrol(self, nodes: Iterable[int]) -> Answers:
        """Ask nodes who they are, those that have not said so yet.

        Of two that are the same client the first one is enrolled.
        """
        new = [node for node in nodes if node not in self.members]
        if not new:
            return Answers()
        asked = {node: {"round": 0} for node in new}
        answers = self.exchange(NAME, asked, "start: enrol the clients")
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
        adapter: Adapter | ArrayRecord,
        reference: Adapter | ArrayRecord | None,
    ) -> tuple[Finding, ...] | None:
        """One monitoring round: spend, measure, sum, judge; None if it was missed.

        Args:
            round_number: A monitoring round of the plan.
            nodes: Who trained in it.
            adapter: The newly aggregated one.
            reference: What behaviour is compared with; None is the base model.

        Raises:
            InputError: What the plan names is unusable for every client.
        """
        try:
            present = self._present(nodes)
            self.monitor.spend(round_number)
            identities = {node: self.members[node].identity for node in present}
            self._aggregation.prepare(round_number, identities)

            def measure() -> Answers:
                return self._measured(round_number, present, adapter, reference)

            total = self._aggregation.collect(round_number, measure)
            return self.monitor.judge(round_number, total)
        except (BudgetError, ReleaseError, RunError, SecureSumError) as error:
            if isinstance(error, BudgetSpentError):
                self.monitor.stop(round_number, error.line())
            self.monitor.miss(round_number, error.line())
            return None

    def exchange(self, kind: str, asked: Mapping[int, dict[str, Any]], stage: str) -> Answers:
        """Ask nodes, each with its own values beside the plan, as long as the plan waits."""
        requests = {
            node: messages.request(node, kind, {**self._terms, **values}, int(values["round"]))
            for node, values in asked.items()
        }
        return self.ask(requests, stage, self.plan.monitor.timeout)

    def ask(self, requests: Mapping[int, Message], stage: str, timeout: float) -> Answers:
        """Send a request to each node and wait, at most ``timeout`` seconds."""
        return ask(
            self._grid,
            requests,
            lambda n, total: self._report(stage, n, total),
            timeout=timeout,
        )

    def _present(self, nodes: Sequence[int]) -> list[int]:
        """The enrolled among these nodes. Raises RunError if they are too few for any sum."""
        if self.monitor.stopped is not None:
            return [node for node in nodes if node in self.members]
        answers = self.enrol(nodes)
        present = [node for node in nodes if node in self.members]
        needed = needed_releases(self.plan)
        if len(present) < needed:
            why = f" ({answers.reasons[0].rstrip('.')})" if answers.reasons else ""
            raise RunError(
                f"{len(present)} clients trained and are enrolled, and a sum needs {needed}{why}",
                where="monitoring",
                remedy="Allow for drop-outs in privacy.dropout.",
            )
        return present

    def _measured(
        self,
        round_number: int,
        nodes: Sequence[int],
        adapter: Adapter | ArrayRecord,
        reference: Adapter | ArrayRecord | None,
    ) -> Answers:
        order = {**self.order, **self._published()}
        requests = {
            node: messages.request(node, OBSERVE, order, round_number, adapter, reference)
            for node in nodes
        }
        answers = self.ask(requests, f"round {round_number}: measure", self.plan.monitor.timeout)
        if answers.bad_input is not None and not answers.good:
            raise answers.failure()
        self._check_budgets(answers, len(nodes))
        return answers

    def _published(self) -> dict[str, str]:
        """The newest findings, by which a client sees where it stands; earlier rounds left out."""
        try:
            found = self.monitor.findings()
        except RunError:
            return {}
        return {"findings": replace(found, rounds=found.rounds[-1:]).text()}

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


def _member(reply: Message) -> Member | None:
    values = reply.content.config_records[ANSWER]
    number, identity = values.get("client"), values.get("identity", b"")
    if not isinstance(number, int) or not isinstance(identity, bytes):
        return None
    return Member(number, identity)


def _who(member: Member) -> bytes | int | None:
    """What two nodes may not share; None if the client told nothing of the kind."""
    if member.identity:
        return member.identity
    return None if member.number < 0 else member.number
