"""The base model's answers to whole banks, to be shipped under a pin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unsilent import __version__
from unsilent.errors import InputError
from unsilent.items import ItemSet
from unsilent.models import load_model, model_openings
from unsilent.models.hook import checked
from unsilent.modes.base import ItemRole
from unsilent.modes.gather import needs_of
from unsilent.plan import MonitoringPlan
from unsilent.probes import PROBE_ROLES, load_probes
from unsilent.probes.answers import Answers, Rows, rows_by_content
from unsilent.probes.banks import parts_of
from unsilent.probes.openings import COMPLIANCE_OPENINGS, with_openings
from unsilent.progress import Progress


def bank_answers(plan: MonitoringPlan, progress: Progress, base: Path | None = None) -> Answers:
    """What the plan's base model answers to all that clients may be asked under the reference.

    Args:
        plan: Its reference has to be the base.
        progress: Told how much is scored.
        base: Folder that relative paths start from; the current one by default.

    Raises:
        InputError: The reference is an adapter of the run, or the model has no content hash.
        ItemError, PlanError, AssetError, ModelError: As ``load_probes`` and ``load_model``.
    """
    if plan.reference_round != 0:
        raise InputError(
            "the reference is an adapter of the run, which nobody can ask before it",
            where="monitor.reference",
            remedy='Answers can be shipped where it is "base".',
        )
    openings = with_openings(COMPLIANCE_OPENINGS, model_openings(plan))
    asked = {need.items for need in needs_of(plan.planned) if need.adapter == "reference"}
    roles: list[ItemRole] = [role for role in PROBE_ROLES if role in asked]
    banks = load_probes(plan, compliance=openings, base=base, roles=roles)
    model = load_model(plan, ())
    hashes = model.hashes
    if "base" not in hashes:
        raise InputError(
            "the model tells no content hash, by which its answers would be known",
            where="model.id",
            remedy="Ship answers of a model that the plan loads itself.",
        )
    rows: dict[str, Rows] = {}
    total = sum(map(len, banks.values()))
    for part, done in _parts(banks):
        progress.update("score banks", done, total)
        rows |= rows_by_content(part, checked(part, model.score(part, None)))
    return Answers(
        _bases(model, hashes),
        hashes.get("tokenizer", ""),
        hashes.get("engine", ""),
        plan.model.likelihood,
        __version__,
        rows=rows,
    )


def _parts(banks: Mapping[ItemRole, ItemSet]) -> Iterator[tuple[ItemSet, int]]:
    done = 0
    for bank in banks.values():
        for part in parts_of(bank):
            yield part, done
            done += len(part)


def _bases(model: Any, hashes: Mapping[str, str]) -> tuple[str, ...]:
    """By what the base may be known: of the place it lies in, and of the weights themselves.

    An app that loads the same base its own way knows its weights alone.
    """
    weights = getattr(model, "model", None)
    if weights is None:
        return (hashes["base"],)
    # Waits for a model of torch: nothing else here needs it.
    from unsilent.models.hashes import base_hash

    return hashes["base"], base_hash(weights)
