"""A recipe with its line makes a job that carries the plan, and nothing else of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.nvflare.flare import plan_of
from unsilent.engines.nvflare import monitor_recipe
from unsilent.engines.nvflare.server import GIVEN, read_given
from unsilent.errors import InputError, PlanError
from unsilent.probes.check import pin_of
from unsilent.probes.joined import read_probes

pytestmark = pytest.mark.filterwarnings("ignore")


def recipe_of(folder: Path) -> Any:
    from nvflare.fuel.utils.constants import FrameworkType
    from nvflare.recipe.fedavg import FedAvgRecipe

    script = folder / "client.py"
    script.write_text("from unsilent.engines.nvflare import monitor_client\n")
    return FedAvgRecipe(
        name="job",
        model=[0.0],
        min_clients=3,
        train_script=str(script),
        framework=FrameworkType.NUMPY,
    )


def test_the_job_carries_the_plan_and_the_component(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    recipe = recipe_of(tmp_path)
    assert monitor_recipe(recipe, plan, out="runs/x", loss="bce") is recipe
    recipe.export(str(tmp_path / "out"))
    custom = next((tmp_path / "out").rglob(GIVEN)).parent
    read, shipped = read_given(custom / GIVEN)
    assert (read.digest, shipped) == (plan.digest, {})
    server = json.loads(next((tmp_path / "out").rglob("config_fed_server.json")).read_text())
    ours = [each for each in server["components"] if each["id"] == "unsilent"]
    assert ours[0]["path"] == "unsilent.engines.nvflare.server.ServerMonitor"
    assert ours[0]["args"] == {"out": "runs/x", "loss": "bce"}
    # A copy of a part of this package would stand before it on the server's path.
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name == "engines"]


def test_a_pinned_file_travels_with_the_job(tmp_path: Path) -> None:
    path = Path(plan_of(tmp_path).probes.bias)
    plan = plan_of(tmp_path, probes={"bias": f"{path}{pin_of(read_probes('bias', path))}"})
    monitor_recipe(recipe := recipe_of(tmp_path), plan)
    recipe.export(str(tmp_path / "out"))
    _, shipped = read_given(next((tmp_path / "out").rglob(GIVEN)))
    assert list(shipped) == ["probes.bias"]


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="str is no recipe"):
        monitor_recipe("recipe", plan_of(tmp_path))


def test_a_plan_that_is_not_there_is_refused_in_the_job_script(tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        monitor_recipe(recipe_of(tmp_path), tmp_path / "none.toml")


def test_a_job_without_its_plan_says_so(tmp_path: Path) -> None:
    (tmp_path / GIVEN).write_text("{}")
    with pytest.raises(InputError, match="the job carries no plan"):
        read_given(tmp_path / GIVEN)
