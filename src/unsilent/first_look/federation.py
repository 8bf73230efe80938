"""The first look's federation: real clients and a real server in one process, and the truth beside.

Only the model is small. Texts, records, the cause, the secure sum, its noise and the verdicts are
what they are in any run; the cause is that of the demo's skewed scenario, the author's name.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from unsilent.client.functions import Functions
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.findings import Finding, Findings, read_findings, write_findings
from unsilent.first_look.words import nothing, probabilities, trained
from unsilent.items import ItemSet, write_items
from unsilent.ledger.location import open_ledger
from unsilent.messages import Answer, Arrays, Order
from unsilent.models.hook import evidence_with
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plans import first_look_plan
from unsilent.probes.names import TRAIN
from unsilent.probes.sentiment import DOMAINS, public_texts
from unsilent.probes.shipping import shipped_fields
from unsilent.probes.templates import ENCODER, bias_pairs, task_items
from unsilent.progress import Progress
from unsilent.reference.records import ClientRecords, client_records
from unsilent.server.coordinator import Coordinator
from unsilent.server.monitor import Monitor
from unsilent.server.run_folder import alone_in, holds, open_folder
from unsilent.server.transport import Told

_PAIRS, _TASK = 200, 400
"""Of the banks; the plan counts on as many."""
_PROBE_SEED = 1


class FirstLook:
    """One federation as it is declared, before it is run or after.

    Args:
        out: Where its run is kept.
        declare: From the digests of its probes to its plan.

    Attributes:
        plan: The first look's, with its probes pinned.
        out: The same, absolute.

    Raises:
        AssetError: The texts could not be had.
    """

    def __init__(
        self,
        out: Path,
        declare: Callable[[Mapping[str, str]], MonitoringPlan] = first_look_plan,
    ) -> None:
        self._banks = _banks()
        self.plan = declare({role: bank.digest for role, bank in self._banks.items()})
        self.out = out.absolute()

    def kept(self) -> Findings | None:
        """What was found when it was run here before; None if it was not, or not to its end."""
        found = self.out / "findings.json"
        return read_findings(found) if holds(self.plan, self.out) and found.is_file() else None

    def run(self, progress: Progress) -> Findings:
        """Train, monitor and judge.

        Raises:
            RunError: The monitoring round was missed, or another process runs there.
            InputError: ``out`` is a folder of something else.
        """
        plan, out = self.plan, self.out
        with alone_in(out):
            open_folder(plan, out)
            for role, bank in self._banks.items():
                write_items(out / f"{role}.jsonl", bank)
            sites = _Sites(plan, out)
            monitor = Monitor(plan, open_ledger(out, None), accept_underpowered=True)
            adapter = sites.train(monitor, progress)

            def report(stage: str, done: float, total: float) -> None:
                progress.update(f"first look: {stage.partition(': ')[2]}", done, total)

            shipped = shipped_fields(plan, lambda name: out / name)
            coordinator = Coordinator(sites, plan, monitor, out, report, shipped)
            nodes = range(plan.federation.clients)
            coordinator.observe(plan.federation.rounds, nodes, adapter, None)
            found = sites.beside_truth(monitor.findings(), self._banks, adapter)
            write_findings(out / "findings.json", found)
        return found


def _banks() -> dict[ItemRole, ItemSet]:
    """What clients are asked: public texts, in pairs by authors whose names clients' texts bear.

    A classifier of words knows nothing of names that it has not seen.
    """
    texts = public_texts()
    return {
        "bias": bias_pairs(texts, TRAIN, ENCODER, _PAIRS, _PROBE_SEED),
        "task": task_items(texts, ENCODER, _TASK // len(DOMAINS), _PROBE_SEED),
    }


class _Sites:
    """All clients in this process, and the transport that reaches them.

    Args:
        plan: The plan.
        out: The run's folder, which holds one for each client.
    """

    def __init__(self, plan: MonitoringPlan, out: Path) -> None:
        self._plan = plan
        self._records = [client_records(plan, index) for index in range(plan.federation.clients)]
        owner = {"plan": plan.digest}
        self._sites = [
            Site(index, out / "clients" / str(index), owner, simulated=True)
            for index in range(plan.federation.clients)
        ]
        self._start = nothing()
        self._local = [nothing()] * plan.federation.clients

    def train(self, monitor: Monitor, progress: Progress) -> Arrays:
        """All rounds of federated averaging; the last global adapter."""
        adapter, federation = nothing(), self._plan.federation
        epochs = federation.epochs
        for number in range(1, federation.rounds + 1):
            progress.update("first look: train", number - 1, federation.rounds)
            self._start = adapter
            self._local = [
                trained(adapter, own.train.items, epochs=epochs, seed=_seed(number, index))
                for index, own in enumerate(self._records)
            ]
            adapter = {
                name: np.mean([local[name] for local in self._local], axis=0) for name in adapter
            }
            shown = np.mean([_shown(own.held_out, adapter) for own in self._records], axis=0)
            monitor.system(number, float(shown[0]), float(shown[1]))
        return adapter

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Told, timeout: float
    ) -> dict[int, Answer]:
        """Each client's answer."""
        replies: dict[int, Answer] = {}
        for node, order in orders.items():
            replies[node] = answer(kind, order, self._sites[node], self._functions(node))
            told(len(replies), len(orders))
        return replies

    def _functions(self, node: int) -> Functions:
        own = self._records[node]
        kept = {"start": self._start, "local": self._local[node]}
        return Functions(
            probabilities,
            records=lambda: own.held_out,
            personalize=lambda adapter: self._personal(node, adapter),
            kept=kept.get,
            trained_on=lambda: own.train,
        )

    def _personal(self, node: int, adapter: Arrays) -> Arrays:
        epochs = self._plan.federation.personal_epochs
        return trained(adapter, self._records[node].train.items, epochs=epochs, seed=_seed(0, node))

    def beside_truth(
        self, found: Findings, banks: Mapping[ItemRole, ItemSet], adapter: Arrays
    ) -> Findings:
        """The findings with the true effects: the mean over all clients, each on the whole bank.

        Before any clip, noise or draw of items; the judge has read none of it.
        """
        codes = self._plan.planned
        effects = [
            self._effects(banks, own, adapter, self._personal(node, adapter))
            for node, own in enumerate(self._records)
        ]
        truth = {code: float(np.mean([each[code] for each in effects])) for code in codes}

        def beside(finding: Finding) -> Finding:
            if finding.code not in truth:
                return finding
            return finding.with_oracle(truth[finding.code], len(effects))

        return replace(found, findings=tuple(beside(finding) for finding in found.findings))

    def _effects(
        self,
        banks: Mapping[ItemRole, ItemSet],
        own: ClientRecords,
        adapter: Arrays,
        personal: Arrays,
    ) -> dict[str, float]:
        items: dict[ItemRole, ItemSet] = {**banks, "records": own.held_out}
        evidence = evidence_with(
            {
                "reference": lambda some: probabilities(some, None),
                "global": lambda some: probabilities(some, adapter),
                "personalized": lambda some: probabilities(some, personal),
            },
            items,
            self._plan.planned,
        )
        return {code: MODES[code].measure(evidence).value for code in self._plan.planned}


def _shown(items: ItemSet, adapter: Arrays) -> tuple[float, float]:
    """Loss and accuracy: what a federated run shows today."""
    rows = probabilities(items, adapter)
    answers = np.array([item.answer for item in items])
    own = rows[np.arange(len(answers)), answers]
    return float(-np.log(own).mean()), float((own > 0.5).mean())


def _seed(number: int, node: int) -> int:
    return zlib.crc32(f"first look {number} {node}".encode())
