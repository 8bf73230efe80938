"""From a plan and options to a check: what is loaded, asked and recorded, in that order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from unsilent.errors import InputError
from unsilent.items import ItemSet
from unsilent.ledger.location import ledger_of, open_ledger
from unsilent.ledger.run_view import RunView
from unsilent.models import Adapter, load_model
from unsilent.models.hook import HOOK, hook_of
from unsilent.modes.base import ItemRole
from unsilent.modes.gather import needs_of
from unsilent.parity.check import Parity, ServedScores, ask_served, check, divisors_of, drawn
from unsilent.parity.compare import ItemScores
from unsilent.parity.http import TIMEOUT_S, Address
from unsilent.parity.served import LlamaCpp, OpenAI
from unsilent.plan import MonitoringPlan
from unsilent.plan.vision import VISION
from unsilent.probes import load_probes
from unsilent.probes.formats import read_probe_file
from unsilent.probes.roles import PROBE_ROLES
from unsilent.progress import Progress

KEY = "UNSILENT_ENDPOINT_KEY"
"""Environment variable with an endpoint's key."""


@dataclass(frozen=True)
class Options:
    """What the command was given, as ``unsilent parity --help`` lists it."""

    at: str
    form: str
    model: str | None
    served_adapter: str | None
    adapter: Path | None
    probes: Path | None
    items: int
    tolerance: float
    timeout: float | None
    run: Path | None


def check_endpoint(plan: MonitoringPlan, given: Options, progress: Progress) -> Parity:
    """Ask the endpoint and the plan's model, compare, and note it in the run's ledger.

    Raises:
        InputError: An argument, a file or the run does not fit the plan.
        EndpointError: The endpoint does not answer as it has to.
        ModelError: The plan's model, the adapter or the hook cannot be used.
    """
    if plan.model.kind == VISION:
        raise InputError(
            "an endpoint is asked texts, and the plan's model is shown images",
            where="model.kind",
            remedy="Check the parity of a causal language model.",
        )
    hook = given.at.startswith(HOOK)
    url = given.at
    if given.form == "llama.cpp":
        # Its own paths stand beside those of /v1.
        url = url.rstrip("/").removesuffix("/v1")
    address = None if hook else Address(url, os.environ.get(KEY), given.timeout or TIMEOUT_S)
    if given.run is not None:
        _check_run(given.run, plan)
    items = drawn(_items(plan, given.probes), given.items)
    progress.update("load model", 0, 1)
    model = load_model(plan)
    adapter = None if given.adapter is None else Adapter.load(given.adapter, base=model.digest)

    def ask(name: str | None) -> ServedScores:
        if address is None:
            return ServedScores(items, ItemScores(hook_of(given.at).score(items, None)))
        served = LlamaCpp(address) if given.form == "llama.cpp" else OpenAI(address, str(name))
        return ask_served(
            served, items, lambda share: progress.update("ask", share, 1.0), divisors_of(model)
        )

    asked = ask(given.served_adapter or given.model)
    beside = given.served_adapter is not None and given.model is not None
    base = ask(given.model) if beside else None
    progress.update("score", 0, 1)
    found = check(
        model,
        adapter,
        asked,
        tolerance=given.tolerance,
        endpoint=given.at if address is None else address.shown,
        name=given.served_adapter or given.model,
        base=base,
    )
    if given.run is not None:
        open_ledger(given.run).record(found.event())
    return found


def _items(plan: MonitoringPlan, file: Path | None) -> dict[str, ItemSet]:
    if file is not None:
        return {file.stem: read_probe_file(file)}
    needed = {need.items for need in needs_of(plan.planned)}
    roles: list[ItemRole] = [role for role in PROBE_ROLES if role in needed]
    return {str(role): found for role, found in load_probes(plan, roles=roles).items()}


def _check_run(folder: Path, plan: MonitoringPlan) -> None:
    if RunView(ledger_of(folder)).plan.digest != plan.digest:
        raise InputError(
            "this run is of another plan",
            where=str(folder),
            remedy="Give the plan that it ran under.",
        )
