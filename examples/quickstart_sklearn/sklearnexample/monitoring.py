"""How the app's model answers: what monitoring needs of a model that it does not know."""

import numpy as np
from flwr.app import ArrayRecord, Context

from sklearnexample.task import create_log_reg_and_instantiate_parameters, set_model_params
from unsilent.items import ItemSet


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> np.ndarray:
    """Probabilities of the three species; an item's prompt is a flower's four measurements."""
    model = create_log_reg_and_instantiate_parameters(context.run_config["local-epochs"])
    if arrays is not None:
        set_model_params(model, arrays.to_numpy_ndarrays())
    return model.predict_proba([[float(cm) for cm in item.prompt.split()] for item in items])
