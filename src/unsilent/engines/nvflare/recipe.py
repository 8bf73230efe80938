"""One line around a recipe: the job that it makes is monitored by a plan, or only that."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any, TypeVar

from unsilent.engines.nvflare.server import GIVEN, ServerMonitor, given_bytes
from unsilent.errors import InputError
from unsilent.files import find, write_whole
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.probes.shipping import shipped_fields
from unsilent.server.watch import refuse_unwatchable

R = TypeVar("R")

_ID = "unsilent"
_PACKAGE = "unsilent"


def monitor_recipe(
    recipe: R,
    plan: str | Path | MonitoringPlan = "plan.toml",
    *,
    out: str | Path | None = None,
    loss: str | None = None,
    accuracy: str | None = None,
    accept_underpowered: bool = False,
) -> R:
    """The same recipe, whose sites are monitored after the rounds that the plan names.

    ``recipe = monitor_recipe(recipe, "plan.toml")``, before it is run or exported. The job carries
    the plan and its pinned probe files; unsilent has to be installed on the server and the sites.

    Args:
        recipe: A FedAvg, FedProx, FedOpt, Scaffold or Cyclic recipe of FLARE's.
        plan: A plan file, looked for beside the job's modules and in the current folder, or a plan.
        out: The run's folder on the server; by default ``unsilent`` in the job's folder there,
            which comes back with the job's result.
        loss: Name of the aggregated loss that the run shows today; by default the first metric
            that contains ``loss``.
        accuracy: Name of its accuracy; by default the first that contains ``acc``.
        accept_underpowered: Monitor by a plan all the same that can reach no verdict in any mode.

    Raises:
        InputError: It is no recipe, the plan cannot be read, or it asks for a gate that this job
            cannot keep.
    """
    job = _job_of(recipe)
    declared = plan if isinstance(plan, MonitoringPlan) else read_plan(find(plan))
    declared.refuse_earlier()
    _refuse_gate(job, declared)
    component = ServerMonitor(
        None if out is None else str(out), loss, accuracy, accept_underpowered
    )
    _put(job, component, declared)
    return recipe


def watch_recipe(
    recipe: R,
    plan: str | Path | MonitoringPlan = "plan.toml",
    *,
    out: str | Path,
    sends: bool = False,
    rounds: int = 1,
    accept_underpowered: bool = False,
    patience: float = 120.0,
) -> R:
    """The same recipe with its training taken out: its sites are asked for what they have already.

    Each job of it is the next rounds of the watch in ``out``. The scripts are those that train,
    with their line ``monitor_client(…)``; they are given nothing to train.

    Args:
        recipe: A FedAvg, FedProx, FedOpt, Scaffold or Cyclic recipe of FLARE's.
        plan: As for ``monitor_recipe``; its ``federation.rounds`` are the rounds of the watch.
        out: The watch's folder on the server, which outlives its jobs: an absolute path.
        sends: Whether the recipe's own model (``model`` or ``initial_ckpt``) is sent to the sites;
            by default nothing is, and each has its own.
        rounds: How many of the plan's rounds a job does at most.
        accept_underpowered: Watch by a plan that can reach no verdict.
        patience: Seconds to wait for the plan's sites, and their scripts, to be there.

    Raises:
        InputError: It is no recipe, or has no model to send, or ``out`` is no absolute path.
        PlanError: The plan cannot be read, or not be watched by.
    """
    from unsilent.engines.nvflare.watch import WatchController

    job = _job_of(recipe)
    declared = plan if isinstance(plan, MonitoringPlan) else read_plan(find(plan))
    declared.refuse_earlier()
    refuse_unwatchable(declared, sends=sends)
    if not Path(out).is_absolute():
        raise InputError(
            f"{str(out)[:60]!r} is another folder in each job",
            where="out",
            remedy="Name the folder on the server by its absolute path.",
        )
    workflows = _workflows(job)
    loader = _loader(workflows) if sends else ""
    workflows.clear()
    _put(job, WatchController(str(out), rounds, loader, accept_underpowered, patience), declared)
    return recipe


def _refuse_gate(job: Any, plan: MonitoringPlan) -> None:
    """Raise InputError if a plan's gate is to do what this job cannot."""
    if plan.gate.action == "rollback":
        raise InputError(
            "FLARE's workflows go on from the newest model and back to no other",
            where="gate.action",
            remedy='Set it to "hold": what a failing round made is then not saved.',
        )
    if plan.gate.action != "observe":
        # Only here: it loads FLARE's persistors.
        from unsilent.engines.nvflare.hold import refuse_unheld

        config = job._deploy_map["server"].app_config
        refuse_unheld([each.controller for each in _workflows(job)], config.components.values())


def _put(job: Any, component: Any, plan: MonitoringPlan) -> None:
    """Add a component to a job's server, and the file with the plan and its pinned probes."""
    folder = Path(tempfile.mkdtemp(prefix="unsilent-"))
    # It is read when the job is run or exported, which may be as late as the process's end.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_whole(folder / GIVEN, given_bytes(plan, shipped_fields(plan, find)))
    # Else FLARE would copy parts of this package into the job, and they would stand before it.
    job.set_app_packages([*job.job.app_packages, _PACKAGE])
    job.to_server(component, id=_ID)
    job.to_server(str(folder / GIVEN))


def _workflows(job: Any) -> list[Any]:
    """A job's workflows, as the list that it keeps. Raises InputError if it keeps none there."""
    app = getattr(job, "_deploy_map", {}).get("server")
    found = getattr(getattr(app, "app_config", None), "workflows", None)
    if not isinstance(found, list) or not found:
        raise InputError(
            "the recipe's job has no workflow on its server",
            where="recipe",
            remedy="Give it a recipe of nvflare 2.9, as FedAvgRecipe(…) returns one.",
        )
    return found


def _loader(workflows: list[Any]) -> str:
    """Id of the component by which a workflow loads its model. Raises InputError if it has none."""
    for each in workflows:
        for name in ("_persistor_id", "persistor_id"):
            if found := getattr(each.controller, name, None):
                return str(found)
    raise InputError(
        "the recipe's workflow loads no model that could be sent",
        where="sends",
        remedy="Leave sends out, or give the recipe its model.",
    )


def _job_of(recipe: Any) -> Any:
    """The job that a recipe fills: FLARE has no public way to add a component to it.

    Raises:
        InputError: It is no recipe of FLARE's, or one of a version that keeps it elsewhere.
    """
    job = getattr(recipe, "_job", None)
    inner = getattr(job, "job", None)
    if job is None or not hasattr(job, "to_server") or not hasattr(inner, "app_packages"):
        raise InputError(
            f"{type(recipe).__name__} is no recipe whose job can be added to",
            where="monitor_recipe",
            remedy="Give it a recipe of nvflare 2.9, as FedAvgRecipe(…) returns one.",
        )
    return job
