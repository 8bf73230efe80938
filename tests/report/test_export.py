"""Exports keep verdict, interval and tolerance with every number, and leave no mode out."""

from typing import Any

import yaml
from huggingface_hub import ModelCard, ModelCardData

from unsilent.report.export import every_eval_ever, model_card
from unsilent.report.source import Run

CODES = ["SF-1", "SF-2", "SF-3", "SF-4", "SF-5", "SF-6"]


def _metrics(run: Run) -> list[dict[str, Any]]:
    front = model_card(run).split("---\n")[1]
    results = yaml.safe_load(front)["model-index"][0]["results"]
    return [metric for result in results for metric in result["metrics"]]


def test_the_hub_reads_the_model_card(run: Run) -> None:
    data = ModelCard(model_card(run)).data
    assert isinstance(data, ModelCardData)
    results = data.eval_results
    assert results is not None
    assert [r.metric_value for r in results] == [0.214, 0.31, 0.08, -0.012, 0.01]


def test_each_number_in_the_metadata_has_its_verdict_and_interval(run: Run) -> None:
    for metric in _metrics(run):
        low, high = metric["args"]["interval"]
        assert low <= metric["value"] <= high
        assert metric["args"]["verdict"].upper() in metric["name"]
        assert metric["args"]["tolerance"] == 0.1


def test_the_section_names_all_six_and_says_what_is_unknown(run: Run) -> None:
    rows = [line for line in model_card(run).splitlines() if line.startswith("| SF-")]
    assert [row[2:6] for row in rows] == CODES
    assert "FAILURE (silent)" in rows[0]
    assert "UNDETERMINED" in rows[2]
    assert "NOT PLANNED | – –" in rows[5].replace("∅ ", "")


def test_the_record_follows_the_schema_of_every_eval_ever(run: Run) -> None:
    record = every_eval_ever(run, retrieved=1_700_000_000, organization="a hospital")
    # What version 0.2.1 requires, restated from its published description.
    assert set(record) >= {
        "schema_version",
        "evaluation_id",
        "retrieved_timestamp",
        "source_metadata",
        "model_info",
        "eval_library",
        "evaluation_results",
    }
    assert record["retrieved_timestamp"] == "1700000000"
    assert record["source_metadata"]["source_type"] in {"documentation", "evaluation_run"}
    for result in record["evaluation_results"]:
        config, score = result["metric_config"], result["score_details"]
        assert config["score_type"] == "continuous"
        assert config["min_score"] < config["max_score"]
        assert isinstance(score["score"], float)
        bounds = score["uncertainty"]["confidence_interval"]
        assert bounds["lower"] <= score["score"] <= bounds["upper"]
        assert all(isinstance(value, str) for value in score["details"].values())


def test_a_mode_without_estimate_is_named_and_never_a_zero(run: Run) -> None:
    record = every_eval_ever(run, retrieved=0, organization="a hospital")
    named = [result["evaluation_name"][:4] for result in record["evaluation_results"]]
    assert named == CODES[:5]
    assert record["source_metadata"]["additional_details"]["without_estimate"] == "SF-6"
