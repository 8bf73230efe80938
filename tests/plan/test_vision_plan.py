"""A plan of a vision model asks it about images, or says in one line what it cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from unsilent.errors import PlanError
from unsilent.plan import parse_plan
from unsilent.plan.vision import probe_roles

SEEN = {"task": "task.jsonl"}
ALL = {
    "amplified_bias": "bias",
    "confidence_miscalibration": "task",
    "adaptation_misalignment": "general",
    "out_of_domain_degradation": "task",
    "alignment_erosion": "harmful",
}


def plan(*modes: str, probes: Any = SEEN, **model: Any) -> Any:
    return parse_plan(
        {
            "model": {"kind": "vision", "id": "base", **model},
            "modes": {name: {"tolerance": 0.2, "clip": 1.0} for name in modes},
            "probes": probes,
        }
    )


def test_modes_whose_items_show_images_can_be_planned() -> None:
    found = plan("confidence_miscalibration", "fairness_collapse", "out_of_domain_degradation")
    assert found.planned == ("SF-2", "SF-3", "SF-5")
    assert probe_roles(found) == ("task",)
    assert found.to_json()["model"]["kind"] == "vision"


@pytest.mark.parametrize("mode", ALL)
def test_a_mode_of_text_probes_is_refused_by_name(mode: str) -> None:
    with pytest.raises(PlanError, match=rf"modes\.{mode}: it is measured on probes\.{ALL[mode]}"):
        plan(mode, probes={})


def test_every_mode_can_be_planned_with_fitting_files() -> None:
    files = {role: f"{role}.jsonl" for role in ("bias", "task", "general", "harmful", "benign")}
    assert len(plan(*ALL, probes=files).planned) == len(ALL)


@pytest.mark.parametrize("source", ["known:bbq:data", "counterfactuals", "lm-eval:crows_pairs"])
def test_sets_of_texts_are_refused(source: str) -> None:
    with pytest.raises(PlanError, match="of texts, and a vision model is shown images"):
        plan("amplified_bias", probes={"bias": source})


def test_what_no_planned_mode_needs_is_not_looked_at() -> None:
    assert plan("fairness_collapse", probes={}).planned == ("SF-3",)


def test_no_vision_model_is_embedded() -> None:
    with pytest.raises(PlanError, match="no vision model is embedded"):
        plan("fairness_collapse", id="embedded")


def test_plans_of_texts_keep_their_digest() -> None:
    modes = {"fairness_collapse": {"tolerance": 0.25, "clip": 1.0}}
    found = parse_plan({"schema": "unsilent/plan/1", "modes": modes})
    assert found.digest == (
        "sha256:2b35e112a6c1d67b0d64b90a2c598e7cf55bb53242a3dcd2e5c592509b452cbd"
    )
