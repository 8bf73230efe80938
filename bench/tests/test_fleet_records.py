"""What the truth of a client's own records is read from: other texts, in the client's own mix."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.scenarios import SCENARIOS

from bench.tests.fleet_bank import small_bank

CLIENTS = 16


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return small_bank(tmp_path_factory.mktemp("bank"))


@pytest.mark.parametrize("dose", ["none", "strong"])
@pytest.mark.parametrize("name", [name for name, s in SCENARIOS.items() if "fleet" in s.tiers])
def test_they_have_the_mix_of_labels_of_the_held_out_records(
    name: str, dose: str, bank: Bank
) -> None:
    scenario = SCENARIOS[name]
    crowd = Crowd.of(scenario, scenario.strength(dose), CLIENTS, 1)  # type: ignore[arg-type]
    for round_number in (1, 10):
        held, other = crowd.held_out(bank, round_number), crowd.independent(bank, round_number)
        start = bank.task("sentiment").start
        assert other.share.sum(axis=1) == pytest.approx(np.ones(CLIENTS))
        for client in range(CLIENTS):
            counts = Counter(held.answers[client] - start)
            for label in (0, 1):
                share = other.share[client][other.right[client] == label].sum()
                assert share == pytest.approx(counts[label] / len(held.answers[client]))
            assert not set(held.rows[client]) & set(other.rows[client][other.share[client] > 0])
