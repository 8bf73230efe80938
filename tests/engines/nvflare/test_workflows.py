"""A workflow's rounds are told as they are, and its sites' results are what they were."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.engines.nvflare.flare import NAME, FLModel, FLModelUtils, plan_of
from unsilent.engines.nvflare.messages import ANSWERS
from unsilent.engines.nvflare.server import GIVEN, ServerMonitor, given_bytes
from unsilent.engines.nvflare.workflows import watch
from unsilent.ledger import Ledger
from unsilent.ledger.events import RoundMissed
from unsilent.ledger.run_view import RunView


def workflow(name: str) -> Any:
    import importlib

    places = {
        "FedAvg": "nvflare.app_common.workflows.fedavg",
        "Scaffold": "nvflare.app_common.workflows.scaffold",
        "FedAvgLR": "nvflare.app_common.workflows.lr.fedavg",
        "CyclicController": "nvflare.app_common.workflows.cyclic_ctl",
        "ScatterAndGather": "nvflare.app_common.workflows.scatter_and_gather",
        "CrossSiteModelEval": "nvflare.app_common.workflows.cross_site_model_eval",
    }
    return getattr(importlib.import_module(places[name]), name)


class Line:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.sites: list[tuple[str, bool]] = []
        self.rounds: list[Any] = []

    def trained(self, site: str, answers: bool) -> None:
        self.sites.append((site, answers))

    def round(self, *told: Any) -> None:
        self.rounds.append(told)


@pytest.mark.parametrize(
    "name", ["FedAvg", "Scaffold", "FedAvgLR", "CyclicController", "ScatterAndGather"]
)
def test_flares_own_workflows_have_what_is_watched(name: str) -> None:
    kind = workflow(name)
    there = SimpleNamespace(
        **{each: getattr(kind, each) for each in dir(kind) if not each.startswith("__")}
    )
    # Attributes of its objects alone.
    there._last_learnable = there._global_weights = {}
    assert watch(there, Line())


def test_a_workflow_without_a_global_model_is_not_watched() -> None:
    kind = workflow("CrossSiteModelEval")
    there = SimpleNamespace(
        **{each: getattr(kind, each) for each in dir(kind) if not each.startswith("__")}
    )
    assert not watch(there, Line())


class Averaging:
    """A controller as FLARE's are, cut down to what a round does."""

    task_name = "train"

    def __init__(self) -> None:
        self.current_round = 0
        self.got: list[FLModel] = []

    def _process_result(self, client_task: Any, fl_ctx: Any) -> None:
        self.got.append(FLModelUtils.from_shareable(client_task.result))

    def update_model(self, model: FLModel, aggregated: FLModel) -> FLModel:
        return FLModelUtils.update_model(model, aggregated)

    def result(self, site: str, model: FLModel, task: str = "train", code: str = "OK") -> None:
        result = FLModelUtils.to_shareable(model)
        result.set_return_code(code)
        told = SimpleNamespace(
            task=SimpleNamespace(name=task), client=SimpleNamespace(name=site), result=result
        )
        self._process_result(client_task=told, fl_ctx=Context())


class Context:
    def get_prop(self, key: str) -> Any:
        return None


def trained(value: float, *, marked: bool = True) -> FLModel:
    meta = {"mine": 1, **({ANSWERS: True} if marked else {})}
    return FLModel(params={NAME: np.full(2, value)}, metrics={"loss": 0.5}, meta=meta)


def test_who_trained_is_told_and_the_mark_is_taken_out_of_the_result() -> None:
    controller, line = Averaging(), Line()
    assert watch(controller, line)
    controller.result("a", trained(1))
    controller.result("b", trained(2, marked=False))
    controller.result("c", trained(3), code="EXECUTION_EXCEPTION")
    controller.result("d", trained(4), task="validate")
    assert line.sites == [("a", True), ("b", False)]
    assert all(ANSWERS not in each.meta for each in controller.got[:2])
    assert controller.got[0].meta["mine"] == 1


@pytest.mark.parametrize(("kind", "after"), [("FULL", 3.0), ("DIFF", 4.0)])
def test_a_round_is_told_from_one_on_with_what_it_began_and_ended_with(
    kind: str, after: float
) -> None:
    controller, line = Averaging(), Line()
    watch(controller, line)
    model = FLModel(params={NAME: np.ones(2)})
    given = FLModel(params={NAME: np.full(2, 3.0)}, params_type=kind, metrics={"loss": 0.5})
    assert controller.update_model(model, given) is model
    ((number, start, end, metrics),) = line.rounds
    assert (number, metrics) == (1, {"loss": 0.5})
    assert (start[NAME].tolist(), end[NAME].tolist()) == ([1, 1], [after, after])


class Relay:
    """FLARE's cyclic workflow, cut down likewise."""

    def __init__(self) -> None:
        self._current_round, self._is_done = 1, False
        self._last_learnable: dict[str, Any] = {"weights": {NAME: np.ones(1)}}

    def _process_result(self, client_task: Any, fl_ctx: Any) -> None:
        """Hand on what came."""

    def relay_and_wait(self, *, stop: bool = False) -> None:
        self._last_learnable = {"weights": {NAME: np.zeros(1)}}
        self._is_done = stop


