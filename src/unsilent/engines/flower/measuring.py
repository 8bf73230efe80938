"""From a user's own functions to a client's statistics: adapters and items in, outcomes scored.

What the functions raise stays on the client: its text may hold private data.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from numpy.typing import NDArray

from unsilent.client.agreement import plan_of
from unsilent.client.observer import SystemChange
from unsilent.engines.flower.home import declared_home
from unsilent.engines.flower.shipping import Shipped
from unsilent.errors import AppFunctionError, InputError, OutcomeError, TimeLimitError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.models.hook import checked
from unsilent.modes import MODES
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need, Statistic
from unsilent.plan import MonitoringPlan
from unsilent.probes import load_probes
from unsilent.probes.known.spec import parse_source
from unsilent.probes.roles import PROBE_ROLES
from unsilent.release.record_rules import home_domain
from unsilent.release.record_unit import SMALLEST_PROBABILITY

Rows = Sequence[Sequence[float]] | NDArray[np.floating]
Score = Callable[[ItemSet, ArrayRecord | None, Context], Rows]
"""Items, an adapter's arrays as the app's strategy sends them (None: the base model, nothing
trained), and the context; returns one row of probabilities an item, one number a choice."""
Records = Callable[[Context], Iterable[Item]]
"""The client's held-out private records, each with an answer."""
Personalize = Callable[[ArrayRecord, Context], ArrayRecord]
"""From the newly aggregated arrays to the client's own."""

_RECORDS = (Need("reference", "records"), Need("personalized", "records"))


@dataclass(frozen=True)
class Functions:
    """What a user's app gives: how to score, and optionally its records and personalized arrays."""

    score: Score
    records: Records | None = None
    personalize: Personalize | None = None


def measure(
    functions: Functions,
    plan_text: str,
    adapters: Mapping[AdapterRole, ArrayRecord | None],
    context: Context,
    shipped: Shipped = (),
    base: Path | None = None,
) -> tuple[list[Statistic], SystemChange]:
    """All planned modes of one client, and the change of its system metrics.

    Without held-out records a client releases ``monitor.margin`` as the change of both metrics: it
    claims neither that they show a failure nor that they do not.

    Args:
        functions: The app's.
        plan_text: The plan as JSON.
        adapters: By role, those that ``adapters_needed`` names; None is the base model.
        context: Handed to the functions.
        shipped: Probe sets that came from the server; taken only if the plan pins them.
        base: Folder of the plan's relative paths; by default that of the app, or the current one.

    Raises:
        InputError: The plan needs what the app does not give, or rows are not probabilities.
        AppFunctionError: One of the functions failed; its exception is the cause.
    """
    plan = plan_of(plan_text)
    if plan.privacy.unit == "record":
        raise InputError(
            "which records an app trains on is not known here, so no record can be the unit",
            where="privacy.unit",
            remedy='Set it to "client".',
        )
    modes = [MODES[code] for code in plan.planned]
    needs = _needs(functions, plan)
    records = _records(functions, context)
    home = home_domain(plan, records, declared=declared_home(context))
    if records is None and any(need.items == "records" for need in needs):
        raise InputError(
            "a planned mode is measured on held-out records, and the app gives none",
            where="modes",
            remedy="Give monitor_client records=…, or do not plan the mode.",
        )
    items: dict[ItemRole, ItemSet] = dict(_probes(plan_text, shipped, base))
    if records is not None:
        items["records"] = records
    outcomes: dict[Need, Outcomes] = {}
    for need in sorted(needs, key=lambda need: (need.items, need.adapter)):
        asked = items[need.items]
        with _own("score"):
            rows = functions.score(asked, adapters[need.adapter], context)
        outcomes[need] = Outcomes(asked, need.adapter, checked(asked, rows))
    evidence = Evidence(outcomes, home_domain=home)
    statistics = [mode.measure_with(evidence, plan.subgroups(mode.code)) for mode in modes]
    if records is None:
        return statistics, SystemChange(plan.monitor.margin, plan.monitor.margin)
    return statistics, system_change(evidence)


