"""sklearnexample: A Flower / scikit-learn app."""

import warnings

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sklearn.metrics import log_loss

from sklearnexample.monitoring import score
from sklearnexample.task import (
    create_log_reg_and_instantiate_parameters,
    get_model_parameters,
    load_data,
    set_model_params,
)
from unsilent.flower import monitor_client

app = monitor_client(ClientApp(), score)


@app.train()
def train(msg: Message, context: Context):
    """Train the model on local data."""
    model = create_log_reg_and_instantiate_parameters(context.run_config["local-epochs"])
    set_model_params(model, msg.content["arrays"].to_numpy_ndarrays())

    partition_id = context.node_config["partition-id"]
    num_partitions = context.node_config["num-partitions"]
    x_train, _, y_train, _ = load_data(partition_id, num_partitions)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x_train, y_train)

    loss = log_loss(y_train, model.predict_proba(x_train), labels=[0, 1, 2])
    metrics = {"num-examples": len(x_train), "train_logloss": loss}
    content = RecordDict(
        {"arrays": ArrayRecord(get_model_parameters(model)), "metrics": MetricRecord(metrics)}
    )
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    """Evaluate the model on local data."""
    model = create_log_reg_and_instantiate_parameters(context.run_config["local-epochs"])
    set_model_params(model, msg.content["arrays"].to_numpy_ndarrays())

    partition_id = context.node_config["partition-id"]
    num_partitions = context.node_config["num-partitions"]
    _, x_test, _, y_test = load_data(partition_id, num_partitions)

    loss = log_loss(y_test, model.predict_proba(x_test), labels=[0, 1, 2])
    accuracy = model.score(x_test, y_test)
    metrics = {"num-examples": len(x_test), "test_logloss": loss, "test_accuracy": accuracy}
    content = RecordDict({"metrics": MetricRecord(metrics)})
    return Message(content=content, reply_to=msg)
