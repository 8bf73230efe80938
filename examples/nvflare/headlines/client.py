"""What a site runs: its adapter trained on its own headlines."""

import argparse

import nvflare.client as flare
import torch
from model import load_data, load_model, tune
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from unsilent.nvflare import PeftScore, monitor_client


def main() -> None:
    """Train whenever the server asks for it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--headlines", type=int, default=48)
    args = parser.parse_args()
    flare.init()
    monitor_client(PeftScore(load_model))
    site = flare.get_site_name()
    texts = load_data(site, args.headlines)
    model, _ = load_model()
    while flare.is_running():
        given = flare.receive()
        torch.manual_seed(1000 * given.current_round + int(site.split("-")[1]))
        set_peft_model_state_dict(model, given.params)
        loss = tune(texts)
        flare.send(
            flare.FLModel(
                params=get_peft_model_state_dict(model),
                metrics={"loss": loss},
                meta={"NUM_STEPS_CURRENT_ROUND": len(texts)},
            )
        )


if __name__ == "__main__":
    main()
