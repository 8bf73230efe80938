"""The job: a LoRA adapter tuned by federated averaging."""

import argparse
import sys

from model import Adapter
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv

from unsilent.nvflare import monitor_recipe


def main() -> None:
    """Make the job and run it in FLARE's simulator."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--headlines", type=int, default=48)
    parser.add_argument("--workspace", default="/tmp/nvflare/simulation")
    args = parser.parse_args()
    recipe = FedAvgRecipe(
        name="headlines",
        model=Adapter(),
        min_clients=args.sites,
        num_rounds=2,
        train_script="client.py",
        train_args=f"--headlines {args.headlines}",
        # Each site on its own: a language model wants a process of its own.
        launch_external_process=True,
        command=f"{sys.executable} -u",
    )
    recipe = monitor_recipe(recipe, "plan.toml")
    run = recipe.execute(SimEnv(num_clients=args.sites, workspace_root=args.workspace))
    sys.stdout.write(f"result: {run.get_result()}\n")


if __name__ == "__main__":
    main()
