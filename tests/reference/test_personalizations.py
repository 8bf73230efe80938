"""The reference federation under each personalization: what travels, what stays, what is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.reference.small_encoder import NAMES
from tests.reference.small_federation import CLIENTS, Federation, small_federation
from unsilent.models.base import Adapter
from unsilent.reference.client import Client

SHARED = {
    "fine-tune": set(NAMES),
    "ditto": set(NAMES),
    "fedsa": {"D", "b"},
    "local": set(),
    "fedper": {"D", "U", "b"},
}


def global_of(run: Federation, number: int) -> Adapter:
    return Adapter.load(run.folder / f"global-{number}.safetensors", base=run.model.digest)


def same(one: Adapter, other: Adapter, names: set[str]) -> set[str]:
    """Those of the names whose arrays are the same to the last bit."""
    return {name for name in names if np.array_equal(one.tensors[name], other.tensors[name])}


Runs = Callable[[str], Federation]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """One federation of each personalization, which several tests read and none goes on with."""
    made: dict[str, Federation] = {}
    with pytest.MonkeyPatch.context() as patch:

        def run(name: str) -> Federation:
            if name not in made:
                made[name] = small_federation(patch, tmp_path_factory.mktemp(name), name)
            return made[name]

        yield run


@pytest.mark.parametrize("name", SHARED)
def test_all_that_leaves_a_client_is_what_it_shares(name: str, runs: Runs) -> None:
    run = runs(name)
    assert run.sent() == SHARED[name]
    assert [set(global_of(run, number).tensors) for number in range(3)] == [SHARED[name]] * 3
    assert run.monitor.judged(1) and run.monitor.judged(2)
    kept = [run.adapter(client, "personalized") for client in range(CLIENTS)]
    assert {tuple(each.tensors) for each in kept} == {NAMES}
    assert len({each.digest for each in kept}) == CLIENTS


@pytest.mark.parametrize("name", ["fedsa", "local", "fedper"])
def test_what_stays_is_what_the_client_trained_itself(name: str, runs: Runs) -> None:
    run = runs(name)
    shared, stays = SHARED[name], set(NAMES) - SHARED[name]
    for client in range(CLIENTS):
        # Round 2 began from the mean of what is shared and the client's own of the rest.
        begun, first = run.adapter(client, "start"), run.adapter(client, "stayed-1")
        assert same(begun, global_of(run, 1), shared) == shared
        assert same(begun, first, set(NAMES)) == stays
        # And its model is made of both after it.
        made, last = run.adapter(client, "personalized"), run.adapter(client, "local")
        assert same(made, run.last, shared) == shared
        assert same(made, last, set(NAMES)) == stays
    ends = [run.adapter(client, "personalized") for client in range(CLIENTS)]
    assert same(ends[0], ends[1], set(NAMES)) == shared


def test_the_global_adapter_is_tuned_on_the_clients_records(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = runs("fine-tune")
    still = small_federation(monkeypatch, tmp_path / "still", "fine-tune", personal_epochs=0)
    assert still.adapter(0, "personalized").digest == still.last.digest == tuned.last.digest
    assert tuned.adapter(0, "personalized").digest != tuned.last.digest
    assert not list((tuned.folder / "clients").glob("*/own-*"))
    assert not list((tuned.folder / "clients").glob("*/stayed-*"))


def test_ditto_without_a_pull_is_trained_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How the others train is then nothing to it."""

    def own(weight: float, epochs: int) -> str:
        run = small_federation(
            monkeypatch,
            tmp_path / f"{weight}-{epochs}",
            {"name": "ditto", "lambda": weight},
            epochs=epochs,
        )
        return run.adapter(0, "personalized").digest

    assert own(0.0, 1) == own(0.0, 3)
    assert own(1.0, 1) != own(1.0, 3)


def test_ditto_with_a_strong_pull_is_the_global_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apart(weight: float) -> float:
        run = small_federation(
            monkeypatch,
            tmp_path / str(weight),
            {"name": "ditto", "lambda": weight},
            personal_epochs=40,
            personal_learning_rate=1e-3,
        )
        own = run.adapter(0, "personalized")
        return max(float(np.abs(own.tensors[n] - t).max()) for n, t in run.last.tensors.items())

    # Adam's last steps are as large as its rate, wherever they go.
    assert apart(1e5) < 2e-3
    assert apart(0.0) > 1e-2


def test_dittos_own_adapter_goes_on_in_rounds_that_nobody_monitors(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = runs("ditto")
    last = small_federation(monkeypatch, tmp_path / "last", "ditto", rounds=[2])
    for client in range(CLIENTS):
        made = [run.adapter(client, "personalized").digest for run in (each, last)]
        assert made[0] == made[1]


@pytest.mark.parametrize("name", ["ditto", "fedsa", "fedper"])
def test_a_round_that_is_repeated_after_a_break_ends_with_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_federation(monkeypatch, tmp_path, name)
    kept = [run.adapter(client, "local").digest for client in range(CLIENTS)]
    assert run.again(1).digest == run.last.digest
    assert [run.adapter(client, "local").digest for client in range(CLIENTS)] == kept


@pytest.mark.parametrize("name", ["fine-tune", "fedsa", "local"])
def test_what_a_client_uses_is_whole_whatever_was_promoted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_federation(monkeypatch, tmp_path, name)
    text, folder = json.dumps(run.plan.to_json()), run.folder / "clients" / "1"
    client = Client(text, 0, folder, simulated=False, run=run.monitor.run)
    start = run.model.new_adapter(run.plan.seed)
    client.serve(0, global_of(run, 0))
    assert run.adapter(0, "serving").digest == start.digest
    client.serve(2, run.last)
    assert run.adapter(0, "serving").digest == run.adapter(0, "personalized").digest
