"""What a client runs: the network trained on its own images."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from digits.monitoring import personalize, records, score
from digits.task import evaluate, load_data, train
from unsilent.flower import monitor_client

app = monitor_client(ClientApp(), score, records=records, personalize=personalize)


@app.train()
def fit(msg: Message, context: Context) -> Message:
    """Train the global network on the client's images."""
    node, config = context.node_config, context.run_config
    x, y, *_ = load_data(int(node["partition-id"]), int(node["num-partitions"]))
    weights = msg.content["arrays"].to_numpy_ndarrays()
    weights = train(weights, x, y, int(config["local-epochs"]), float(config["learning-rate"]))
    loss, accuracy = evaluate(weights, x, y)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(y)})
    content = RecordDict({"arrays": ArrayRecord(weights), "metrics": metrics})
    return Message(content, reply_to=msg)
