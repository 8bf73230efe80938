"""A model and a plan of the language-model tier that are small enough for a test."""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray
from unsilent_bench.lm.probes import Universe, Universes, universes_of

from unsilent.items import ItemSet
from unsilent.models import Adapter, Training, TrainingReport
from unsilent.plan import MonitoringPlan, parse_plan

WIDTH = 64


class Hashing:
    """A model small enough for a test: logistic over hashed words, one weight vector a class pair.

    It really learns: training moves the score of what it saw.
    """

    digest = "sha256:hashing"

    def __init__(self) -> None:
        self.scored: list[tuple[str, str | None]] = []
        self.trained: list[Training] = []

    def new_adapter(self, seed: int) -> Adapter:
        return Adapter(self.digest, {"w": np.zeros(WIDTH, np.float32)})

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        self.trained.append(training)
        weights = adapter.tensors["w"].copy()
        for _ in range(training.epochs):
            for item in records:
                assert item.answer is not None
                for place, choice in enumerate(item.choices):
                    sign = 1.0 if place == item.answer else -1.0 / len(item.choices)
                    weights += 0.01 * sign * _features(item.prompt, choice)
        return Adapter(self.digest, {"w": weights}), TrainingReport(0.0, 0.0, len(records))

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        self.scored.append((items.digest, adapter.digest if adapter else None))
        weights = np.zeros(WIDTH) if adapter is None else adapter.tensors["w"].astype(float)
        widest = max(len(item.choices) for item in items)
        table = np.full((len(items), widest), -np.inf)
        for row, item in enumerate(items):
            scores = [float(weights @ _features(item.prompt, c)) for c in item.choices]
            table[row, : len(scores)] = scores
        found = np.exp(table - table.max(axis=1, keepdims=True))
        return found / found.sum(axis=1, keepdims=True)


@cache
def _features(prompt: str, choice: str) -> NDArray[np.float32]:
    vector = np.zeros(WIDTH, np.float32)
    for word in prompt.split():
        vector[zlib.crc32(f"{word}|{choice}".encode()) % WIDTH] += 1.0
    return vector / np.float32(max(np.linalg.norm(vector), 1.0))


def small_plan() -> MonitoringPlan:
    modes = (
        "amplified_bias",
        "confidence_miscalibration",
        "fairness_collapse",
        "adaptation_misalignment",
        "out_of_domain_degradation",
        "alignment_erosion",
    )
    return parse_plan(
        {
            "name": "small",
            "federation": {
                "clients": 6,
                "rounds": 2,
                "records": 8,
                "held_out": 8,
                "epochs": 2,
                "valence": [0.3, 4.0],
            },
            "monitor": {"rounds": [2], "min_cohort": 2},
            "probes": {"items": 8},
            "modes": {mode: {"tolerance": 0.1} for mode in modes},
        }
    )


@cache
def small_universes() -> Universes:
    """A tenth of each universe, every tenth unit, so that all strata are there."""
    return {
        role: Universe(
            ItemSet(
                role,
                tuple(
                    whole.items.items[k] for k in whole.places(np.arange(len(whole.units))[::10])
                ),
            )
        )
        for role, whole in universes_of().items()
    }
