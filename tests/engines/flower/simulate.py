"""Run an app folder in Flower's simulation, as the process does that ``flwr run`` starts.

    python -m tests.engines.flower.simulate APP NODES

The app's own files land in the current folder.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from pathlib import Path

from flwr.app import Context, RecordDict
from flwr.common.config import get_fused_config_from_dir, get_project_config
from flwr.simulation.run_simulation import _run_simulation
from flwr.supercore.constant import NOOP_FEDERATION_ID
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.supercore.telemetry import EventType


def main(app: Path, nodes: int) -> None:
    """One run with as many simulated SuperNodes."""
    components = get_project_config(app)["tool"]["flwr"]["app"]["components"]
    run = Run.create_empty(run_id=random.SystemRandom().getrandbits(62))
    run.primary_task_id, run.federation_id = 1, NOOP_FEDERATION_ID
    TaskIdentity.task_id = TaskIdentity.node_id = 1
    TaskIdentity.run_id = run.run_id
    config = get_fused_config_from_dir(app, {})
    _run_simulation(
        num_supernodes=nodes,
        exit_event=EventType.FLWR_SIMULATION_RUN_LEAVE,
        server_app_attr=components["serverapp"],
        client_app_attr=components["clientapp"],
        server_app_context=Context(run.run_id, 0, {}, RecordDict(), config),
        backend_config={
            "client_resources": {"num_cpus": os.cpu_count() or 1, "num_gpus": 0.0},
            "init_args": {
                "num_cpus": os.cpu_count(),
                "include_dashboard": False,
                "log_to_driver": False,
                "logging_level": logging.CRITICAL,
                "object_store_memory": 100 * 2**20,
            },
        },
        app_dir=str(app),
        run=run,
        is_app=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]))
