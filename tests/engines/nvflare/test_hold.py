"""Where the gate holds back, a model in which a FAILURE was found never becomes what is saved."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from nvflare.apis.fl_constant import FLContextKey
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_common.app_event_type import AppEventType
from nvflare.app_common.np.np_model_persistor import NPModelPersistor
from nvflare.app_common.workflows.fedavg import FedAvg
from nvflare.app_common.workflows.scaffold import Scaffold
from nvflare.app_opt.pt.file_model_persistor import PTFileModelPersistor

from tests.engines.nvflare.flare import FLModel, FLModelUtils, plan_of
from unsilent.client.functions import Functions
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.engines.nvflare import monitor_recipe
from unsilent.engines.nvflare.hold import like, refuse_unheld
from unsilent.engines.nvflare.messages import ANSWERS, carried, carrying
from unsilent.engines.nvflare.server import GIVEN, ServerMonitor, given_bytes
from unsilent.errors import InputError
from unsilent.wire import answer_bytes, order_of

pytestmark = pytest.mark.filterwarnings("ignore")
BIASED, GOOD = 6.0, -1.0


def hold_plan(folder: Path, **changes: Any) -> Any:
    given = {
        "federation": {"clients": 3, "rounds": 3},
        "monitor": {"rounds": "every", "min_cohort": 3, "timeout": 5},
        "privacy": {"epsilon": 5000.0, "dropout": 0.0, "aggregation": "plain"},
        "modes": {"amplified_bias": {"tolerance": 0.3, "clip": 1.0}},
        "gate": {"action": "hold", "open_after": 1},
    }
    return plan_of(folder, **{**given, **changes})


class Tiny(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))


class Job:
    """FLARE's own workflow and persistor, without its network: a round is what a test says."""

    def __init__(self, folder: Path, controller: Any = None, *, plan: Any = None) -> None:
        self.folder, self.plan = folder, plan or hold_plan(folder)
        self.controller = controller or FedAvg(num_clients=3, num_rounds=3)
        self.persistor = PTFileModelPersistor(model=Tiny(), allow_numpy_conversion=False)
        self.properties: dict[str, Any] = {FLContextKey.APP_ROOT: str(folder / "job")}
        (folder / "custom").mkdir()
        (folder / "custom" / GIVEN).write_bytes(given_bytes(self.plan, {}))
        for component in (self.persistor, self.controller):
            for kind in ("info", "warning", "error", "log_info", "log_exception"):
                setattr(component, kind, lambda *told, **more: None)
        self.persistor._initialize(self)
        self.monitor = ServerMonitor()
        self.monitor.handle_event("_start_run", self)  # type: ignore[arg-type]
        self.controller.fl_ctx, self.controller.engine = self, self
        self.controller.persistor = self.persistor
        self.controller.event = lambda kind: None
        self.controller.send = self.send
        weights = self.persistor.load(self)["weights"]
        self.model = FLModel(params=weights, meta={})

    # As much of FLARE's engine and context as is asked for.
    def get_engine(self) -> Any:
        return self

    def get_job_id(self) -> str:
        return "job"

    def get_workspace(self) -> Any:
        return SimpleNamespace(
            get_run_dir=lambda job: str(self.folder),
            get_app_custom_dir=lambda job: str(self.folder / "custom"),
        )

    def new_context(self) -> Any:
        return nullcontext(self)

    def get_run_abort_signal(self) -> None:
        return None

    def get_component(self, name: str) -> Any:
        return self.persistor

    def get_prop(self, key: str, default: Any = None) -> Any:
        if key == FLContextKey.RUNNER:
            flow = SimpleNamespace(controller=self.controller)
            config = SimpleNamespace(workflows=[flow], handlers=[self.persistor])
            return SimpleNamespace(config=config)
        return self.properties.get(key, default)

    def get_prop_detail(self, key: str) -> None:
        return None

    def set_prop(self, key: str, value: Any, **more: Any) -> None:
        self.properties[key] = value

    def sync_sticky(self) -> None:
        """There is nobody else."""

    def send(self, task: Any, fl_ctx: Any, targets: list[str]) -> None:
        from nvflare.apis.client import Client
        from nvflare.apis.controller_spec import ClientTask

        found = carried(FLModelUtils.from_shareable(task.data).meta)
        assert found is not None
        number = "abc".index(targets[0])
        # Simulated: the same noise in each run of the test.
        site = Site(number, self.folder / targets[0], {"plan": self.plan.digest}, simulated=True)
        said = answer(found[0], order_of(found[1]), site, Functions(score, None, dict))
        client_task = ClientTask(Client(targets[0], "token"), task)
        client_task.result = FLModelUtils.to_shareable(carrying(answer_bytes(said)))
        task.result_received_cb(client_task=client_task, fl_ctx=None)

    def round(self, index: int, value: float, *, best: bool = False) -> None:
        """As FLARE's ``run``: sites train, the best so far may be saved, then the new model is."""
        self.controller.current_round = index
        for name in ("a", "b", "c"):
            result = FLModelUtils.to_shareable(FLModel(params=own(value), meta={ANSWERS: True}))
            told = SimpleNamespace(
                task=SimpleNamespace(
                    name="train",
                    data=result,
                    props={AppConstants.META_DATA: {}},
                    get_prop=lambda key: lambda model: True,
                ),
                client=SimpleNamespace(name=name),
                result=result,
            )
            self.controller._process_result(client_task=told, fl_ctx=self)
        if best:
            self.persistor.handle_event(AppEventType.GLOBAL_BEST_MODEL_AVAILABLE, self)
        update = FLModel(params=own(value), meta={}, metrics={"loss": 0.1, "accuracy": 0.9})
        self.model = self.controller.update_model(self.model, update)
        self.controller.save_model(self.model)

    def saved(self, name: str = "FL_global_model.pt") -> Any:
        path = self.folder / "job" / name
        return torch.load(path, weights_only=False)["model"]["w"] if path.is_file() else None

    def actions(self) -> list[str]:
        from unsilent.ledger import Ledger
        from unsilent.server.gate_keeper import decisions

        made = decisions(Ledger(self.folder / "unsilent" / "ledger.sqlite", read_only=True))
        return [each.action for each in made]


