"""Arrays in a file keep their shapes, and what cannot be kept or read is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unsilent.array_files import ArrayFiles
from unsilent.errors import ModelError


def test_arrays_come_back_in_their_shapes(tmp_path: Path) -> None:
    arrays = {"one": np.array(3.0), "none": np.zeros((0, 2)), "turned": np.ones((2, 3)).T}
    ArrayFiles().save(tmp_path / "a", arrays)
    found = ArrayFiles().load(tmp_path / "a")
    assert {name: each.shape for name, each in found.items()} == {
        "one": (),
        "none": (0, 2),
        "turned": (3, 2),
    }


def test_a_type_that_no_file_holds_leaves_the_old_file(tmp_path: Path) -> None:
    ArrayFiles().save(tmp_path / "a", {"x": np.ones(1)})
    with pytest.raises(ModelError, match="object"):
        ArrayFiles().save(tmp_path / "a", {"x": np.array([None])})
    assert list(ArrayFiles().load(tmp_path / "a")) == ["x"]


@pytest.mark.parametrize("data", [b"", b"\x02" + bytes(7) + b"{}x", b"\xff" * 20])
def test_a_damaged_file_is_said_to_be_one(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ModelError, match="cannot be read"):
        ArrayFiles().load(tmp_path / "a")
