"""The images, who has which of them, and the model that all clients start from."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from flwr.app import ArrayRecord

from unsilent.images import shown
from unsilent.items import Item, ItemSet
from unsilent.models import Adapter, Training, TrainingReport, load_model
from unsilent.models.base import PersonalModel
from unsilent.plan import read_plan
from visionexample.provider import CLASSES, domain_of, provided

HERE = Path(__file__).parents[1]


@cache
def the_model() -> PersonalModel:
    """The plan's model, as the provider left it in the app's folder; one a process."""
    plan = read_plan(HERE / "plan.toml")
    model = plan.model.model_copy(update={"id": str(provided(HERE) / plan.model.id)})
    return load_model(plan.model_copy(update={"model": model}))


@cache
def load_data(
    partition_id: int, num_partitions: int, narrow: bool, most: int
) -> tuple[ItemSet, ItemSet]:
    """A client's images to train on, and held-out ones; ``most`` in all.

    Every client sees twice as much of five digits, its home, as of the others; a narrow one sees
    its home alone.
    """
    digits = np.load(provided(HERE) / "images.npz")["digits"]
    home = (digits < 5) == (partition_id % 2 == 0)
    mine = np.flatnonzero(home)[partition_id // 2 :: (num_partitions + 1) // 2]
    away = np.flatnonzero(~home)[partition_id // 2 :: (num_partitions + 1) // 2]
    taken = away[:0] if narrow else away[: len(mine) // 2]
    rows = np.random.default_rng(partition_id).permutation(np.concatenate([mine, taken]))[:most]
    items = [
        Item(
            f"image-{row}",
            f"image:images.npz?array=clients&row={row}",
            CLASSES,
            answer=int(digits[row]),
            domain=domain_of(digits[row]),
        )
        for row in rows
    ]
    cut = len(items) * 3 // 4
    own = (("train", items[:cut]), ("held out", items[cut:]))
    train, held_out = (shown(ItemSet(name, tuple(part)), HERE) for name, part in own)
    return train, held_out


def new_arrays() -> ArrayRecord:
    """An adapter that changes nothing yet."""
    return arrays_of(the_model().new_adapter(0))


def train(
    arrays: ArrayRecord, records: ItemSet, epochs: int, rate: float, seed: int
) -> tuple[ArrayRecord, TrainingReport]:
    """The adapter, trained on a client's images."""
    how = Training(epochs=epochs, learning_rate=rate, batch=8, seed=seed)
    trained, report = the_model().train(adapter_of(arrays), records, how)
    return arrays_of(trained), report


def arrays_of(adapter: Adapter) -> ArrayRecord:
    """As Flower sends it."""
    return ArrayRecord({name: torch.from_numpy(each) for name, each in adapter.tensors.items()})


def adapter_of(arrays: ArrayRecord) -> Adapter:
    """As the model takes it."""
    return Adapter(the_model().digest, {name: each.numpy() for name, each in arrays.items()})
