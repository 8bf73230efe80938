"""The job: federated averaging of a digits network over four sites."""

import argparse
import sys

from net import DigitsNet
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import ProdEnv, SimEnv

from unsilent.nvflare import monitor_recipe


def main() -> None:
    """Make the job and run it: in FLARE's simulator, or in a federation that is running."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workspace", default="/tmp/nvflare/simulation")
    parser.add_argument("--startup-kit", help="of the admin who submits it; else simulated")
    parser.add_argument("--subprocess", action="store_true", help="run the script on its own")
    args = parser.parse_args()
    recipe = FedAvgRecipe(
        name="digits",
        model=DigitsNet(),
        min_clients=args.sites,
        num_rounds=args.rounds,
        train_script="client.py",
        launch_external_process=args.subprocess,
        command=f"{sys.executable} -u",
    )
    recipe = monitor_recipe(recipe, "plan.toml")
    if args.startup_kit:
        env = ProdEnv(startup_kit_location=args.startup_kit, username="admin@nvidia.com")
    else:
        env = SimEnv(num_clients=args.sites, workspace_root=args.workspace)
    run = recipe.execute(env)
    sys.stdout.write(f"result: {run.get_result()}\n")


if __name__ == "__main__":
    main()
