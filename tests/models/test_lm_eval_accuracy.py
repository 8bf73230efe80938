"""The same model on the same task: our log-likelihoods and accuracies are the harness's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unsilent_bench.scoring import accuracy, outcomes_of

from tests.lm_eval_files import write_task
from unsilent.models.causal_lm import CausalLM
from unsilent.plan import AdapterPlan
from unsilent.probes.lm_eval_tasks import lm_eval_task

pytest.importorskip("lm_eval", reason="lm-eval is not installed")


@pytest.mark.parametrize(
    ("changes", "bos"),
    [
        ({"num_fewshot": 2}, None),
        ({"doc_to_text": "Question: {{q}}\nAnswer: ", "target_delimiter": ""}, None),
        ({"doc_to_text": ""}, None),
        ({"doc_to_text": ""}, "<u>"),
    ],
    ids=["shots", "space", "no context, eos", "no context, bos"],
)
def test_accuracy_is_the_harness_s(
    changes: dict[str, Any],
    bos: str | None,
    tmp_path: Path,
    tiny: Callable[..., Any],
    tokenizer: Any,
) -> None:
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    tokenizer = copy.deepcopy(tokenizer)
    if bos is not None:
        tokenizer.bos_token = bos
    path = write_task(tmp_path, **changes)
    (task,) = TaskManager(include_defaults=False).load(str(path))["tasks"].values()
    task.set_fewshot_seed(1234)
    task.build_all_requests()
    harness = HFLM(pretrained=tiny(), tokenizer=tokenizer, device="cpu", batch_size=4)
    replies = harness.loglikelihood(task.instances, disable_tqdm=True)
    theirs = np.array([reply[0] for reply in replies]).reshape(-1, 3)
    measured = [
        task.process_results(task.instances[3 * row].doc, replies[3 * row : 3 * row + 3])
        for row in range(len(theirs))
    ]

    plan = AdapterPlan(rank=4, targets=("q_proj",), layers=(2, 3))
    model = CausalLM(tiny(), tokenizer, weights="tiny", adapter=plan)
    items = lm_eval_task(path).items
    logs = model.log_likelihoods(items, None)
    assert logs == pytest.approx(theirs, abs=1e-4)
    for metric, per in (("acc", "choice"), ("acc_norm", "character"), ("acc_bytes", "byte")):
        found = accuracy(outcomes_of(items, "reference", logs, per=per))  # type: ignore[arg-type]
        assert found.correct == sum(row[metric] for row in measured)
