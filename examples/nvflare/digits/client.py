"""What a site runs: the network trained on its own images."""

import nvflare.client as flare
import torch
from data import load_data
from monitoring import records, score
from net import DigitsNet, evaluate, train

from unsilent.nvflare import monitor_client


def main() -> None:
    """Train whenever the server asks for it."""
    torch.set_num_threads(1)
    flare.init()
    monitor_client(score, records=records)
    site = flare.get_site_name()
    x, y, *held_out = load_data(site)
    net = DigitsNet()
    while flare.is_running():
        given = flare.receive()
        torch.manual_seed(1000 * given.current_round + int(site.split("-")[1]))
        net.load_state_dict(given.params)
        train(net, x, y, epochs=2)
        flare.send(
            flare.FLModel(
                params=net.cpu().state_dict(),
                metrics=evaluate(net, *held_out),
                meta={"NUM_STEPS_CURRENT_ROUND": len(y)},
            )
        )


if __name__ == "__main__":
    main()
