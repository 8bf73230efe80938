"""A monitoring plan for the synthetic federations."""

from __future__ import annotations

from unsilent.plan import parse_plan

PLAN = parse_plan(
    {
        "schema": "unsilent/plan/1",
        "name": "bench",
        "federation": {"clients": 128, "rounds": 10},
        "monitor": {"min_cohort": 8},
        "privacy": {"epsilon": 8.0, "dropout": 0.05, "aggregation": "plain"},
        "modes": {
            "amplified_bias": {"tolerance": 0.1, "clip": 0.4, "weight": 0.9},
            "confidence_miscalibration": {"tolerance": 0.1, "clip": 0.4, "weight": 0.5},
            "fairness_collapse": {"tolerance": 0.15, "clip": 1.0, "weight": 0.8},
            "adaptation_misalignment": {"tolerance": 0.05, "clip": 0.2, "weight": 0.5},
            "out_of_domain_degradation": {"tolerance": 0.1, "clip": 0.3, "weight": 0.5},
            "alignment_erosion": {"tolerance": 0.05, "clip": 0.2, "weight": 0.5},
        },
    }
)
