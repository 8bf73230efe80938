"""Findings in other people's formats: a model card's section, and Every Eval Ever's record.

Neither has a word for "not shown", so every exported number carries its verdict, interval and
tolerance, and a mode without an estimate is named as one without, never as a zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import yaml

from unsilent import __version__
from unsilent.findings import Finding
from unsilent.report import view
from unsilent.report.decision import caveats
from unsilent.report.performance_table import markdown
from unsilent.report.source import Run

EVERY_EVAL_EVER = "0.2.1"
"""Version of the schema of github.com/evaleval/every_eval_ever that the record follows."""

_TASKS = {
    "causal_lm": "text-generation",
    "encoder": "text-classification",
    "vision": "image-classification",
}
_PAPER = "https://arxiv.org/abs/2606.00947"
_LEVEL = "simultaneous over modes, windows and monitoring rounds"


def model_card(run: Run) -> str:
    """A model card's metadata (Hugging Face ``model-index``) and its section on silent failures.

    The metadata holds the modes that have an estimate; the section names all.
    """
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    found = run.findings
    results = [
        EvalResult(
            task_type=_TASKS[run.plan.model.kind],
            task_name="silent failures of federated personalization",
            dataset_type="private",
            dataset_name=f"{found.name}, round {found.round}",
            metric_type="silent_failure_effect",
            metric_name=f"{view.named(each)}: {view.verdict(each).word}",
            metric_value=each.effect,
            metric_args={
                "interval": list(each.interval or ()),
                "tolerance": each.tolerance,
                "verdict": each.verdict,
                "visibility": each.visibility,
                "plan": found.plan,
            },
        )
        for each in _estimated(run)
    ]
    index = eval_results_to_model_index(found.name, results)
    data = {"tags": ["unsilent", "federated-learning"], "model-index": index}
    front = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n{_section(run)}"


def _section(run: Run) -> str:
    found = run.findings
    rows = "\n".join(
        view.markdown_row(view.named(each), each, "; ".join(caveats(each)))
        for each in found.findings
    )
    return (
        "## Silent failures\n\n"
        f"Measured by unsilent {__version__} on {found.clients} clients after round {found.round}, "
        f"plan `{found.plan}`. Effects in points, positive is worse, intervals {_LEVEL}.\n\n"
        f"{view.headline(found)}\n\n"
        "| mode | verdict | effect and interval | tolerance | what limits it |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n{markdown(found)}{view.meanings()}\n\n"
        f"What the run itself showed: {view.metrics_line(found)}\n\n"
        f"{found.privacy.statement}\n\n"
        f"Taxonomy: Oh and Bui, KDD 2026, {_PAPER}.\n"
    )


def every_eval_ever(run: Run, *, retrieved: int, organization: str) -> dict[str, Any]:
    """One record of Every Eval Ever's schema, version ``EVERY_EVAL_EVER``.

    Args:
        run: A finished run.
        retrieved: Unix time at which the record is made.
        organization: Who answers for the model and evaluated it.
    """
    found = run.findings
    estimated = list(_estimated(run))
    left_out = [each.code for each in found.findings if each not in estimated]
    return {
        "schema_version": EVERY_EVAL_EVER,
        "evaluation_id": f"unsilent/{found.name}/{retrieved}",
        "dedupe_identity": {
            "run_fingerprint": found.plan.removeprefix("sha256:"),
            "content_hash": hashlib.sha256(found.text().encode()).hexdigest(),
            "hash_algorithm": "sha256",
        },
        "retrieved_timestamp": str(retrieved),
        "source_metadata": {
            "source_name": "unsilent",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "first_party",
            "additional_details": {
                "privacy": found.privacy.statement,
                "without_estimate": ", ".join(left_out) or "none",
                "performance_on_records": ", ".join(
                    f"{each.key}: {each.verdict}" for each in found.performance
                )
                or "not planned",
            },
        },
        "eval_library": {"name": "unsilent", "version": __version__},
        "model_info": {
            "name": found.name,
            "id": run.plan.model.id,
            "additional_details": {"kind": run.plan.model.kind, "round": str(found.round)},
        },
        "evaluation_results": [_result(run, each) for each in estimated],
    }


def _result(run: Run, finding: Finding) -> dict[str, Any]:
    lower, upper = finding.interval or (0.0, 0.0)
    first, last = finding.window or (run.findings.round, run.findings.round)
    return {
        "evaluation_name": view.named(finding),
        "source_data": {
            "dataset_name": f"probes and records of {run.findings.name}",
            "source_type": "other",
            "additional_details": {"seen_from": view.VIEWS[finding.view]},
        },
        "metric_config": {
            "evaluation_description": finding.statistic,
            "lower_is_better": True,
            "score_type": "continuous",
            "min_score": finding.range[0],
            "max_score": finding.range[1],
        },
        "score_details": {
            "score": finding.effect,
            "details": {
                "verdict": f"{finding.verdict or 'not planned'}{view.about(finding)}",
                "meaning": view.verdict(finding).meaning,
                "limits": "; ".join(caveats(finding)) or "none known",
                "visibility": finding.visibility or "not applicable",
                "tolerance": f"{finding.tolerance:g}",
                "rounds": f"{first} to {last}",
            },
            "uncertainty": {
                "confidence_interval": {"lower": lower, "upper": upper, "method": _LEVEL}
            },
        },
    }


def _estimated(run: Run) -> Iterator[Finding]:
    for each in run.findings.findings:
        if each.effect is not None and each.interval is not None and each.tolerance is not None:
            yield each
