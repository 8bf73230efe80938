"""Clients share a GPU as its free memory allows. No GPU is here: torch's numbers are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from unsilent.errors import InputError
from unsilent.models.gpus import clients_a_gpu, gpu_share, needed, weight_bytes
from unsilent.plan import MonitoringPlan, parse_plan

GIB = 2**30


def plan(device: str = "cuda") -> MonitoringPlan:
    return parse_plan(
        {"model": {"device": device}, "modes": {"amplified_bias": {"tolerance": 0.1}}}
    )


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Free bytes of the GPUs that torch tells of."""
    free: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(free))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda n: (free[n], 80 * GIB))
    monkeypatch.delenv("UNSILENT_DEVICE", raising=False)
    return free


def test_as_many_clients_as_there_is_room_for(gpus: list[int]) -> None:
    gpus += [40 * GIB]
    weights = 4 * GIB
    # 4 of weights, 2 of work, 0.75 of CUDA: five in nine tenths of forty.
    assert needed(weights) == int(6.75 * GIB)
    assert gpu_share(plan(), weights) == 1 / 5
    gpus[0] = 14 * GIB
    assert gpu_share(plan(), weights) == 1.0


def test_the_gpu_with_least_memory_counts(gpus: list[int]) -> None:
    gpus += [40 * GIB, 14 * GIB]
    assert clients_a_gpu(gpus, 4 * GIB) == 1


def test_a_share_that_does_not_fit_is_refused_with_one_that_does(gpus: list[int]) -> None:
    gpus += [40 * GIB]
    with pytest.raises(InputError, match=r"8 clients a GPU need about 54\.0 GiB.*Use 0\.2"):
        gpu_share(plan(), 4 * GIB, 0.125)
    assert gpu_share(plan(), 4 * GIB, 0.25) == 0.25
    with pytest.raises(InputError, match="one client on a GPU needs"):
        gpu_share(plan(), 40 * GIB)


def test_weights_that_are_not_known_get_a_gpu_alone(gpus: list[int]) -> None:
    gpus += [40 * GIB]
    assert gpu_share(plan(), None) == 1.0
    assert gpu_share(plan(), None, 0.25) == 0.25


def test_without_a_gpu_none_is_shared(gpus: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_share(plan("cpu"), 4 * GIB) == 0.0
    with pytest.raises(InputError, match="no GPU is here"):
        gpu_share(plan(), 4 * GIB)
    with pytest.raises(InputError, match="no GPU is used"):
        gpu_share(plan("cpu"), 4 * GIB, 0.5)
    with pytest.raises(InputError, match="no share"):
        gpu_share(plan(), 4 * GIB, 2.0)
    gpus += [40 * GIB]
    monkeypatch.setenv("UNSILENT_DEVICE", "cpu")
    assert gpu_share(plan(), 4 * GIB) == 0.0


def test_weights_are_counted_by_the_heads_of_their_files(tmp_path: Path) -> None:
    assert weight_bytes(tmp_path, "float32") is None
    save_file({"a": np.zeros((3, 4), np.float16)}, tmp_path / "one.safetensors")
    save_file({"b": np.zeros(8, np.float16)}, tmp_path / "two.safetensors")
    assert weight_bytes(tmp_path, "float32") == 80
    assert weight_bytes(tmp_path, "bfloat16") == 40
