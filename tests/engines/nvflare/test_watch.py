"""A job that trains nothing: each is a watch's next round, over what its sites have already."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.engines.nvflare.flare import NAME, plan_of
from unsilent.client.functions import Functions
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.engines.nvflare import watch_recipe
from unsilent.engines.nvflare.messages import carried, carrying
from unsilent.engines.nvflare.server import GIVEN, given_bytes
from unsilent.engines.nvflare.watch import WatchController
from unsilent.errors import InputError, PlanError
from unsilent.ledger import Ledger
from unsilent.wire import answer_bytes, order_of

pytestmark = pytest.mark.filterwarnings("ignore")
# So little noise that an effect of three sites is seen.
PLAIN = {"epsilon": 5000.0, "dropout": 0.0, "aggregation": "plain"}


def watch_plan(folder: Path, **changes: Any) -> Any:
    monitor = {"rounds": "every", "min_cohort": 3, "timeout": 5}
    return plan_of(folder, monitor=monitor, privacy=PLAIN, **changes)


class Job:
    """As much of FLARE as a workflow sees: sites that answer as the Client API's line does."""

    def __init__(self, folder: Path, plan: Any, sites: int = 3, model: Any = None) -> None:
        self.folder, self.plan, self.model = folder, plan, model
        self.names = [f"site-{number}" for number in range(sites, 0, -1)]
        self.panics: list[str] = []
        (folder / "custom").mkdir(exist_ok=True)
        (folder / "custom" / GIVEN).write_bytes(given_bytes(plan, {}))

    def run(self, **given: Any) -> WatchController:
        controller = WatchController(str(self.folder / "run"), **{"patience": 0.3, **given})
        controller.send = self.send
        controller.cancel_task = lambda task, **more: None
        controller.system_panic = lambda reason, fl_ctx: self.panics.append(reason)
        context = SimpleNamespace(get_engine=lambda: self, get_job_id=lambda: "job")
        abort = SimpleNamespace(triggered=False)
        controller.control_flow(abort, context)  # type: ignore[arg-type]
        return controller

    def get_workspace(self) -> Any:
        return SimpleNamespace(get_app_custom_dir=lambda job: str(self.folder / "custom"))

    def get_clients(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.names]

    def get_component(self, name: str) -> Any:
        return SimpleNamespace(load=lambda context: self.model)

    def send(self, task: Any, fl_ctx: Any, targets: list[str]) -> None:
        from nvflare.apis.client import Client
        from nvflare.apis.controller_spec import ClientTask
        from nvflare.app_common.utils.fl_model_utils import FLModelUtils

        (name,) = targets
        found = carried(FLModelUtils.from_shareable(task.data).meta)
        assert found is not None
        site = Site(int(name[-1]), self.folder / name, {"plan": self.plan.digest})
        said = answer(found[0], order_of(found[1]), site, Functions(score, None, own))
        client_task = ClientTask(Client(name, "token"), task)
        client_task.result = FLModelUtils.to_shareable(carrying(answer_bytes(said)))
        task.result_received_cb(client_task=client_task, fl_ctx=nullcontext())


def score(items: Any, params: Any) -> list[list[float]]:
    lean = 0.5 if params is None else 0.5 + float(np.mean(params[NAME])) / 12
    return [[1 - lean, lean] for _ in items]


def own(params: Any) -> Any:
    """What is sent, as it is; else what the site has."""
    return dict(params) or {NAME: np.full(2, 4, np.float32)}


def effects(job: Job) -> list[tuple[int, float]]:
    ledger = Ledger(job.folder / "run" / "ledger.sqlite", read_only=True)
    said = [entry.payload for entry in ledger.entries("findings")]
    return [(each["round"], each["findings"][0]["effect"]) for each in said]


