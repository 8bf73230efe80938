"""What a client runs: the LoRA and the head, trained on its own images."""

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from unsilent.flower import monitor_client
from visionexample.monitoring import data_of, personalize, records, score
from visionexample.task import train

app = monitor_client(ClientApp(), score, records=records, personalize=personalize)


@app.train()
def fit(msg: Message, context: Context) -> Message:
    """Train the global adapter on the client's images."""
    config = context.run_config
    epochs, rate = int(config["local-epochs"]), float(config["learning-rate"])
    arrays, report = train(msg.content["arrays"], data_of(context)[0], epochs, rate, seed=0)
    told = {"loss": report.loss, "accuracy": report.accuracy, "num-examples": report.examples}
    content = RecordDict({"arrays": arrays, "metrics": MetricRecord(told)})
    return Message(content, reply_to=msg)
