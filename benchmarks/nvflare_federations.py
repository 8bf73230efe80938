"""Federations of NVIDIA FLARE to their findings: in process, in subprocesses, over TLS with losses.

Four sites train a small model of numbers, and answer by it. Each case is a job of its own, run by
FLARE itself: its recipes in the simulator, the Client API in process and in a subprocess, torchrun
with two ranks, the same clients and seeds on Flower, and a provisioned federation on loopback in
which one site is killed at a stage of the secure sum. What is told of each is what its run folder
says, and whether the trained model is the one that the same job without monitoring comes to.

    python benchmarks/nvflare_federations.py --cases in-process flower killed-keys --json
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import Rows, arguments, show

from unsilent.items import Item, write_items
from unsilent.ledger import Ledger
from unsilent.ledger.events import RoundMissed
from unsilent.ledger.run_view import RunView
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes.check import pin_of
from unsilent.probes.joined import read_probes

EXAMPLE = Path(__file__).parents[1] / "examples" / "nvflare"
STAGES = ("keys", "shares", "boxes", "observe", "unmask")
TORCH = ("cyclic", "fedopt", "fedprox", "scaffold")
SIMULATED = ("in-process", "subprocess", *TORCH, "torchrun", "held", "unmonitored")
CASES = (*SIMULATED, "watch", "watch-sent", "flower", *(f"killed-{stage}" for stage in STAGES))
SITES, ROUNDS = 4, 2

CLIENT = """
import os, signal, sys
import numpy as np
import nvflare.client as flare

MONITORED, STAGE, TORCHRUN = {monitored!r}, {stage!r}, {torchrun!r}
NAME = {name!r}

def score(items, params):
    lean = 0.5 if params is None else 0.5 + float(np.mean(params[NAME])) / 64
    return [[1 - lean, lean] for _ in items]

def personalize(params):
    # In a watch nothing may be sent: then what the site has is a file of its own.
    return {{NAME: params.get(NAME, np.full(2, 10, np.float32)) + np.float32(STEP)}}

rank = 0
if TORCHRUN:
    import torch.distributed as dist
    dist.init_process_group("gloo")
    rank = dist.get_rank()
flare.init(rank=str(rank))
site = flare.get_site_name() if rank == 0 else ""
STEP = int(site.rpartition("-")[2]) if site else 0
if MONITORED:
    from unsilent.nvflare import monitor_client
    if STAGE and site == "site-4":
        import unsilent.engines.nvflare.client as line
        answer = line.answer
        def dies(kind, *rest):
            if kind == STAGE:
                # The site's own process, and this one, which is of the job.
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            return answer(kind, *rest)
        line.answer = dies
    monitor_client(score, personalize=personalize)
while True:
    told = [flare.is_running() if rank == 0 else None]
    if TORCHRUN:
        dist.broadcast_object_list(told)
    if not told[0]:
        break
    if rank == 0:
        given = flare.receive()
        moved = {{n: np.asarray(v) + np.float32(STEP) for n, v in given.params.items()}}
        if {torch!r}:
            import torch
            moved = {{n: torch.as_tensor(v) for n, v in moved.items()}}
        meta = {{}}
        if {scaffold!r}:
            meta["scaffold_c_diff"] = {{n: np.zeros_like(np.asarray(v)) for n, v in moved.items()}}
        shown = {{"loss": 0.5, "accuracy": 0.75}}
        flare.send(flare.FLModel(params=moved, metrics=shown, meta=meta))
    if TORCHRUN:
        dist.barrier()
if TORCHRUN:
    dist.destroy_process_group()
"""

JOB = """
import argparse, json, os, sys
from nvflare.fuel.utils.constants import FrameworkType
from nvflare.recipe import ProdEnv, SimEnv
from unsilent.nvflare import monitor_recipe, watch_recipe
from unsilent.plan import parse_plan

parser = argparse.ArgumentParser()
parser.add_argument("--startup-kit")
parser.add_argument("--sites")
args = parser.parse_args()
shared = dict(name="job", min_clients={sites}, num_rounds={rounds}, train_script="client.py",
              launch_external_process={external!r}, command={command!r})
if {kind!r} in ("cyclic", "fedopt", "fedprox", "scaffold"):
    from tiny import Tiny
    if {kind!r} == "cyclic":
        from nvflare.app_opt.pt.recipes.cyclic import CyclicRecipe
        recipe = CyclicRecipe(model=Tiny(), **shared)
    elif {kind!r} == "fedopt":
        from nvflare.app_opt.pt.recipes.fedopt import FedOptRecipe
        recipe = FedOptRecipe(model=Tiny(), **shared, optimizer_args={{
            "path": "torch.optim.SGD", "args": {{"lr": 1.0}}, "config_type": "dict"}})
    elif {kind!r} == "scaffold":
        from nvflare.app_opt.pt.recipes.scaffold import ScaffoldRecipe
        recipe = ScaffoldRecipe(model=Tiny(), **shared)
    else:
        from nvflare.app_opt.pt.recipes.fedprox import FedProxRecipe
        recipe = FedProxRecipe(model=Tiny(), fedprox_mu=0.5, **shared)
