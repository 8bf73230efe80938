"""What a client runs: its adapter trained on its own headlines."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from flowertune.dataset import load_data
from flowertune.models import load_model, tune
from unsilent.flower import PeftScore, monitor_client

app = monitor_client(ClientApp(), PeftScore(load_model))


@app.train()
def train(msg: Message, context: Context) -> Message:
    """Train the adapter from where the server has it."""
    partition_id = int(context.node_config["partition-id"])
    server_round = int(msg.content["config"]["server-round"])
    torch.manual_seed(1000 * server_round + partition_id)

    trainset = load_data(partition_id, int(context.run_config["train.headlines"]))
    model, tokenizer = load_model(context)
    set_peft_model_state_dict(model, msg.content["arrays"].to_torch_state_dict())
    loss = tune(model, tokenizer, trainset, context.run_config)

    arrays = ArrayRecord(get_peft_model_state_dict(model))
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(trainset)})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=msg)
