"""A watch to its end: on Flower's simulation, and behind a SuperLink with nodes of their own.

    python benchmarks/watching.py --cases simulated superlink --json

Four clients have an adapter each and train nothing. Each round is one call of ``unsilent watch``;
then ``findings``, ``privacy spent``, ``evidence``, ``verify`` and a page of the dashboard are asked
for what the run's folder has. ``watch_recipe`` of FLARE is a case of ``nvflare_federations.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import Rows, arguments, show

from unsilent.items import Item, write_items
from unsilent.ledger import Ledger
from unsilent.probes.check import pin_of
from unsilent.probes.joined import read_probes

EXAMPLE = Path(__file__).parents[1] / "examples" / "deployment"
CASES = ("simulated", "superlink")
ROUNDS, CLIENTS = 2, 4

PLAN = """
name = "watched"
[federation]
clients = {clients}
rounds = {rounds}
[monitor]
min_cohort = {clients}
timeout = {timeout}
[privacy]
epsilon = 60.0
dropout = 0.0
aggregation = "secure-sum"
[probes]
bias = "bias.jsonl{pin}"
[modes.amplified_bias]
tolerance = 0.05
clip = 1.0
"""
CLIENT = """
import numpy as np
from flwr.app import ArrayRecord
from flwr.clientapp import ClientApp
from unsilent.flower import monitor_client


def score(items, arrays, context):
    by = 0.0 if arrays is None else float(arrays.to_numpy_ndarrays()[0].mean())
    return [[0.5 - by, 0.5 + by] for _ in items]


def own(arrays, context):
    by = float(context.run_config["by"]) + int(context.node_config["partition-id"]) / 100
    return ArrayRecord([np.full(2, by)])


app = monitor_client(ClientApp(), score, personalize=own)
"""
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "sites"
version = "1.0.0"
description = "Sites that have an adapter each."
license = "Apache-2.0"
dependencies = ["flwr", "unsilent"]
[tool.flwr.app]
publisher = "unsilent"
[tool.flwr.app.components]
serverapp = "nothing:app"
clientapp = "sites:app"
[tool.flwr.app.config]
by = 0.4
"""


def main() -> None:
    """Run the cases."""
    parser = arguments(__doc__)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--timeout", type=int, default=180, help="monitor.timeout, seconds")
    given = parser.parse_args()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        for case in given.cases:
            work = Path(name) / case
            app = written(work, given.timeout)
            rows.append({"case": case, **(RUN[case](work, app))})
    show("Watches", rows, as_json=given.json)


def written(work: Path, timeout: int) -> Path:
    """The app's folder, with its plan."""
    app = work / "sites"
    app.mkdir(parents=True)
    items = [
        Item(str(n), f"The nurse {n} said that", (" he", " she"), stereotyped=1) for n in range(64)
    ]
    write_items(app / "bias.jsonl", items)
    pin = pin_of(read_probes("bias", app / "bias.jsonl"))
    filled = PLAN.format(clients=CLIENTS, rounds=ROUNDS, timeout=timeout, pin=pin)
    (app / "plan.toml").write_text(filled)
    (app / "sites.py").write_text(CLIENT)
    (app / "pyproject.toml").write_text(PROJECT)
    return app


def simulated(work: Path, app: Path) -> dict[str, Any]:
    """One call a round, each a simulation of its own."""
    return watched(app, ["--app", str(app), "--out", str(work / "run")], work, dict(os.environ))


def superlink(work: Path, app: Path) -> dict[str, Any]:
    """One ``flwr run`` a round, over TLS, by nodes that have agreed to the plan."""
    sys.path.insert(0, str(EXAMPLE))
    from deploy import Deployment  # pyright: ignore[reportMissingImports]

    with Deployment(work / "deployment", CLIENTS, plan=app / "plan.toml") as here:
        given = ["--app", str(app), "--superlink", "here", "--out", str(work / "run")]
        return watched(app, given, work, here._env())


RUN = {"simulated": simulated, "superlink": superlink}


def watched(app: Path, given: list[str], work: Path, env: dict[str, str]) -> dict[str, Any]:
    """The rounds, and what each command says of the run's folder."""
    began, run = time.monotonic(), work / "run"
    rounds = [unsilent(app, env, "watch", "plan.toml", *given) for _ in range(ROUNDS)]
    seconds = round(time.monotonic() - began)
    pack = str(work / "pack.zip")
    told = {
        "findings": unsilent(app, env, "findings", str(run)),
        "privacy spent": unsilent(app, env, "privacy", "spent", str(run)),
        "evidence": unsilent(app, env, "evidence", str(run), "--out", pack),
        # An unknown signer is no altered pack.
        "verify": unsilent(app, env, "verify", pack),
        "over": unsilent(app, env, "watch", "plan.toml", *given),
    }
    path = run / "ledger.sqlite"
    entries = Ledger(path, read_only=True).entries() if path.is_file() else []
    return {
        "seconds": seconds,
        "rounds": rounds,
        **told,
        "judged": [each.payload["round"] for each in entries if each.kind == "findings"],
        "missed": [str(each.payload["reason"]) for each in entries if each.kind == "missed"],
        "page": page(run) if entries else None,
    }


def unsilent(app: Path, env: dict[str, str], *words: str) -> int:
    """The exit code of a command; what it says of a failure goes to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "unsilent", *words], cwd=app, env=env, capture_output=True, text=True
    )
    if done.returncode:
        sys.stderr.write(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode


def page(run: Path) -> int:
    """The status of the dashboard's page about the run."""
    from starlette.testclient import TestClient

    from unsilent.serve.access import Access
    from unsilent.serve.app import make_app
    from unsilent.serve.places import Places

    with TestClient(make_app(Places([run.parent]), Access(frozenset({"testserver"})))) as client:
        return client.get(f"/runs/{run.name}").status_code


if __name__ == "__main__":
    main()