def own(value: float) -> dict[str, Any]:
    return {"w": torch.full((2,), value, dtype=torch.bfloat16)}


def score(items: Any, params: Any) -> list[list[float]]:
    lean = 0.5 if params is None else 0.5 + float(np.mean(params["w"])) / 14
    return [[1 - lean, lean] for _ in items]


@pytest.mark.parametrize("kind", [FedAvg, Scaffold])
def test_training_goes_on_and_what_is_saved_is_the_last_promoted(kind: Any, tmp_path: Path) -> None:
    job = Job(tmp_path, kind(num_clients=3, num_rounds=3))
    job.round(0, GOOD)
    job.round(1, BIASED)
    job.round(2, BIASED)
    assert job.actions() == ["promote", "hold", "hold"]
    assert job.saved().tolist() == [GOOD, GOOD]
    # The workflow itself has the newest model.
    assert job.model.params["w"].tolist() == [BIASED, BIASED]


def test_where_nothing_was_ever_promoted_what_the_job_began_with_is_saved(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.round(0, BIASED)
    assert job.actions() == ["hold"]
    assert job.saved().tolist() == [0, 0]
    assert job.saved().dtype == torch.bfloat16


def test_a_model_that_was_held_is_not_saved_as_the_best_one(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.round(0, GOOD)
    # What is the best is known in the round after it, from the sites that began with it.
    job.round(1, BIASED, best=True)
    assert job.saved("best_FL_global_model.pt").tolist() == [GOOD, GOOD]
    job.round(2, BIASED, best=True)
    assert job.saved("best_FL_global_model.pt").tolist() == [GOOD, GOOD]


def test_a_round_that_was_missed_saves_nothing_new(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.round(0, GOOD)

    def lost(task: Any, fl_ctx: Any, targets: list[str]) -> None:
        raise ConnectionError

    job.controller.send = lost
    job.round(1, BIASED)
    assert job.actions() == ["promote", "hold"]
    assert job.saved().tolist() == [GOOD, GOOD]


def test_what_was_promoted_and_cannot_be_read_again_is_replaced_by_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.round(0, GOOD)
    job.monitor._watches[0].run.quietly = lambda work: None  # type: ignore[method-assign]
    job.round(1, BIASED)
    assert job.saved().tolist() == [GOOD, GOOD]


class OwnFedAvg(FedAvg):
    """A workflow of a user's."""


class OwnPersistor(NPModelPersistor):
    """Likewise."""


def test_what_may_save_by_ways_of_its_own_is_refused_by_name(tmp_path: Path) -> None:
    refuse_unheld([FedAvg()], [NPModelPersistor(), object()])
    for flows, others, name in (
        ([OwnFedAvg()], [], "OwnFedAvg"),
        ([FedAvg()], [OwnPersistor()], "OwnPersistor"),
    ):
        with pytest.raises(InputError, match=f"what {name} saves cannot be held back"):
            refuse_unheld(flows, others)


def test_a_job_of_others_is_refused_before_it_is_run_and_one_of_flares_is_not(
    tmp_path: Path,
) -> None:
    from nvflare.app_opt.pt.recipes.cyclic import CyclicRecipe
    from nvflare.fuel.utils.constants import FrameworkType
    from nvflare.recipe.fedavg import FedAvgRecipe

    script = tmp_path / "client.py"
    script.write_text("")
    given: dict[str, Any] = {"name": "job", "min_clients": 3, "train_script": str(script)}
    monitor_recipe(
        FedAvgRecipe(**given, model=[0.0], framework=FrameworkType.NUMPY), hold_plan(tmp_path)
    )
    with pytest.raises(InputError, match="what CyclicController saves cannot be held back"):
        monitor_recipe(
            CyclicRecipe(**given, num_rounds=2, model=torch.nn.Linear(1, 1)), hold_plan(tmp_path)
        )
    back = hold_plan(tmp_path, gate={"action": "rollback"})
    with pytest.raises(InputError, match=r"gate\.action: FLARE's workflows go on from the newest"):
        monitor_recipe(FedAvgRecipe(**given, model=[0.0], framework=FrameworkType.NUMPY), back)


def test_a_job_whose_workflow_is_anothers_when_it_begins_is_not_monitored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Job(tmp_path, OwnFedAvg(num_clients=3, num_rounds=3))
    assert "this job is not monitored" in caplog.text
    assert not (tmp_path / "unsilent").exists()


def test_arrays_take_the_types_that_a_model_has() -> None:
    params = {"a": torch.zeros(1, dtype=torch.bfloat16), "b": np.zeros(1, np.float64)}
    arrays = {"a": np.array([1.5], np.float32), "b": np.array([2.5], np.float32)}
    found = like(params, arrays)
    assert (found["a"].dtype, found["b"].dtype) == (torch.bfloat16, np.float64)
    assert (found["a"].item(), found["b"].item()) == (1.5, 2.5)