def adapters_needed(functions: Functions, plan_text: str) -> frozenset[AdapterRole]:
    """The adapters under which something is scored for this plan."""
    return frozenset(need.adapter for need in _needs(functions, plan_of(plan_text)))


def personalized(
    functions: Functions, aggregated: ArrayRecord, context: Context
) -> ArrayRecord | None:
    """The client's own arrays from the app's function, None without one. Raises as ``measure``."""
    if functions.personalize is None:
        return None
    with _own("personalize"):
        own = functions.personalize(aggregated, context)
    if not isinstance(own, ArrayRecord):
        raise InputError(
            "what came back is no ArrayRecord",
            where="personalize",
            remedy="Return flwr.app.ArrayRecord(state_dict) or ArrayRecord(list_of_arrays).",
        )
    return own


def system_change(evidence: Evidence) -> SystemChange:
    """Loss growth (nats) and accuracy drop on the client's records, personalized - reference."""
    losses, hits = {}, {}
    for role in ("reference", "personalized"):
        outcomes = evidence.get(role, "records")
        right = outcomes.of(lambda item: item.answer)
        losses[role] = float(-np.log(np.clip(right, SMALLEST_PROBABILITY, 1.0)).mean())
        answers = np.array([item.answer for item in outcomes.items])
        hits[role] = float((outcomes.chosen() == answers).mean())
    return SystemChange(
        losses["personalized"] - losses["reference"], hits["reference"] - hits["personalized"]
    )


def find(path: str | Path) -> Path:
    """A file of the app: beside the app's modules, else in the current folder.

    An installed Flower app runs in whatever folder its process was started in, with its own folder
    first on the path on which modules are found.
    """
    given = Path(path).expanduser()
    for folder in (*map(Path, sys.path), Path()):
        if (folder / given).is_file():
            return (folder / given).absolute()
    return given


def _needs(functions: Functions, plan: MonitoringPlan) -> set[Need]:
    """What the planned modes are measured on, and the system's metrics where there are records."""
    needs = {need for code in plan.planned for need in MODES[code].needs}
    return needs if functions.records is None else needs | set(_RECORDS)


def _records(functions: Functions, context: Context) -> ItemSet | None:
    """The held-out records. Errors name them by place: an id of a private record is private."""
    if functions.records is None:
        return None
    with _own("records"):
        items = tuple(functions.records(context))
        # Checked here: an item set names an id that appears twice.
        found = ItemSet("records", items)
    unanswered = [number for number, item in enumerate(found, 1) if item.answer is None]
    if unanswered:
        raise OutcomeError(
            f"held-out record {unanswered[0]} does not say which choice is correct",
            where="records",
            remedy="Give each record an answer.",
        )
    return found


@lru_cache(maxsize=2)
def _probes(plan_text: str, shipped: Shipped, base: Path | None) -> Mapping[ItemRole, ItemSet]:
    """The public items that the planned modes are asked."""
    plan = plan_of(plan_text)
    needed = {need.items for code in plan.planned for need in MODES[code].needs}
    roles: list[ItemRole] = [role for role in PROBE_ROLES if role in needed]
    if not roles:
        return {}
    folder = _base(plan, roles) if base is None else base
    return load_probes(plan, roles=roles, base=folder, shipped=dict(shipped))


def _base(plan: MonitoringPlan, roles: Sequence[ItemRole]) -> Path:
    """The folder that the plan's relative paths start from."""
    for role in roles:
        source = parse_source(str(getattr(plan.probes, role)), role)
        if source.path is not None and not Path(source.path).expanduser().is_absolute():
            found = find(source.path)
            if found.is_absolute():
                return Path(str(found).removesuffix(str(Path(source.path))))
    return Path()


@contextmanager
def _own(name: str) -> Iterator[None]:
    """Turn whatever the app's function raises into an error that says nothing of it."""
    try:
        yield
    except TimeLimitError:
        raise
    except (Exception, SystemExit) as error:  # the boundary: its text may be private
        raise AppFunctionError(f"the app's {name} function failed") from error