def test_a_relay_is_a_round_and_one_that_stopped_is_none() -> None:
    controller, line = Relay(), Line()
    assert watch(controller, line)
    controller.relay_and_wait()
    ((number, start, end, _),) = line.rounds
    assert (number, start[NAME].tolist(), end[NAME].tolist()) == (2, [1], [0])
    controller.relay_and_wait(stop=True)
    assert len(line.rounds) == 1


class Gather:
    """FLARE's workflow of a server that steps, cut down likewise."""

    train_task_name = "train"

    def __init__(self) -> None:
        self._current_round = 0
        self._global_weights: dict[str, Any] = {"weights": {NAME: np.ones(1)}}
        self.told: list[str] = []

    def fire_event(self, event_type: str, fl_ctx: Any) -> None:
        self.told.append(event_type)

    def _process_train_result(self, client_task: Any, fl_ctx: Any) -> None:
        """Gather what came."""

    def step(self) -> None:
        self.fire_event("_round_started", Context())
        # An optimizer steps in the arrays that it has.
        self._global_weights["weights"][NAME] += 2
        self.fire_event("_after_model_update", Context())


def test_a_step_of_the_servers_optimizer_is_a_round_with_what_it_began_from() -> None:
    controller, line = Gather(), Line()
    assert watch(controller, line)
    result = FLModelUtils.to_shareable(trained(1))
    result.set_return_code("OK")
    told = SimpleNamespace(
        task=SimpleNamespace(name="train"), client=SimpleNamespace(name="a"), result=result
    )
    controller._process_train_result(client_task=told, fl_ctx=Context())
    controller.step()
    ((number, start, end, _),) = line.rounds
    assert (number, start[NAME].tolist(), end[NAME].tolist()) == (1, [1], [3])
    assert line.sites == [("a", True)]
    assert controller.told == ["_round_started", "_after_model_update"]


class Engine:
    """As much of FLARE's as the component asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_workspace(self) -> Any:
        return SimpleNamespace(
            get_run_dir=lambda job: str(self.folder),
            get_app_custom_dir=lambda job: str(self.folder / "custom"),
        )

    def new_context(self) -> Any:
        from contextlib import nullcontext

        return nullcontext(SimpleNamespace(get_run_abort_signal=lambda: None))


def monitored(folder: Path, controller: Any) -> ServerMonitor:
    plan = plan_of(folder)
    (folder / "custom").mkdir()
    (folder / "custom" / GIVEN).write_bytes(given_bytes(plan, {}))
    runner = SimpleNamespace(
        config=SimpleNamespace(workflows=[SimpleNamespace(controller=controller)])
    )
    told = SimpleNamespace(
        get_engine=lambda: Engine(folder), get_job_id=lambda: "job", get_prop=lambda key: runner
    )
    monitor = ServerMonitor()
    monitor.handle_event("_start_run", told)  # type: ignore[arg-type]
    return monitor


def missed(folder: Path) -> list[str]:
    ledger = Ledger(folder / "unsilent" / "ledger.sqlite")
    return [entry.event.reason for entry in RunView(ledger).events(RoundMissed)]


def rounds(controller: Any, model: FLModel) -> None:
    for controller.current_round in range(2):
        controller.result("a", trained(1, marked=False))
        controller.update_model(model, FLModel(params={NAME: np.ones(2)}, metrics={}))


def test_scripts_without_the_line_are_asked_nothing(tmp_path: Path) -> None:
    controller = Averaging()
    monitor = monitored(tmp_path, controller)
    rounds(controller, FLModel(params={NAME: np.ones(2)}))
    monitor.handle_event("_end_run", Context())  # type: ignore[arg-type]
    assert missed(tmp_path) == [
        "no site's script trained in this round with the line monitor_client(…) in it"
    ]


def test_parameters_that_cannot_be_read_cost_the_round_and_not_the_job(tmp_path: Path) -> None:
    controller = Averaging()
    monitor = monitored(tmp_path, controller)
    model = FLModel(params={NAME: np.ones(2)})
    for controller.current_round in range(2):
        controller.result("a", trained(1))
        controller.update_model(model, FLModel(params={NAME: b"encrypted"}, metrics={}))
    assert model.params[NAME] == b"encrypted"
    monitor.handle_event("_end_run", Context())  # type: ignore[arg-type]
    (why,) = missed(tmp_path)
    assert "the model's parameters cannot be read as arrays (bytes)" in why


def test_a_job_whose_workflow_is_none_of_these_says_so(tmp_path: Path) -> None:
    monitor = monitored(tmp_path, SimpleNamespace())
    monitor.handle_event("_end_run", Context())  # type: ignore[arg-type]
    (why,) = missed(tmp_path)
    assert why.endswith("no workflow of this job is one that is watched (SimpleNamespace)")


def test_a_job_without_a_plan_runs_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    controller = Averaging()
    told = SimpleNamespace(get_engine=lambda: Engine(tmp_path), get_job_id=lambda: "job")
    monitor = ServerMonitor()
    monitor.handle_event("_start_run", told)  # type: ignore[arg-type]
    monitor.handle_event("_end_run", told)  # type: ignore[arg-type]
    rounds(controller, FLModel(params={NAME: np.ones(2)}))
    assert "this job is not monitored" in caplog.text