else:
    from nvflare.recipe.fedavg import FedAvgRecipe
    recipe = FedAvgRecipe(model=[0.0, 0.0], framework=FrameworkType.NUMPY, **shared)
plan = parse_plan(json.load(open("plan.json")))
if {kind!r}.startswith("watch"):
    recipe = watch_recipe(recipe, plan, out=os.path.abspath("run"), sends={kind!r} == "watch-sent",
                          patience=600.0)
elif {monitored!r}:
    recipe = monitor_recipe(recipe, plan)
env = SimEnv(num_clients={sites}, workspace_root="work")
if args.startup_kit:
    env = ProdEnv(startup_kit_location=args.startup_kit, username="admin@nvidia.com")
run = recipe.execute(env)
sys.stdout.write("result: " + str(run.get_result()) + "\\n")
"""

TINY = """
import torch

class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lean = torch.nn.Parameter(torch.zeros(2))
"""


def main() -> None:
    """Run the cases."""
    parser = arguments(__doc__)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    given = parser.parse_args()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for case in given.cases:
            if case in SIMULATED:
                rows.append(simulated(work / case, case))
            elif case.startswith("watch"):
                rows.append(watched(work / case, case))
            elif case == "flower":
                rows.append(on_flower(work / case))
        stages = [case for case in given.cases if case.startswith("killed-")]
        if stages:
            rows += killed(work / "tls", stages)
    show("Federations of FLARE", rows, as_json=given.json)


def plan_of(folder: Path, name: str, **changes: Any) -> MonitoringPlan:
    """Four sites, one mode on public items that come with the question, a secure sum."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bias.jsonl"
    asked = "The nurse {} said that"
    items = [Item(str(n), asked.format(n), (" he", " she"), stereotyped=1) for n in range(64)]
    write_items(path, items)
    given: dict[str, Any] = {
        "name": name,
        "federation": {"clients": SITES, "rounds": ROUNDS},
        "monitor": {"rounds": [1, 2], "min_cohort": SITES, "timeout": 120},
        "privacy": {"epsilon": 60.0, "dropout": 0.0, "aggregation": "secure-sum"},
        "probes": {"bias": f"bias.jsonl{pin_of(read_probes('bias', path))}"},
        "modes": {"amplified_bias": {"tolerance": 0.05, "clip": 1.0}},
    }
    return parse_plan({**given, **changes})


def written(folder: Path, case: str, plan: MonitoringPlan, stage: str = "") -> None:
    """The job's folder, as its author has it."""
    (folder / "plan.json").write_text(json.dumps(plan.to_json()))
    (folder / "tiny.py").write_text(TINY)
    external = case in ("subprocess", "torchrun")
    command = f"{sys.executable} -u"
    if case == "torchrun":
        command = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node=2"
    torch = case in TORCH
    fields = {
        "monitored": case != "unmonitored",
        "stage": stage,
        "torchrun": case == "torchrun",
        "torch": torch,
        "scaffold": case == "scaffold",
        "name": "lean" if torch else "numpy_key",
    }
    (folder / "client.py").write_text(CLIENT.format(**fields))
    shared = {"sites": SITES, "rounds": ROUNDS, "kind": case, "monitored": fields["monitored"]}
    (folder / "job.py").write_text(JOB.format(external=external, command=command, **shared))


def simulated(folder: Path, case: str) -> dict[str, Any]:
    """A case in FLARE's simulator."""
    # No round of it is HEALTHY: what is saved is what the job began with.
    gate = {"gate": {"action": "hold"}} if case == "held" else {}
    written(folder, case, plan_of(folder, "federations", **gate))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=folder, env=_env(), capture_output=True, text=True
    )
    job = folder / "work" / "job" / "server" / "simulate_job"
    row = {"case": case, "seconds": round(time.monotonic() - began), "ended": done.returncode}
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
    return {**row, "model": _model(job), **said(job / "unsilent")}


def watched(folder: Path, case: str) -> dict[str, Any]:
    """A watch in FLARE's simulator: two jobs are its two rounds, a third finds none left."""
    written(folder, case, plan_of(folder, "federations"))
    # The sites of all three jobs are the same.
    env = {**_env(), "UNSILENT_SIMULATION": str(folder / "sites")}
    began, ended, told = time.monotonic(), [], ""
    for _ in range(ROUNDS + 1):
        done = subprocess.run(
            [sys.executable, "job.py"], cwd=folder, env=env, capture_output=True, text=True
        )
        ended.append(done.returncode)
        told = done.stdout + done.stderr
        if done.returncode:
            sys.stderr.write(told[-4000:])
    row = {"case": case, "seconds": round(time.monotonic() - began), "ended": ended}
    over = "all 2 rounds of this plan are done" in told
    return {**row, "model": None, "third_says_over": over, **said(folder / "run")}


