"""Truths are of items like these: as far from a bank as the bank is from all there could be."""

import numpy as np
import pytest
from unsilent_bench.fleet import truth
from unsilent_bench.fleet.truth import OwnItems


def test_a_bank_differs_from_the_truth_as_from_all_items_like_these() -> None:
    random = np.random.default_rng(1)
    bank, beyond, apart = 60, 40, []
    for _ in range(4000):
        inside, outside = (random.normal(0.3, 1.0, (1, n)) for n in (bank, beyond))
        # Drops of one client: nothing after, the value before.
        first, second = (
            truth.drop(each, np.zeros_like(each), np.zeros(each.shape[1], np.int64))
            for each in (inside, outside)
        )
        value, error = truth.together(first, second, bank, beyond)
        apart.append(inside.mean() - value)
        assert error < second[1]
    assert np.std(apart) == pytest.approx(1 / np.sqrt(bank), rel=0.05)
    assert np.mean(apart) == pytest.approx(0, abs=0.01)


def own(clients: int, n: int) -> OwnItems:
    rows = np.arange(clients * n).reshape(clients, n)
    return OwnItems(rows, np.zeros((clients, n), np.int64), np.full((clients, n), 1 / n))


def table(right: np.ndarray) -> np.ndarray:
    """(…, 2) probabilities that choose the first answer where it is right."""
    return np.stack([np.where(right, 0.9, 0.1), np.where(right, 0.1, 0.9)], axis=-1)


def test_losses_count_those_that_lose_and_no_gain() -> None:
    random = np.random.default_rng(2)
    clients, n = 40, 400
    before = random.random((clients, n)) < 0.8
    kept = np.where(np.arange(clients)[:, None] < 10, 0.5, 0.95)
    after = random.random((clients, n)) < kept
    value, error = truth.losses(table(before), table(after), own(clients, n))
    assert value == pytest.approx(0.25 * 0.3, abs=0.006)
    assert 0 < error < 0.006


def test_clients_that_lose_nothing_have_hardly_a_loss_by_chance() -> None:
    random = np.random.default_rng(3)
    clients, n = 200, 400
    before, after = random.random((2, clients, n)) < 0.8
    value, _ = truth.losses(table(before), table(after), own(clients, n))
    error = np.sqrt(2 * 0.8 * 0.2 / n)
    assert 0 <= value < error / 3
    naive = np.maximum((before.mean(axis=1) - after.mean(axis=1)), 0).mean()
    assert value < 0.9 * naive


def test_the_growth_of_the_squared_gap_is_without_the_items_noise() -> None:
    random = np.random.default_rng(4)
    clients, n, found = 3, 40, []
    kind = np.arange(n) % 4
    for _ in range(600):
        before, after = random.normal(0.0, 0.4, (2, clients, n))
        found.append(truth.calibration(before, after + 0.2, kind)[0])
    assert np.mean(found) == pytest.approx(0.04, abs=0.003)
