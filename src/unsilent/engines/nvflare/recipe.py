"""One line around a recipe: the job that it makes is monitored by a plan."""

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
        recipe: A FedAvg, FedProx, Scaffold or Cyclic recipe of FLARE's.
        plan: A plan file, looked for beside the job's modules and in the current folder, or a plan.
        out: The run's folder on the server; by default ``unsilent`` in the job's folder there,
            which comes back with the job's result.
        loss: Name of the aggregated loss that the run shows today; by default the first metric
            that contains ``loss``.
        accuracy: Name of its accuracy; by default the first that contains ``acc``.
        accept_underpowered: Monitor by a plan all the same that can reach no verdict in any mode.

    Raises:
        InputError: It is no recipe, the plan cannot be read, or it asks for a gate.
    """
    job = _job_of(recipe)
    declared = plan if isinstance(plan, MonitoringPlan) else read_plan(find(plan))
    declared.refuse_earlier()
    if declared.gate.action != "observe":
        raise InputError(
            f"the plan's gate is to {declared.gate.action!r}, and what a workflow of FLARE's "
            "saves cannot be held back",
            where="gate.action",
            remedy='Leave the gate out, or set it to "observe".',
        )
    folder = Path(tempfile.mkdtemp(prefix="unsilent-"))
    # It is read when the job is run or exported, which may be as late as the process's end.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_whole(folder / GIVEN, given_bytes(declared, shipped_fields(declared, find)))
    component = ServerMonitor(
        None if out is None else str(out), loss, accuracy, accept_underpowered
    )
    # Else FLARE would copy parts of this package into the job, and they would stand before it.
    job.set_app_packages([*job.job.app_packages, _PACKAGE])
    job.to_server(component, id=_ID)
    job.to_server(str(folder / GIVEN))
    return recipe


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