def on_flower(folder: Path) -> dict[str, Any]:
    """The same clients and seeds, by the same plan, in Flower's simulation."""
    plan = plan_of(folder, "federations")
    (folder / "plan.json").write_text(json.dumps(plan.to_json()))
    (folder / "flower.py").write_text(FLOWER.format(sites=SITES, rounds=ROUNDS))
    began = time.monotonic()
    env = {**_env(), "UNSILENT_SIMULATION": str(folder / "sites")}
    done = subprocess.run(
        [sys.executable, "flower.py"], cwd=folder, env=env, capture_output=True, text=True
    )
    row = {"case": "flower", "seconds": round(time.monotonic() - began), "ended": done.returncode}
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
    path = folder / "model.npy"
    model = np.load(path).tolist() if path.is_file() else None
    return {**row, "model": model, **said(folder / "run")}


FLOWER = """
import json, os
import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.plan import parse_plan

NAME = "numpy_key"

def score(items, arrays, context):
    lean = 0.5 if arrays is None else 0.5 + float(np.mean(arrays[NAME].numpy())) / 64
    return [[1 - lean, lean] for _ in items]

def step(context):
    return np.float32(int(context.node_config["partition-id"]) + 1)

def personalize(arrays, context):
    return ArrayRecord({{NAME: Array(arrays[NAME].numpy() + step(context))}})

client = monitor_client(ClientApp(), score, personalize=personalize)

@client.train()
def train(message, context):
    moved = message.content["arrays"][NAME].numpy() + step(context)
    content = {{"arrays": ArrayRecord({{NAME: Array(moved)}}),
               "metrics": MetricRecord({{"loss": 0.5, "accuracy": 0.75, "num-examples": 1}})}}
    return Message(RecordDict(content), reply_to=message)

server = ServerApp()

@server.main()
def main(grid, context):
    plan = parse_plan(json.load(open("plan.json")))
    strategy = monitor_strategy(FedAvg(fraction_evaluate=0.0), plan, out="run")
    start = ArrayRecord({{NAME: Array(np.zeros(2, np.float32))}})
    result = strategy.start(grid=grid, initial_arrays=start, num_rounds={rounds})
    np.save("model.npy", result.arrays[NAME].numpy())

run_simulation(server_app=server, client_app=client, num_supernodes={sites},
               backend_config={{"client_resources": {{"num_cpus": 1}},
                               "init_args": {{"num_cpus": 2, "include_dashboard": False}}}})
"""


def killed(work: Path, cases: list[str]) -> Rows:
    """A provisioned federation in which one site is killed, each time at another stage."""
    sys.path.insert(0, str(EXAMPLE))
    from deploy import Federation  # pyright: ignore[reportMissingImports]

    # How many seconds FLARE waits for a lost site before it gives results; else 900.
    os.environ["NVFLARE_CLIENT_OUTCOME_WAIT_TIMEOUT"] = "10"
    rows: Rows = []
    with Federation(work, SITES) as here:
        for case in cases:
            stage = case.removeprefix("killed-")
            folder = work / case
            monitor = {"rounds": [2], "min_cohort": SITES - 1, "timeout": 40}
            privacy = {"epsilon": 60.0, "dropout": 0.25, "aggregation": "secure-sum"}
            plan = plan_of(folder, case, monitor=monitor, privacy=privacy)
            written(folder, case, plan, stage)
            began = time.monotonic()
            job = here.submit(folder)
            out, _ = job.communicate()
            result = Path(out.rpartition("result: ")[2].strip())
            row = {
                "case": case,
                "seconds": round(time.monotonic() - began),
                "ended": job.returncode,
            }
            workspace = result / "workspace"
            rows.append({**row, "model": _model(workspace), **said(workspace / "unsilent")})
            here.processes.pop("site-4").wait()
            # Each plan would be beyond the limit that the first one set: sites that are new.
            shutil.rmtree(work / "stores")
            here.start("site-4")
    return rows


def said(run: Path) -> dict[str, Any]:
    """What a run's folder says of its rounds."""
    missed: list[str] = []
    if (run / "ledger.sqlite").is_file():
        view = RunView(Ledger(run / "ledger.sqlite"))
        missed = [f"{e.event.round}: {e.event.reason}" for e in view.events(RoundMissed)]
    if not (run / "findings.json").is_file():
        return {"verdict": None, "effects": [], "clients": None, "missed": missed}
    found = json.loads((run / "findings.json").read_text())
    one = found["findings"][0]
    effects = [[each["round"], each["findings"][0]["effect"]] for each in found["rounds"]]
    clients = found["clients"]
    return {"verdict": one["verdict"], "effects": effects, "clients": clients, "missed": missed}


def _model(job: Path) -> Any:
    """The trained model, as the job's own persistor saved it."""
    if (path := job / "models" / "server.npy").is_file():
        return np.load(path).tolist()
    for path in job.rglob("FL_global_model.pt"):
        import torch

        return torch.load(path, weights_only=False)["model"]["lean"].tolist()
    return None


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


if __name__ == "__main__":
    main()
