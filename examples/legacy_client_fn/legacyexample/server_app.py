"""FedAvg of the Message API, told by which names the older client finds things."""

from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from legacyexample.task import new_weights
from unsilent.flower import monitor_strategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for as many rounds as the run config says."""
    strategy = FedAvg(
        fraction_evaluate=0.0,
        arrayrecord_key="fitins.parameters",
        configrecord_key="fitins.config",
        weighted_by_key="num_examples",
    )
    strategy = monitor_strategy(strategy)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([new_weights()]),
        num_rounds=context.run_config["num-server-rounds"],
    )
    np.savez(Path("final_model.npz"), *result.arrays.to_numpy_ndarrays())
