"""sklearnexample: A Flower / scikit-learn app."""

from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from sklearnexample.task import create_log_reg_and_instantiate_parameters, get_model_parameters
from unsilent.flower import monitor_strategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Main entry point for the ServerApp."""
    model = create_log_reg_and_instantiate_parameters(context.run_config["local-epochs"])
    arrays = ArrayRecord(get_model_parameters(model))

    strategy = monitor_strategy(FedAvg(fraction_train=1.0, fraction_evaluate=1.0))

    result = strategy.start(
        grid=grid,
        initial_arrays=arrays,
        num_rounds=context.run_config["num-server-rounds"],
    )

    np.savez(Path("final_model.npz"), *result.arrays.to_numpy_ndarrays())
