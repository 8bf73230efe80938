"""Apps that two lines monitor, in Flower's own simulation: workers, pickled apps and all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from unsilent.findings import validate
from unsilent.ledger import Ledger

ROOT = Path(__file__).parents[3]
APPS = {"quickstart_sklearn": "quickstart-sklearn", "legacy_client_fn": "legacy-client-fn"}
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # By default workers give way to everything else, and on a busy machine never start.
    "RAY_worker_niceness": "0",
}


# Of the two the one in which more has to be pickled.
@pytest.mark.parametrize(
    "app", [pytest.param("quickstart_sklearn", marks=pytest.mark.long), "legacy_client_fn"]
)
def test_an_app_is_monitored_without_any_setting(app: str, tmp_path: Path) -> None:
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, **QUIET, "FLWR_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # Ray's sockets have names too long for a folder of a test.
    env["RAY_TMPDIR"] = tempfile.gettempdir()
    command = [
        sys.executable,
        "-m",
        "tests.engines.flower.simulate",
        str(ROOT / "examples" / app),
        "4",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert np.load(tmp_path / "final_model.npz").files
    out = tmp_path / "runs" / APPS[app]
    assert Ledger(out / "ledger.sqlite").entries("missed") == []
    told = json.loads((out / "findings.json").read_text())
    validate(told)
    assert told["clients"] == 4
