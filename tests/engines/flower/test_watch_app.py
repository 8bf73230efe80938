"""A ServerApp that only monitors, over adapters that are files at the nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, RecordDict
from flwr.clientapp import ClientApp

from tests.engines.flower.in_process import InProcess, enter_run
from tests.engines.flower.small_app import NODES, score, small_plan
from unsilent.engines.flower.app_folder import ClientOf, components, with_server
from unsilent.engines.flower.watch import model_of
from unsilent.errors import InputError, ModelError, RunError
from unsilent.flower import monitor_client, watch_app
from unsilent.plan import MonitoringPlan
from unsilent.serve.reading import RunReader

EXAMPLE = Path(__file__).parents[3] / "examples" / "deployment" / "app"


@pytest.fixture(autouse=True)
def within_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def watch_plan(folder: Path) -> MonitoringPlan:
    return small_plan(folder, federation={"rounds": 2}, monitor={"rounds": "every"})


def own_adapter(arrays: ArrayRecord, context: Context) -> ArrayRecord:
    """A file of the node's own."""
    with np.load(Path(str(context.node_config["store"])) / "adapter.npz") as kept:
        return ArrayRecord([kept["own"]])


def run(app: Any, folder: Path, plan: MonitoringPlan, client: ClientApp) -> InProcess:
    """One ``flwr run`` of a watch."""
    grid = InProcess(client, NODES, folder / "nodes", agreed=plan)
    app(grid, Context(1, 0, {}, RecordDict(), {}))
    return grid


def entries(folder: Path, kind: str) -> list[dict[str, Any]]:
    from unsilent.ledger import Ledger

    ledger = Ledger(folder / "run" / "ledger.sqlite", read_only=True)
    return [dict(entry.payload) for entry in ledger.entries(kind)]


def test_each_run_is_the_next_round_over_the_nodes_own_files(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    for node in range(1, NODES + 1):
        (tmp_path / "nodes" / str(node)).mkdir(parents=True)
        own = np.full(3, 3.0 + node / 10, np.float32)
        np.savez(tmp_path / "nodes" / str(node) / "adapter.npz", own=own)
    client = monitor_client(ClientApp(), score, personalize=own_adapter)
    app = watch_app(plan, out=tmp_path / "run", accept_underpowered=True)
    grid = run(app, tmp_path, plan, client)
    assert {kind for kind, _ in grid.asked} == {"query.unsilent_name", "query.unsilent_observe"}
    # Nothing is sent: neither a model nor a reference.
    sent = [m.content.array_records for m in grid.sent if "observe" in m.metadata.message_type]
    assert sent and all(not len(record) for each in sent for record in each.values())
    run(app, tmp_path, plan, client)
    found = entries(tmp_path, "findings")
    assert [each["round"] for each in found] == [1, 2]
    assert found[-1]["clients"] == NODES
    # No round was trained, and the dashboard says which this one is.
    assert RunReader(tmp_path / "run").state().round == 2
    assert all(each["unshown"] < 0.1 for f in found for each in f["findings"] if each["verdict"])
    with pytest.raises(RunError, match="all 2 rounds"):
        run(app, tmp_path, plan, client)
    spent = json.loads((tmp_path / "nodes" / "1" / "budget.json").read_text())["releases"]
    assert [made["event"]["round"] for made in spent] == [1, 2]


def test_a_model_that_is_sent_reaches_personalize_and_may_change_between_rounds(
    tmp_path: Path,
) -> None:
    plan, seen = watch_plan(tmp_path), list[float]()

    def as_it_is(arrays: ArrayRecord, context: Context) -> ArrayRecord:
        seen.append(float(arrays.to_numpy_ndarrays()[0].mean()))
        return arrays

    client = monitor_client(ClientApp(), score, personalize=as_it_is)
    path, sizes = tmp_path / "model.npz", iter([1.0, 2.0])

    def model(context: Context) -> ArrayRecord:
        np.savez(path, weights=np.full(3, next(sizes), np.float32))
        found = model_of(path)
        assert isinstance(found, ArrayRecord)
        return found

    app = watch_app(plan, out=tmp_path / "run", model=model, rounds=None, accept_underpowered=True)
    run(app, tmp_path, plan, client)
    assert seen == [1.0] * NODES + [2.0] * NODES
    assert [each["round"] for each in entries(tmp_path, "findings")] == [1, 2]


@pytest.mark.parametrize("given", ["gone.npz", "empty.npz", "text.npz", "text.arrays", None])
def test_a_model_that_is_none_is_refused_and_nothing_is_booked(
    given: str | None, tmp_path: Path
) -> None:
    np.savez(tmp_path / "empty.npz")
    for name in ("text.npz", "text.arrays"):
        (tmp_path / name).write_text("no arrays")
    plan = watch_plan(tmp_path)
    model = (lambda context: ArrayRecord()) if given is None else tmp_path / given
    app = watch_app(plan, out=tmp_path / "run", model=model, accept_underpowered=True)
    with pytest.raises(InputError if given is None else ModelError):
        run(app, tmp_path, plan, monitor_client(ClientApp(), score))
    assert entries(tmp_path, "privacy_event") == []


def test_an_apps_client_is_loaded_from_its_folder() -> None:
    client = ClientOf(EXAMPLE)
    assert client.name == "ward.client_app:app"
    assert client.config["timeout"] == 3600.0
    with pytest.raises(InputError, match="no Flower app"):
        ClientOf(EXAMPLE.parent)


def test_an_app_is_copied_with_another_server_and_nothing_else_is_changed(tmp_path: Path) -> None:
    plan = EXAMPLE / "ward" / "plan.toml"
    with_server(EXAMPLE, tmp_path / "copy", "watching", "app = 1\n", plan)
    assert components(tmp_path / "copy")["serverapp"] == "watching:app"
    assert components(EXAMPLE)["serverapp"] == "ward.server_app:app"
    assert (tmp_path / "copy" / "watching.toml").read_text() == plan.read_text()
    changed = (tmp_path / "copy" / "pyproject.toml").read_text().splitlines()
    before = (EXAMPLE / "pyproject.toml").read_text().splitlines()
    assert len(set(changed) ^ set(before)) == 2
    client = "ward/client_app.py"
    assert (tmp_path / "copy" / client).read_text() == (EXAMPLE / client).read_text()
