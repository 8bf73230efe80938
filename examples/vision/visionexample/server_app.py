"""What the server runs: FedAvg over the adapters."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from unsilent.flower import monitor_strategy
from visionexample.task import new_arrays

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for as many rounds as the run config says."""
    strategy = monitor_strategy(FedAvg(fraction_evaluate=0.0))
    strategy.start(
        grid=grid,
        initial_arrays=new_arrays(),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
