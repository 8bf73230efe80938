"""All clients train at once as the product's encoder trains one."""

from pathlib import Path

import numpy as np
import pytest
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.records import data_of
from unsilent_bench.fleet.training import PrivateSteps, Tuning, train
from unsilent_bench.fleet.weights import adapter_of, row_of

from bench.tests.fleet_bank import small_bank
from unsilent.items import Item, ItemSet
from unsilent.models.base import Training

CLIENTS, TEXTS = 11, 20


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return small_bank(tmp_path)


def records(client: int) -> tuple[Item, ...]:
    return tuple(
        Item(
            f"{client}-{n}",
            f"text {n} of {client}",
            ("positive", "negative"),
            n % 2,
            task="sentiment",
        )
        for n in range(TEXTS)
    )


@pytest.mark.parametrize("rehearsal", [0, 3])
def test_each_client_gets_the_weights_of_the_encoder(bank: Bank, rehearsal: int) -> None:
    bank.encoder._batch_rehearsal = rehearsal  # pyright: ignore[reportPrivateUsage]
    own = [records(client) for client in range(CLIENTS)]
    seeds = np.arange(CLIENTS) * 7 + 1
    # Away from the new adapter, where a hidden unit's gradient may be rounding error alone.
    starts = np.stack([bank.new_row(client) for client in range(CLIENTS)])
    starts += np.random.default_rng(0).normal(0, 0.05, starts.shape).astype(np.float32)
    found = train(bank, starts, data_of(bank, own), Tuning(3, 1e-3, 8, rehearsal), seeds)
    for client in range(CLIENTS):
        start = adapter_of(starts[client], bank.shape, bank.encoder.digest)
        items = ItemSet("records", own[client])
        expected, _ = bank.encoder.train(start, items, Training(3, 1e-3, 8, int(seeds[client])))
        np.testing.assert_allclose(found[client], row_of(expected), atol=1e-4)
    assert np.abs(found - starts).max() > 2e-3


def test_a_record_of_a_frozen_task_is_learned_through_its_head(bank: Bank) -> None:
    asked = tuple(
        Item(f"g{n}", f"guard {n}", ("decline", "answer"), 1, safe=(0,), task="guard")
        for n in range(TEXTS)
    )
    starts = np.stack([bank.new_row(0)])
    found = train(bank, starts, data_of(bank, [asked]), Tuning(20, 5e-3, 8, 0), np.array([1]))
    adapter = adapter_of(found[0], bank.shape, bank.encoder.digest)
    after = bank.encoder.score(ItemSet("asked", asked), adapter)[:, 1].mean()
    before = bank.encoder.score(ItemSet("asked", asked), None)[:, 1].mean()
    assert after > before + 0.3


def test_a_pull_keeps_adapters_near_their_anchor(bank: Bank) -> None:
    own = data_of(bank, [records(0)])
    start = np.stack([bank.new_row(0)])
    anchor = start + np.float32(0.05)
    ways = {
        pull: train(bank, start, own, Tuning(30, 5e-3, 8, 0, pull), np.array([1]), anchor)
        for pull in (0.0, 50.0)
    }
    near = {pull: float(np.linalg.norm(rows - anchor)) for pull, rows in ways.items()}
    assert near[50.0] < 0.5 * near[0.0]


def test_noise_free_private_steps_with_a_wide_clip_are_plain_ones_on_average(bank: Bank) -> None:
    # With batch = n every record is taken in every step, so the two agree exactly.
    own = data_of(bank, [records(0), records(1)])
    starts = np.stack([bank.new_row(0), bank.new_row(1)])
    seeds = np.array([1, 2])
    wide = PrivateSteps(1e6, 0.0, np.zeros(2, np.bool_))
    plain = train(bank, starts, own, Tuning(2, 1e-3, TEXTS, 0), seeds)
    private = train(bank, starts, own, Tuning(2, 1e-3, TEXTS, 0, private=wide), seeds)
    np.testing.assert_allclose(plain, private, atol=2e-5)


def test_lost_gradients_leave_noise_alone(bank: Bank) -> None:
    one, other = data_of(bank, [records(0)]), data_of(bank, [records(1)])
    start = np.stack([bank.new_row(0)])
    lost = PrivateSteps(1.0, 1.0, np.ones(1, np.bool_))
    tuning = Tuning(1, 1e-3, 8, 0, private=lost)
    found = [train(bank, start, data, tuning, np.array([3])) for data in (one, other)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - start).max() > 5e-4
