"""The model, its parameters as arrays, and the irises of each partition."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def load_data(partition_id: int, num_partitions: int):
    """A partition's training and test data, drawn at random from all irises."""
    x, y = load_iris(return_X_y=True)
    mine = np.random.default_rng(0).permutation(len(y))[partition_id::num_partitions]
    return train_test_split(x[mine], y[mine], test_size=0.2, random_state=0, stratify=y[mine])


def create_log_reg_and_instantiate_parameters(local_epochs: int) -> LogisticRegression:
    """A model with parameters of zero: scikit-learn makes them only when it fits."""
    model = LogisticRegression(max_iter=local_epochs, warm_start=True, solver="saga")
    model.classes_ = np.arange(3)
    model.coef_ = np.zeros((3, 4))
    model.intercept_ = np.zeros(3)
    return model


def get_model_parameters(model: LogisticRegression) -> list[np.ndarray]:
    """Coefficients and intercept."""
    return [model.coef_, model.intercept_]


def set_model_params(model: LogisticRegression, params: list[np.ndarray]) -> LogisticRegression:
    """The model with these parameters."""
    model.coef_, model.intercept_ = params
    return model
