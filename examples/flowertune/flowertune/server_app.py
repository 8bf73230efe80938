"""What the server runs: FedAvg over adapters, and a checkpoint after each round."""

from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from peft import get_peft_model_state_dict

from flowertune.models import load_model
from unsilent.flower import monitor_strategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Tune for as many rounds as the run config says."""
    save_path = Path(str(context.run_config["save-path"]))
    save_path.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model, _ = load_model(context)

    def save(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        torch.save(arrays.to_torch_state_dict(), save_path / f"adapter-{server_round}.pt")
        return MetricRecord()

    strategy = monitor_strategy(FedAvg(fraction_evaluate=0.0))
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(get_peft_model_state_dict(model)),
        num_rounds=int(context.run_config["num-server-rounds"]),
        evaluate_fn=save,
    )