def test_each_job_is_the_next_round_and_then_none_is_left(tmp_path: Path) -> None:
    job = Job(tmp_path, watch_plan(tmp_path))
    job.run()
    assert [number for number, _ in effects(job)] == [1]
    job.run(rounds=5)
    assert [number for number, _ in effects(job)] == [1, 2]
    # What the sites have leads by 2 · 4 / 12 over the base.
    assert effects(job)[-1][1] == pytest.approx(2 / 3, abs=0.1)
    assert job.panics == []
    job.run()
    assert len(job.panics) == 1 and "all 2 rounds of this plan are done" in job.panics[0]


def test_what_the_recipe_has_is_sent_if_it_is_to_be(tmp_path: Path) -> None:
    from nvflare.app_common.abstract.model import make_model_learnable

    model = make_model_learnable({NAME: np.full(2, 2, np.float32)}, {})
    job = Job(tmp_path, watch_plan(tmp_path), model=model)
    job.run(persistor_id="persistor")
    assert job.panics == []
    assert effects(job)[-1][1] == pytest.approx(1 / 3, abs=0.1)


def test_a_script_that_starts_late_is_waited_for(tmp_path: Path) -> None:
    job = Job(tmp_path, watch_plan(tmp_path))
    answered, late = job.send, list[Any]()

    def send(task: Any, fl_ctx: Any, targets: list[str]) -> None:
        # It fetches its first task only when the others have answered theirs.
        if targets == ["site-3"] and not late:
            late.append(Timer(0.2, answered, (task, fl_ctx, targets)))
            late[0].start()
        else:
            answered(task, fl_ctx, targets)

    job.send = send  # type: ignore[method-assign]
    job.run(patience=20.0)
    assert [number for number, _ in effects(job)] == [1]


def test_too_few_sites_end_the_job_and_nothing_is_booked(tmp_path: Path) -> None:
    job = Job(tmp_path, watch_plan(tmp_path), sites=2)
    job.run()
    (why,) = job.panics
    assert "2 clients are there, and a sum needs 3" in why and len(why.splitlines()) == 1
    ledger = Ledger(tmp_path / "run" / "ledger.sqlite", read_only=True)
    assert not ledger.entries("privacy_event") and not ledger.entries("missed")


def recipe_of(folder: Path) -> Any:
    from nvflare.fuel.utils.constants import FrameworkType
    from nvflare.recipe.fedavg import FedAvgRecipe

    script = folder / "client.py"
    script.write_text("from unsilent.engines.nvflare import monitor_client\n")
    return FedAvgRecipe(
        name="job",
        model=[1.0],
        min_clients=3,
        num_rounds=2,
        train_script=str(script),
        framework=FrameworkType.NUMPY,
    )


@pytest.mark.parametrize("sends", [False, True])
def test_a_recipe_keeps_its_sites_and_loses_its_training(sends: bool, tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    recipe = recipe_of(tmp_path)
    assert watch_recipe(recipe, plan, out=tmp_path / "run", sends=sends) is recipe
    recipe.export(str(tmp_path / "job"))
    server = json.loads(next((tmp_path / "job").rglob("config_fed_server.json")).read_text())
    (workflow,) = server["workflows"]
    assert workflow["path"] == "unsilent.engines.nvflare.watch.WatchController"
    given = {"out": str(tmp_path / "run"), **({"persistor_id": "persistor"} if sends else {})}
    assert workflow["args"] == given
    assert next((tmp_path / "job").rglob("client.py")).is_file()


def test_what_cannot_be_watched_is_refused_before_anything_runs(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    with pytest.raises(InputError, match="another folder in each job"):
        watch_recipe(recipe_of(tmp_path), plan, out="runs/watch")
    with pytest.raises(PlanError, match="each round of a watch is monitored"):
        watch_recipe(recipe_of(tmp_path), plan_of(tmp_path), out=tmp_path / "run")
    recipe = recipe_of(tmp_path)
    recipe._job._deploy_map.clear()
    with pytest.raises(InputError, match="no workflow on its server"):
        watch_recipe(recipe, plan, out=tmp_path / "run")
