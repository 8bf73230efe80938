from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

MODES = (
    "amplified_bias",
    "confidence_miscalibration",
    "fairness_collapse",
    "adaptation_misalignment",
    "out_of_domain_degradation",
    "alignment_erosion",
)


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., MonitoringPlan]:
    """A plan with all six modes or those named; keywords go to its sections.

    All clients answer the same items, and these are what is spoken of, unless a test says
    otherwise: most are about clients, noise and rounds.
    """

    def build(
        clients=30,
        modes=MODES,
        tolerance=0.1,
        clip=0.3,
        weight=0.5,
        rounds=(3,),
        share_tolerance=0.2,
        epsilon=8.0,
        items="these",
        sampling="same",
        **monitor,
    ):
        planned = {
            name: {"tolerance": tolerance, "clip": clip, "weight": weight}
            for name in modes
            if name != "fairness_collapse"
        }
        if "fairness_collapse" in modes:
            planned["fairness_collapse"] = {
                "tolerance": share_tolerance,
                "clip": 1.0,
                "weight": weight,
            }
        return parse_plan(
            {
                "federation": {"clients": clients, "rounds": max(rounds)},
                "monitor": {"rounds": list(rounds), "min_cohort": 5, "items": items, **monitor},
                "probes": {"sampling": sampling},
                "privacy": {"epsilon": epsilon},
                "modes": planned,
            }
        )

    return build


@pytest.fixture(scope="session")
def summed() -> Callable[..., Release]:
    """The real path of a round: encode each client, add noise shares, sum."""

    def build(
        plan: MonitoringPlan,
        clients: Sequence[Mapping[str, float]],
        seed: int | Sequence[int] | None,
        round_number: int | None = None,
    ) -> Release:
        layout = Layout.from_plan(plan)
        assert {name for client in clients for name in client} <= set(layout.inputs)
        values = {
            name: np.array([client.get(name, 0.0) for client in clients], dtype=np.float64)
            for name in layout.inputs
        }
        vector = layout.encode_all(values).sum(axis=0)
        variance = 0.0
        if seed is not None:
            variance = float(share_variance(plan)) * len(clients)
            vector += SeededNoise(seed).sample(variance**0.5, len(vector))
        return Release(
            layout.digest,
            round_number or plan.monitoring_rounds[-1],
            len(clients),
            vector,
            variance,
        )

    return build
