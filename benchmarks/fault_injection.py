"""Does killing anything lose a ledger entry, spend twice, or change what is trained?

Federations of processes are killed at any of their steps on disk (``tests/faults``), and with
``--deployed`` SuperLinks and SuperNodes over TLS (``examples/deployment``) at each stage of a run.

    python benchmarks/fault_injection.py --cases 500 --jobs 2 --deployed 6
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from unsilent.ledger import Ledger

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 2
WAIT = 90.0
"""Seconds that training waits: Flower starts nothing more on a node whose ClientApp was killed."""
PLAN = """
name = "deployed"
federation = { clients = 3, rounds = 2 }
monitor = { rounds = "every", min_cohort = 2, timeout = 90 }
privacy = { epsilon = 8.0, dropout = 0.34, aggregation = "plain" }
probes.task = "ward/probes.jsonl"
modes.confidence_miscalibration = { tolerance = 0.1, clip = 0.3 }
"""


@dataclass(frozen=True)
class Deployed:
    """A fault in a deployment: what is killed, when (a pattern of files in its folder), and how."""

    name: str
    when: str
    fault: Callable[[Any], None]


def simulated(cases: int, seed: int, jobs: int, work: Path) -> Iterator[dict[str, Any]]:
    """Run the cases of ``tests.faults`` in so many processes at once."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    running = []
    for part in range(jobs):
        arguments = [str(cases), str(work / f"part-{part}"), str(part), str(jobs)]
        log = (work / f"part-{part}.jsonl").open("w")
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.run", str(seed), *arguments],
                cwd=ROOT,
                env=env,
                stdout=log,
            )
        )
    for part, process in enumerate(running):
        if process.wait():
            raise SystemExit(f"part {part} ended with {process.returncode}")
        for line in (work / f"part-{part}.jsonl").read_text().splitlines():
            yield json.loads(line)


def deployments() -> list[Deployed]:
    """One of each fault, in the order of a run's stages."""

    def kill_node(here: Any) -> None:
        here.kill(here.nodes[1])
        here.start_node(1)

    def kill_app(here: Any) -> None:
        for process in _running("flwr-clientapp", here.nodes[1].pid):
            os.kill(process, 9)

    def restart_superlink(here: Any) -> None:
        here.kill(here.superlink)
        here.start_superlink()

    def add_twin(here: Any) -> None:
        here.start_node(3, client=0)

    return [
        Deployed("SuperNode killed in training", "node-1/start.arrays", kill_node),
        Deployed("SuperNode killed in monitoring", "node-1/identity", kill_node),
        Deployed("SuperNode killed after its release", "node-1/release-1-*.bin", kill_node),
        Deployed("ClientApp killed", "node-1/identity", kill_app),
        Deployed("SuperLink killed, app run again", "node-1/release-1-*.bin", restart_superlink),
        Deployed("two nodes with one identity", "node-0/start.arrays", add_twin),
    ]


def deployed(fault: Deployed, work: Path) -> dict[str, Any]:
    """One run over TLS with one fault; what became of it."""
    deploy = _example()
    work.mkdir()
    plan = work / "plan.toml"
    plan.write_text(PLAN)
    app = ROOT / "examples" / "deployment" / "app"
    config = f'out="{work / "run"}" plan="{plan}" rounds={ROUNDS} timeout={WAIT}'
    with deploy.Deployment(work, nodes=3, plan=plan) as here:
        deploy.make_node_key(here.work, 3)
        here.register(3)
        run = here.start_run(app, config)
        _wait(lambda: any(work.glob(fault.when)), run)
        fault.fault(here)
        output = _ended(run)
        again = "Strategy execution finished" not in output
        if again:
            output = _ended(here.start_run(app, config))
    ledgers = [Ledger(path) for path in work.glob("run*/ledger.sqlite")]
    known: dict[int, str] = {}
    broken = []
    for ledger in ledgers:
        ledger.verify()
        for entry in ledger.entries():
            if entry.kind == "findings":
                known[entry.payload["round"]] = "judged"
            elif entry.kind == "missed":
                known.setdefault(entry.payload["round"], f"missed: {entry.payload['reason']}")
    if "Strategy execution finished" not in output:
        broken.append("training did not come to its end")
    if set(known) != set(range(1, ROUNDS + 1)):
        broken.append(f"of rounds {sorted(known)} alone it is known what became of them")
    for path in work.glob("node-*/budget.json"):
        rounds = [made["event"]["round"] for made in json.loads(path.read_text())["releases"]]
        if len(rounds) != len(set(rounds)):
            broken.append(f"{path.parent.name} spent rounds {rounds}")
    return {"case": fault.name, "broken": broken, "rounds": known, "run_again": again}


def _example() -> Any:
    path = ROOT / "examples" / "deployment" / "deploy.py"
    spec = importlib.util.spec_from_file_location("deploy", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _running(name: str, session: int) -> list[int]:
    """Processes of a session that run a program of this name."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        here = any(Path(os.fsdecode(word)).name == name for word in words[:2])
        if here and os.getsid(int(path.name)) == session:
            found.append(int(path.name))
    return found


def _wait(there: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not there() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def _ended(run: subprocess.Popen[str]) -> str:
    """What a run printed; one that hangs is ended after ten minutes."""
    try:
        return run.communicate(timeout=600)[0]
    except subprocess.TimeoutExpired:
        run.kill()
        return run.communicate()[0]


def main() -> int:
    """Parse, run, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=500, help="federations of processes")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--deployed", type=int, default=0, help="deployments over TLS, up to 6")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="unsilent-faults-"))
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for found in simulated(given.cases, given.seed, given.jobs, work) if given.cases else ():
        what = found["case"]["fault"]["what"]
        counts.update([what, *(f"{what} broken" for _ in found["broken"])])
        counts.update({"rounds judged": len(found["judged"]), "missed": len(found["missed"])})
        rows.append(found)
    for number, fault in enumerate(deployments()[: given.deployed]):
        rows.append(deployed(fault, work / f"deployed-{number}"))
    broken = [row for row in rows if row["broken"]]
    if given.json:
        sys.stdout.write(json.dumps({"rows": rows, "counts": counts}, indent=1) + "\n")
        return 1 if broken else 0
    table = Table("what", "count")
    for name, count in sorted(counts.items()):
        table.add_row(name, str(count))
    console = Console()
    console.print(table)
    for row in rows:
        if "rounds" in row or row["broken"]:
            console.print(row, markup=False)
    console.print(f"{len(rows)} cases, {len(broken)} with a broken promise. Folders: {work}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
