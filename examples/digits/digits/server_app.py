"""What the server runs: FedAvg over the networks."""

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from digits.task import new_weights
from unsilent.flower import monitor_strategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for as many rounds as the run config says."""
    strategy = monitor_strategy(FedAvg(fraction_evaluate=0.0))
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(new_weights()),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
