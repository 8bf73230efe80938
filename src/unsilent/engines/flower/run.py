"""Run a plan as a simulated federation on this machine, and set the truth beside its findings."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from flwr.serverapp import Grid

from unsilent.alerts.deliver import alerting
from unsilent.client.sentences import LOG, Sentence
from unsilent.device import device_named
from unsilent.engines.flower.client import app as client_app
from unsilent.engines.flower.server import federate
from unsilent.engines.flower.simulation import simulate
from unsilent.errors import UnsilentError
from unsilent.findings import Finding, Findings, write_findings
from unsilent.items import ItemSet
from unsilent.ledger.location import open_ledger
from unsilent.models import prepare_model
from unsilent.plan import MonitoringPlan
from unsilent.probes import load_probes
from unsilent.progress import Progress, SilentProgress
from unsilent.reference.records import check_kind, client_records
from unsilent.server.monitor import Monitor
from unsilent.server.run_folder import alone_in, open_folder

_RAISED = re.compile(r"^unsilent\.errors\.\w+: (.+)$", re.MULTILINE)


def run_plan(
    plan: MonitoringPlan,
    out: Path,
    *,
    scenario: str | None = None,
    progress: Progress | None = None,
    ledger: str | None = None,
    alerts: Path | None = None,
    gpus: float | None = None,
) -> Findings:
    """Train, monitor and judge; ``out`` then holds plan, ledger, findings and adapters.

    A run of the same plan that was cut short goes on after its last whole round. A finished run,
    or one of another plan, is kept: its folder is renamed to ``OUT.1``, ``OUT.2`` and so on.

    ``ledger`` is the URL of a database for a new run's ledger, by default a file in ``out``;
    ``alerts`` an alerts file, whose channels are told from a thread of their own. ``gpus`` is
    a client's share of a GPU, where the model is computed on one; by default what its memory has
    room for.

    Raises:
        InputError: ``out`` is a folder of something else, or what the plan names is unusable.
        RunError: Another process is running there, or no client could do its part.
        AssetError: A download failed.
        BudgetError: The plan's releases would pass its budget.
    """
    check_kind(plan)
    plan.refuse_versions()
    _refuse_device(plan, gpus)
    shown = progress or SilentProgress()
    out = out.absolute()
    with alone_in(out):
        # Before a run is declared: a file that the plan names may not be there.
        probes = load_probes(plan)
        open_folder(plan, out)
        sets = chain(probes.values(), _all_records(plan))
        kept = open_ledger(out, ledger)
        with alerting(alerts, kept, out):
            prepare_model(plan, sets, lambda stage, done: shown.update(stage, done, 1.0))
            share = _share(plan, gpus)
            monitor = Monitor(plan, kept, scenario=scenario, accept_underpowered=True)
            _simulate(plan, monitor, out, shown, share)
        found = _with_oracle(monitor.findings(), out)
        write_findings(out / "findings.json", found)
    return found


def _all_records(plan: MonitoringPlan) -> Iterator[ItemSet]:
    """Every simulated client's records. Raises PlanError if the data does not hold so many."""
    for index in range(plan.federation.clients):
        own = client_records(plan, index)
        yield from (own.train, own.held_out)


def _refuse_device(plan: MonitoringPlan, wanted: float | None) -> None:
    """Raise InputError if the device is not here, or no GPU of which clients could have a share.

    Before there is a folder: each client would fail alike, after minutes.
    """
    if wanted is None and device_named(plan.model.device)[0] == "cpu":
        # The usual case loads nothing for it.
        return
    from unsilent.models.device import device_of
    from unsilent.models.gpus import gpu_share

    gpu_share(plan, None, wanted)
    if not plan.model.id.startswith("hook:"):
        device_of(plan.model.device)


def _share(plan: MonitoringPlan, wanted: float | None) -> float:
    """Each client's share of a GPU. Raises InputError as ``gpu_share``."""
    if wanted is None and not device_named(plan.model.device)[0].startswith("cuda"):
        return 0.0
    from unsilent.models.gpus import gpu_share, planned_weights

    return gpu_share(plan, planned_weights(plan), wanted)


def _simulate(
    plan: MonitoringPlan, monitor: Monitor, out: Path, progress: Progress, gpus: float
) -> None:
    """The federation in Flower's simulation, with as many workers as the plan says."""

    def main(grid: Grid) -> None:
        federate(grid, plan, monitor, out, report=progress.update)

    began = time.time()
    try:
        simulate(main, client_app, plan.federation.clients, plan.federation.workers, out, gpus)
    except BaseException as fault:
        raise explained(fault, out, began) from None


def explained(fault: BaseException, out: Path, began: float) -> BaseException:
    """The fault in the words of a client's own log, if one wrote any since the run began.

    The server hears a fixed sentence; whoever simulates has all clients' files, and may read on.
    """
    logs = [path for path in out.glob(f"clients/*/{LOG}") if path.stat().st_mtime >= began]
    told = any(sentence.text.rstrip(".") in str(fault) for sentence in Sentence)
    if not (logs and told and isinstance(fault, UnsilentError)):
        return fault
    text = min(logs).read_text(encoding="utf-8", errors="replace")
    said = _RAISED.findall(text)
    if not said:
        return type(fault)(fault.what, where=fault.where, remedy=f"See {min(logs)}.")
    return type(fault)(said[-1])


def _with_oracle(found: Findings, out: Path) -> Findings:
    """The true effects, from what each simulated client measured before clipping and noise.

    Over each finding's own window of rounds, or the last round where there is no estimate.
    """
    told: dict[int, list[dict[str, float]]] = {}
    for path in sorted((out / "clients").glob("*/oracle-*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        told.setdefault(int(path.stem.removeprefix("oracle-")), []).append(values)

    def beside(finding: Finding) -> Finding:
        if finding.tolerance is None:
            return finding
        first, last = finding.window or (found.round, found.round)
        judged = {past.round for past in found.rounds} | {found.round}
        rounds = [number for number in told if number in judged and first <= number <= last]
        values = [value[finding.code] for number in rounds for value in told[number]]
        clients = max(len(told[number]) for number in rounds)
        return finding.with_oracle(float(np.mean(values)), clients)

    return replace(found, findings=tuple(beside(finding) for finding in found.findings))
