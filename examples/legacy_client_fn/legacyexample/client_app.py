"""A NumPyClient behind a client_fn, as apps of before the Message API have it."""

from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Context

from legacyexample.monitoring import score
from legacyexample.task import fit, load_data
from unsilent.flower import monitor_client


class FlowerClient(NumPyClient):
    """One hospital."""

    def __init__(self, x, y, rate):
        self.x, self.y, self.rate = x, y, rate

    def fit(self, parameters, config):
        """Train on the hospital's own cases."""
        weights, loss, accuracy = fit(parameters[0], self.x, self.y, self.rate)
        return [weights], len(self.y), {"loss": loss, "accuracy": accuracy}


def client_fn(context: Context):
    """The client of a node."""
    x, y = load_data(context.node_config["partition-id"], context.node_config["num-partitions"])
    return FlowerClient(x, y, context.run_config["learning-rate"]).to_client()


app = monitor_client(ClientApp(client_fn), score)
