"""What the server runs: FedAvg, and the one line around it."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from unsilent.flower import monitor_strategy
from ward.task import FEATURES

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """As many rounds as the run config says."""
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=2, min_available_nodes=2)
    strategy = monitor_strategy(
        strategy, str(context.run_config["plan"]), out=str(context.run_config["out"])
    )
    strategy.start(
        grid,
        initial_arrays=ArrayRecord([np.zeros(FEATURES + 1)]),
        num_rounds=int(context.run_config["rounds"]),
        timeout=float(context.run_config["timeout"]),
    )
