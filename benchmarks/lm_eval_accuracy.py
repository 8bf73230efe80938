"""Is a model's accuracy on a task the one that lm-evaluation-harness finds, item by item?

The harness loads the task, builds its requests, scores them with its own code and computes its own
metrics; unsilent reads the same task file and does all of that by itself. Model and questions are
real ones. ``apart`` counts the items on which the two disagree whether the answer is right.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import SETS, Rows, arguments, load_base, questions, show, use_threads
from unsilent_bench.scoring import outcomes_of

from unsilent.items import Item
from unsilent.models.causal_lm import CausalLM
from unsilent.plan import AdapterPlan
from unsilent.probes.lm_eval_tasks import lm_eval_task

METRICS = {"acc": "choice", "acc_norm": "character"}
"""The harness's metrics, and what unsilent divides a log-likelihood by."""


def write_task(folder: Path, name: str, items: Sequence[Item]) -> Path:
    """A task file of the harness (JSON is YAML) with its data beside it."""
    docs = [
        {
            "q": item.prompt,
            "options": [choice.strip() for choice in item.choices],
            "gold": item.answer,
        }
        for item in items
    ]
    data = folder / f"{name}.jsonl"
    data.write_text("\n".join(map(json.dumps, docs)), encoding="utf-8")
    task = {
        "task": f"local_{name}",
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")
        },
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_target": "gold",
        "doc_to_choice": "options",
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True}
            for metric in METRICS
        ],
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(task), encoding="utf-8")
    return path


def harness_hits(path: Path, harness: Any) -> dict[str, list[bool]]:
    """By metric, whether each item is right, as the harness computes it."""
    from lm_eval.tasks import TaskManager  # pyright: ignore[reportMissingImports]

    (task,) = TaskManager(include_defaults=False).load(str(path))["tasks"].values()
    task.build_all_requests()
    replies = harness.loglikelihood(task.instances, disable_tqdm=True)
    by_doc: dict[int, tuple[Any, list[Any]]] = {}
    for instance, reply in zip(task.instances, replies, strict=True):
        by_doc.setdefault(instance.doc_id, (instance.doc, []))[1].append(reply)
    results = [task.process_results(doc, found) for _, (doc, found) in sorted(by_doc.items())]
    return {metric: [bool(result[metric]) for result in results] for metric in METRICS}


def own_hits(path: Path, model: CausalLM) -> dict[str, list[bool]]:
    """By metric, whether each item is right, as unsilent computes it."""
    items = lm_eval_task(path).items
    logs = model.log_likelihoods(items, None)
    answers = np.array([item.answer for item in items])
    return {
        metric: (
            outcomes_of(items, "reference", logs, per=per).chosen() == answers  # type: ignore[arg-type]
        ).tolist()
        for metric, per in METRICS.items()
    }


def main() -> None:
    """Compare, for each set and metric."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--items", type=int, default=200, help="items of each set")
    parser.add_argument("--sets", nargs="+", default=list(SETS), help=f"of {', '.join(SETS)}")
    given = parser.parse_args()
    use_threads(given.threads)
    from lm_eval.models.huggingface import HFLM  # pyright: ignore[reportMissingImports]

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    loaded, _ = load_base(given.model, "float32", given.device)
    plan = AdapterPlan(rank=1, targets=("q_proj",), layers=(0, 0))
    ours = CausalLM(**loaded, weights=given.model, adapter=plan)
    harness = HFLM(
        pretrained=ours.model, tokenizer=loaded["tokenizer"], device=given.device, batch_size=8
    )
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.sets:
            path = write_task(Path(folder), name, questions(name, given.items))
            theirs, own = harness_hits(path, harness), own_hits(path, ours)
            for metric in METRICS:
                pairs = list(zip(own[metric], theirs[metric], strict=True))
                rows.append(
                    {
                        "set": name,
                        "metric": metric,
                        "items": len(pairs),
                        "correct": sum(one for one, _ in pairs),
                        "harness_correct": sum(other for _, other in pairs),
                        "apart": sum(one != other for one, other in pairs),
                    }
                )
    show(
        "Accuracy of the same model on the same tasks", rows, as_json=given.json, model=given.model
    )


if __name__ == "__main__":
    main()
