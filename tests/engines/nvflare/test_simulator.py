"""FLARE's own simulator, in process: three sites of a job with its two lines get findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.engines.nvflare.flare import plan_of

CLIENT = """
import numpy as np
import nvflare.client as flare
from unsilent.nvflare import monitor_client

def score(items, params):
    lean = 0.5 if params is None else 0.5 + float(np.mean(params["numpy_key"])) / 12
    return [[1 - lean, lean] for _ in items]

flare.init()
monitor_client(score, personalize=lambda params: {"numpy_key": params["numpy_key"] + 1})
while flare.is_running():
    given = flare.receive()
    moved = {name: value + 2 for name, value in given.params.items()}
    flare.send(flare.FLModel(params=moved, metrics={"loss": 0.5, "accuracy": 0.75}))
"""

JOB = """
import json
from nvflare.fuel.utils.constants import FrameworkType
from nvflare.recipe import SimEnv
from nvflare.recipe.fedavg import FedAvgRecipe
from unsilent.nvflare import monitor_recipe
from unsilent.plan import parse_plan

recipe = FedAvgRecipe(name="job", model=[0.0, 0.0], min_clients=3, num_rounds=2,
                      train_script="client.py", framework=FrameworkType.NUMPY)
# FLARE lets sites ask for tasks every two seconds; a test need not wait so long.
recipe.add_server_config({"server": {"task_request_interval": 0.1}})
recipe = monitor_recipe(recipe, parse_plan(json.load(open("plan.json"))))
recipe.execute(SimEnv(num_clients=3, workspace_root="work"))
"""


def test_three_sites_in_process_get_masked_findings_and_train_as_ever(tmp_path: Path) -> None:
    # At epsilon 60 the noise of three sites would be near the tolerance below.
    privacy = {"epsilon": 5000.0, "dropout": 0.0, "aggregation": "secure-sum"}
    plan = plan_of(tmp_path, privacy=privacy)
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "job.py").write_text(JOB)
    done = subprocess.run(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    job = tmp_path / "work" / "job" / "server" / "simulate_job"
    assert np.load(job / "models" / "server.npy").tolist() == [4.0, 4.0]
    findings = json.loads((job / "unsilent" / "findings.json").read_text())
    found = findings["findings"][0]
    assert (found["code"], found["verdict"], findings["round"]) == ("SF-1", "failure", 2)
    # Two rounds add 2 each and the site's own step 1: its lead over the base is 2 · 5 / 12.
    assert found["effect"] == pytest.approx(5 / 6, abs=0.1)
    assert list((job / "unsilent").glob("secure-sum-*.bin"))
    assert findings["system_metrics"]["accuracy"] == {"first": 0.75, "last": 0.75}
    # Whoever owns the simulator owns its sites: their folders are in its workspace.
    assert len(list((tmp_path / "work" / "job" / "unsilent").glob("site-*/budget.json"))) == 3
