"""A model's parameters as NumPy arrays, whatever a job sends them as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from unsilent.engines.nvflare.arrays import added, plain
from unsilent.errors import ModelError


def test_a_type_that_numpy_has_not_keeps_its_values() -> None:
    tensor = torch.tensor([1.0, 2**-100, 1e30], dtype=torch.bfloat16)
    found = plain({"w": tensor, "n": torch.tensor(3), "half": torch.ones(2, dtype=torch.float16)})
    assert found["w"].dtype == np.float32
    assert torch.equal(torch.from_numpy(found["w"]).to(torch.bfloat16), tensor)
    assert (found["n"].dtype, found["n"].shape) == (np.int64, ())
    assert found["half"].dtype == np.float16


def test_parameters_that_require_gradients_are_read() -> None:
    assert plain({"w": torch.ones(2, requires_grad=True)})["w"].tolist() == [1, 1]


@pytest.mark.parametrize("params", [None, [1.0], {"w": b"encrypted"}, {"w": object()}])
def test_what_is_none_is_refused_by_name(params: Any) -> None:
    with pytest.raises(ModelError, match="cannot be read as arrays"):
        plain(params)


def test_a_change_is_of_the_same_parameters() -> None:
    start = {"w": np.ones(2)}
    assert added(start, {"w": np.ones(2)})["w"].tolist() == [2, 2]
    with pytest.raises(ModelError, match="a change of other parameters"):
        added(start, {"v": np.ones(2)})
