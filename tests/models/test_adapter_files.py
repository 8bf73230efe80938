"""Adapters on disk, and their weighted mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from unsilent.errors import ModelError
from unsilent.models.base import Adapter, average

BASE = "sha256:" + "a" * 64


def adapter(seed: int, base: str = BASE) -> Adapter:
    random = np.random.default_rng(seed)
    return Adapter(
        base,
        {
            "1.q_proj.lora_B": random.normal(size=(3, 2)).astype(np.float32),
            "1.q_proj.lora_A": random.normal(size=(2, 5)).astype(np.float32),
        },
    )


def test_a_saved_adapter_comes_back_bit_for_bit(tmp_path: Path) -> None:
    made = adapter(0)
    made.save(tmp_path / "deep" / "a.safetensors")
    found = Adapter.load(tmp_path / "deep" / "a.safetensors", base=BASE)
    assert found.digest == made.digest
    assert list(found.tensors) == sorted(made.tensors)
    for name, tensor in made.tensors.items():
        assert found.tensors[name].tobytes() == tensor.tobytes()


def test_saving_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    adapter(0).save(path)
    adapter(1).save(path)
    assert Adapter.load(path, base=BASE).digest == adapter(1).digest
    assert list(tmp_path.iterdir()) == [path]


def test_the_digest_tells_values_names_shapes_and_bases_apart() -> None:
    one = adapter(0)
    values = dict(one.tensors)
    reshaped = {name: tensor.reshape(tensor.shape[::-1]) for name, tensor in values.items()}
    renamed = {f"2{name}": tensor for name, tensor in values.items()}
    digests = {
        one.digest,
        adapter(1).digest,
        adapter(0, "sha256:other").digest,
        Adapter(BASE, reshaped).digest,
        Adapter(BASE, renamed).digest,
    }
    assert len(digests) == 5
    assert Adapter(BASE, dict(reversed(values.items()))).digest == one.digest


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    adapter(0).save(path)
    with pytest.raises(ModelError, match="another base") as caught:
        Adapter.load(path, base="sha256:" + "b" * 64)
    assert caught.value.where == str(path)
    save_file({"x": np.zeros(2, np.float32)}, path)
    with pytest.raises(ModelError, match="another base \\(unnamed"):
        Adapter.load(path, base=BASE)


@pytest.mark.parametrize("left", [0, 4, 20, -1])
def test_a_file_cut_short_is_refused(left: int, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    adapter(0).save(path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ModelError, match="not a readable safetensors file") as caught:
        Adapter.load(path, base=BASE)
    assert caught.value.where == str(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no adapter at all, but long enough for a header")
    for path in (tmp_path / "text", tmp_path):
        with pytest.raises(ModelError, match="not a readable safetensors file"):
            Adapter.load(path, base=BASE)
    with pytest.raises(ModelError, match="no such adapter"):
        Adapter.load(tmp_path / "gone", base=BASE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    bad = np.array([0.0, value], np.float32)
    with pytest.raises(ModelError, match="adapter tensor x is not finite"):
        Adapter(BASE, {"x": bad})
    save_file({"x": bad}, tmp_path / "a", metadata={"unsilent_base": BASE})
    with pytest.raises(ModelError, match="adapter tensor x is not finite"):
        Adapter.load(tmp_path / "a", base=BASE)


def test_the_average_is_the_weighted_mean() -> None:
    parts = [Adapter(BASE, {"x": np.array(v, np.float32)}) for v in ([1, 8], [2, 4], [4, 0])]
    mean = average(parts, [1, 1, 2])
    np.testing.assert_allclose(mean.tensors["x"], [(1 + 2 + 8) / 4, (8 + 4 + 0) / 4])
    assert mean.base == BASE
    assert mean.tensors["x"].dtype == np.float32
    assert average([parts[0]], [7]).digest == parts[0].digest


@given(st.permutations(range(5)), st.lists(st.integers(1, 200), min_size=5, max_size=5))
def test_the_average_does_not_depend_on_the_order(order: list[int], weights: list[int]) -> None:
    parts = [adapter(seed) for seed in range(5)]
    straight = average(parts, weights)
    turned = average([parts[i] for i in order], [weights[i] for i in order])
    for name, tensor in straight.tensors.items():
        np.testing.assert_allclose(turned.tensors[name], tensor, rtol=1e-6, atol=1e-7)
        exact = sum(w * p.tensors[name].astype(float) for w, p in zip(weights, parts, strict=True))
        np.testing.assert_allclose(tensor, exact / sum(weights), rtol=1e-5, atol=1e-6)


def test_only_adapters_of_one_base_are_averaged() -> None:
    with pytest.raises(ModelError, match="share one base"):
        average([adapter(0), adapter(0, "sha256:other")], [1, 1])
    with pytest.raises(ModelError, match="share one base"):
        average([], [])
