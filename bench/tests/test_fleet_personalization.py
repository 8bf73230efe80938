"""The fleet under each personalization: what is averaged, what stays, what is each client's own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from unsilent_bench.fleet import federation
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.weights import NAMES, Array
from unsilent_bench.scenarios.base import Settings

from bench.tests.fleet_bank import small_bank
from bench.tests.small_fleet import CLIENTS, ROUNDS, SEED, fleet, parts
from unsilent.models.personalization import method_of

SHARED = {"fedsa": {"D", "b"}, "local": set[str](), "fedper": {"D", "b", "U"}}


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return small_bank(tmp_path)


@pytest.mark.parametrize("name", SHARED)
def test_what_is_shared_is_the_mean_and_the_rest_stays_as_it_was_trained(
    name: str, bank: Bank
) -> None:
    for found in fleet(bank, method_of(name)):
        trained, shared = parts(bank, found.local.rows), parts(bank, found.shared.full())
        for part in NAMES:
            if part in SHARED[name]:
                assert (shared[part] == shared[part][0]).all()
                np.testing.assert_allclose(shared[part][0], trained[part].mean(axis=0), atol=1e-6)
            else:
                np.testing.assert_array_equal(shared[part], trained[part])
                assert not (shared[part] == shared[part][0]).all()
        np.testing.assert_array_equal(found.personal.full(), found.shared.full())


@pytest.mark.parametrize("name", ["fine-tune", "ditto", *SHARED])
def test_a_round_begins_where_the_last_one_ended(name: str, bank: Bank) -> None:
    rounds = fleet(bank, method_of(name))
    assert len(rounds) == ROUNDS
    np.testing.assert_array_equal(rounds[0].start.full(), rounds[0].reference.full())
    for before, after in pairwise(rounds):
        np.testing.assert_array_equal(after.start.full(), before.shared.full())


@pytest.mark.parametrize("name", ["fine-tune", "ditto"])
def test_one_adapter_is_shared_and_each_client_has_its_own(name: str, bank: Bank) -> None:
    for found in fleet(bank, method_of(name)):
        assert len(found.shared.rows) == 1
        assert len(np.unique(found.personal.rows, axis=0)) == CLIENTS
    still = Settings(personal_epochs=0)
    for found in fleet(bank, method_of(name), settings=still):
        kept = found.shared if name == "fine-tune" else found.reference
        np.testing.assert_array_equal(found.personal.full(), kept.full())


def test_a_server_has_no_influence_on_who_trains_alone(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def personal(name: str, **options: float) -> Array:
        return fleet(bank, method_of(name, options))[-1].personal.full()

    alone = {"local": {}, "ditto": {"lambda": 0.0}}
    drawn = {"fine-tune": {}, "ditto": {"lambda": 0.1}, "fedsa": {}, "fedper": {}}
    before = [{name: personal(name, **o) for name, o in each.items()} for each in (alone, drawn)]
    # The start adapter is averaged too, and kept: only what the rounds average is changed.
    federation.start_adapter(bank, CLIENTS, SEED)
    monkeypatch.setattr(federation, "mean_of", lambda rows: rows.mean(axis=0) + np.float32(0.25))
    for name, options in alone.items():
        np.testing.assert_array_equal(personal(name, **options), before[0][name])
    for name, options in drawn.items():
        assert np.abs(personal(name, **options) - before[1][name]).max() > 1e-3


def test_the_stronger_the_pull_the_nearer_is_dittos_own_adapter(bank: Bank) -> None:
    long = Settings(personal_epochs=20, rehearsal=0)

    def apart(weight: float) -> float:
        last = fleet(bank, method_of("ditto", {"lambda": weight}), settings=long)[-1]
        return float(np.abs(last.personal.full() - last.shared.full()).max())

    loose, usual, tight = (apart(weight) for weight in (0.0, 0.1, 1e4))
    assert tight < usual < loose
    # Adam's last steps are as large as its rate, wherever they go.
    assert tight < 2 * federation.RATE


@pytest.mark.parametrize("training", ["secure-sum", "dp-fedavg:2.1"])
def test_private_training_is_of_what_is_shared_alone(training: str, bank: Bank) -> None:
    for found in fleet(bank, method_of("fedper"), training=training):
        trained, shared = parts(bank, found.local.rows), parts(bank, found.shared.full())
        np.testing.assert_array_equal(shared["head.weight"], trained["head.weight"])
        assert (shared["U"] == shared["U"][0]).all()


def test_domains_that_go_apart_still_share_only_what_is_shared(bank: Bank) -> None:
    by_domain = Settings(aggregation="by-domain")
    (*_, found) = fleet(bank, method_of("fedsa"), settings=by_domain)
    shared = parts(bank, found.shared.full())
    assert 1 < len(np.unique(shared["D"].reshape(CLIENTS, -1), axis=0)) < CLIENTS
    np.testing.assert_array_equal(shared["U"], parts(bank, found.local.rows)["U"])


def test_where_nobody_is_heard_what_was_shared_stays(bank: Bank) -> None:
    one_heard = Settings(aggregation="by-domain", left_out=0.8)
    found = fleet(bank, method_of("fedper"), settings=one_heard)[-1]
    shared, first = (parts(bank, each.full()) for each in (found.shared, found.reference))
    moved = [bool((shared["U"][k] != first["U"][k]).any()) for k in range(CLIENTS)]
    assert 0 < sum(moved) < CLIENTS
    assert np.abs(shared["head.weight"] - first["head.weight"]).min(axis=(1, 2)).max() > 0
