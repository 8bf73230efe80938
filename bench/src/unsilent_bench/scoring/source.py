"""One source of probes under one model: the published scores that its items allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from unsilent.assets import Progress
from unsilent.errors import InputError, ItemError
from unsilent.items import ItemSet, Outcomes
from unsilent.models import Adapter, PersonalModel
from unsilent.probes.counterfactuals import counterfactual_pairs
from unsilent.probes.formats import read_probe_file
from unsilent.probes.known.load import draw
from unsilent.probes.known.spec import OWN, parse_source
from unsilent.probes.lm_eval_tasks import lm_eval_task
from unsilent.probes.sources import PROBE_SEED, read_known
from unsilent_bench.scoring import accuracy, outcomes_of, score_sheet

HARNESS = "lm-eval:"
"""Before the name or path of a task of lm-evaluation-harness."""
_OWN_QUESTIONS = 48
_PART = 64
"""How many items a model is asked before it is said how far it is."""


def read_source(text: str, items: int | None = None, progress: Progress | None = None) -> ItemSet:
    """Items from anywhere.

    Args:
        text: A path of a file in the item schema, ``known:NAME…`` as in a plan,
            ``lm-eval:TASK`` or ``lm-eval:PATH.yaml``, or ``counterfactuals``.
        items: How many are drawn, the same for every model; of ``counterfactuals`` how many
            questions. All by default.
        progress: Told about downloads.

    Raises:
        PlanError, ItemError, AssetError: The source is unknown, or cannot be read.
    """
    if text == OWN:
        return counterfactual_pairs(items or _OWN_QUESTIONS, PROBE_SEED)
    if text.startswith(HARNESS):
        found = lm_eval_task(text.removeprefix(HARNESS)).items
    else:
        source = parse_source(text)
        if source.known is not None:
            found = read_known(text, progress=progress).items
        elif source.path is not None:
            found = read_probe_file(Path(source.path).expanduser())
        else:
            raise InputError(
                "embedded probes have no published score",
                where=text,
                remedy=f"Name a file, known:NAME, {HARNESS}TASK or {OWN}.",
            )
    return found if items is None or items >= len(found) else draw(found, items, PROBE_SEED)


def score_items(
    model: PersonalModel,
    adapter: Adapter | None,
    items: ItemSet,
    report: Callable[[float], object] = lambda share: None,
) -> dict[str, Any]:
    """All scores that the items allow, by name, ready for JSON.

    A causal language model's accuracy is also given by character and by byte, as the harness's
    ``acc_norm`` and ``acc_bytes``. ``report`` is told how much is done, in [0, 1]. Raises
    ItemError if no score applies.
    """
    name = "base" if adapter is None else "adapter"
    likelihoods = getattr(model, "log_likelihoods", None)
    if likelihoods is None:
        answers = _by_parts(model.score, items, adapter, 0.0, report)
        scores = score_sheet(Outcomes(items, name, answers))
    else:
        table = _by_parts(likelihoods, items, adapter, -np.inf, report)
        scores = score_sheet(outcomes_of(items, name, table))
        if "accuracy" in scores:
            for per in ("character", "byte"):
                found = accuracy(outcomes_of(items, name, table, per=per))
                scores[f"accuracy_per_{per}"] = found.to_json()
    if not scores:
        raise ItemError(
            "no published score applies to these items",
            where=items.name,
            remedy="Give them an answer, or the attributes of a known set.",
        )
    return scores


def _by_parts(
    score: Callable[[ItemSet, Adapter | None], NDArray[np.float64]],
    items: ItemSet,
    adapter: Adapter | None,
    beyond: float,
    report: Callable[[float], object],
) -> NDArray[np.float64]:
    """(n_items, max_choices), asked part by part: minutes of it would pass in silence.

    Args:
        score: Of a model.
        items: What is asked.
        adapter: As ``score`` takes it.
        beyond: What stands where an item has no such choice.
        report: Told the share that is done.
    """
    table = np.full((len(items), max(len(item.choices) for item in items)), beyond)
    for begin in range(0, len(items), _PART):
        part = replace(items, items=items.items[begin : begin + _PART])
        found = score(part, adapter)
        table[begin : begin + len(part), : found.shape[1]] = found
        report((begin + len(part)) / len(items))
    return table


def scores_table(scores: dict[str, Any]) -> RenderableType:
    """One line a number."""
    table = Table(box=None, pad_edge=False)
    table.add_column("score")
    table.add_column("value", justify="right")
    for name, value in _flat(scores):
        table.add_row(escape(name), value)
    return table


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name} · {key}" if name else str(key))
    elif isinstance(value, float):
        yield name, f"{value:.4g}"
    elif isinstance(value, tuple):
        yield name, " to ".join(f"{end:.4g}" for end in value)
    else:
        yield name, "none" if value is None else str(value)
