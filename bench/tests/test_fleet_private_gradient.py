"""Each record's gradient is clipped as automatic differentiation says it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.records import data_of
from unsilent_bench.fleet.training import PrivateSteps, gradient_of
from unsilent_bench.fleet.weights import Array, Parts

from bench.tests.fleet_bank import small_bank
from unsilent.items import Item


def items() -> tuple[Item, ...]:
    task = ("sentiment", "guard")
    choices = (("positive", "negative"), ("decline", "answer"))
    return tuple(
        Item(f"i{n}", f"text {n}", choices[n % 2], n // 2 % 2, task=task[n % 2]) for n in range(8)
    )


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return small_bank(tmp_path)


def record_gradients(bank: Bank, row: Array) -> np.ndarray:
    """(records, size) gradients by torch, one record at a time."""
    data = data_of(bank, [items()])
    found = []
    for place in range(len(items())):
        weights = torch.tensor(row, requires_grad=True)
        sizes = [p.size for p in _views(bank, row)]
        down, offset, up, weight, bias = torch.split(weights, sizes)
        rank, width = bank.shape.rank, bank.shape.width
        h = torch.tensor(bank.points[data.rows[0, place]])
        z = h + bank.scale * torch.relu(h @ down.reshape(width, rank) + offset) @ up.reshape(
            rank, width
        )
        task = bank.tasks[data.tasks[0, place]]
        if task.start == 0:
            logits = weight.reshape(-1, width) @ z + bias
        else:
            logits = torch.tensor(bank.weight[task.start : task.stop]) @ z
            logits = logits + torch.tensor(bank.bias[task.start : task.stop])
        answer = torch.tensor(int(data.answers[0, place]) - task.start)
        torch.nn.functional.cross_entropy(logits, answer).backward()
        assert weights.grad is not None
        found.append(weights.grad.numpy())
    return np.stack(found)


def _views(bank: Bank, row: Array) -> tuple[Array, ...]:
    parts = Parts.of(row[None], bank.shape)
    return parts.down, parts.offset, parts.up, parts.weight, parts.bias


@pytest.mark.parametrize("clip", [1e6, 0.5, 0.05])
def test_the_sum_of_clipped_gradients_is_torchs(bank: Bank, clip: float) -> None:
    row = bank.new_row(1) + np.random.default_rng(2).normal(0, 0.1, bank.shape.size)
    row = row.astype(np.float32)
    each = record_gradients(bank, row)
    norms = np.linalg.norm(each, axis=1, keepdims=True)
    expected = (each * np.minimum(1, clip / norms)).sum(axis=0)
    found = np.empty((1, bank.shape.size), np.float32)
    share = np.ones((1, len(items())), np.float32)
    steps = PrivateSteps(clip, 0.0, np.zeros(1, np.bool_))
    gradient_of(bank, row[None], data_of(bank, [items()]), share, found, steps)
    np.testing.assert_allclose(found[0], expected, atol=2e-5 * max(1.0, min(clip, 1.0)))
    assert clip > 1 or (norms > clip).any()


def test_it_is_what_opacus_clips(bank: Bank) -> None:
    opacus = pytest.importorskip("opacus", reason="opacus is not installed")
    width, rank = bank.shape.width, bank.shape.rank
    data = data_of(bank, [items()[::2]])
    row = bank.new_row(1) + np.random.default_rng(2).normal(0, 0.1, bank.shape.size)
    row = row.astype(np.float32)
    down, offset, up, weight, bias = _views(bank, row)

    class Residual(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = torch.nn.Linear(width, rank)
            self.up = torch.nn.Linear(rank, width, bias=False)
            self.head = torch.nn.Linear(width, 2)
            with torch.no_grad():
                self.down.weight.copy_(torch.tensor(down[0].T))
                self.down.bias.copy_(torch.tensor(offset[0]))
                self.up.weight.copy_(torch.tensor(up[0].T))
                self.head.weight.copy_(torch.tensor(weight[0]))
                self.head.bias.copy_(torch.tensor(bias[0]))

        def forward(self, h: torch.Tensor) -> torch.Tensor:
            return self.head(h + bank.scale * self.up(torch.relu(self.down(h))))

    model = opacus.GradSampleModule(Residual(), loss_reduction="sum")
    h = torch.tensor(bank.points[data.rows[0]])
    answers = torch.tensor(data.answers[0])
    torch.nn.functional.cross_entropy(model(h), answers, reduction="sum").backward()
    samples = {name: p.grad_sample for name, p in model.named_parameters()}
    norms = torch.sqrt(sum((g.flatten(1) ** 2).sum(1) for g in samples.values()))
    factor = torch.clamp(0.5 / norms, max=1.0)
    summed = {
        name.removeprefix("_module."): torch.einsum("n,n...->...", factor, g)
        for name, g in samples.items()
    }
    found = np.empty((1, bank.shape.size), np.float32)
    share = np.ones((1, len(data.rows[0])), np.float32)
    gradient_of(bank, row[None], data, share, found, PrivateSteps(0.5, 0.0, np.zeros(1, np.bool_)))
    mine = Parts.of(found, bank.shape)
    np.testing.assert_allclose(mine.down[0].T, summed["down.weight"].numpy(), atol=2e-5)
    np.testing.assert_allclose(mine.up[0].T, summed["up.weight"].numpy(), atol=2e-5)
    np.testing.assert_allclose(mine.weight[0], summed["head.weight"].numpy(), atol=2e-5)
