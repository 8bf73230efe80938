"""The language-model tier: who is averaged with whom, and what the truth is read from."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from unsilent.bench.lm.federation import Run, federate
from unsilent.bench.lm.probes import Probes, probes_of
from unsilent.bench.scenarios import SCENARIOS
from unsilent.bench.scenarios.base import Scenario, Settings
from unsilent.bench.traces.federation import Dose
from unsilent.errors import InputError
from unsilent.items import Item, ItemSet
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

    def new_adapter(self, seed: int) -> Adapter:
        return Adapter(self.digest, {"w": np.zeros(WIDTH, np.float32)})

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
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


def _features(prompt: str, choice: str) -> NDArray[np.float32]:
    vector = np.zeros(WIDTH, np.float32)
    for word in prompt.split():
        vector[zlib.crc32(f"{word}|{choice}".encode()) % WIDTH] += 1.0
    return vector / np.float32(max(np.linalg.norm(vector), 1.0))


@pytest.fixture(scope="module")
def plan() -> MonitoringPlan:
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


@pytest.fixture(scope="module")
def probes(plan: MonitoringPlan) -> Probes:
    return probes_of(plan, beyond=1)


def run_of(
    plan: MonitoringPlan, probes: Probes, scenario: Scenario, dose: Dose, model: Hashing
) -> Run:
    return Run(scenario, dose, 3, plan, model, probes, "development")


class Watched(Scenario):
    """Records as in a main scenario, settings as given."""

    name = "watched"
    code = "SF-1"
    cause = look_alike = source = "a test"
    doses = (0.0, 0.3, 0.6, 1.0)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._like = SCENARIOS["group-skew"]

    def train(self, client, texts, moment, strength) -> tuple[Item, ...]:  # type: ignore[no-untyped-def]
        return self._like.train(client, texts, moment, strength)

    def settings(self, strength: float) -> Settings:
        return self._settings


def test_a_federation_is_a_trace_with_a_truth_of_its_own(
    plan: MonitoringPlan, probes: Probes
) -> None:
    model = Hashing()
    found = federate(run_of(plan, probes, SCENARIOS["group-skew"], "strong", model))
    assert (found.rounds, found.clients, found.dose) == (1, 6, "strong")
    for code in ("SF-1", "SF-2", "SF-3", "SF-4", "SF-5", "SF-6"):
        assert np.isfinite(found.numbers[code]).all()
    assert found.truth.shape == (1, 6)
    assert np.isfinite(found.truth).all()
    assert (found.truth_se >= 0).all()
    # The truth asks other items than the release: both sets were scored, and they differ.
    scored = {digest for digest, _ in model.scored}
    for role in ("bias", "task", "general", "harmful"):
        assert {probes.released[role].digest, probes.beyond[role].digest} <= scored
        released = {item.prompt for item in probes.released[role]}
        assert not released & {item.prompt for item in probes.beyond[role]}


def test_the_same_seed_gives_the_same_trace(plan: MonitoringPlan, probes: Probes) -> None:
    first, second = (
        federate(run_of(plan, probes, SCENARIOS["group-skew"], "mild", Hashing())) for _ in "ab"
    )
    assert np.array_equal(first.truth, second.truth)
    for name, values in first.numbers.items():
        assert np.array_equal(values, second.numbers[name])


def test_by_domain_gives_each_home_an_adapter_of_its_own(
    plan: MonitoringPlan, probes: Probes
) -> None:
    def adapters(settings: Settings) -> int:
        model = Hashing()
        federate(run_of(plan, probes, Watched(settings), "strong", model))
        task = probes.released["bias"].digest
        return len({adapter for digest, adapter in model.scored if digest == task and adapter})

    still = Settings(personal_epochs=0)
    # Personalized adapters are the global ones where nothing is tuned: one, or one a home, four.
    assert adapters(still) == 1
    assert adapters(replace(still, aggregation="by-domain")) == 4


def test_clients_that_are_left_out_change_nothing(plan: MonitoringPlan, probes: Probes) -> None:
    def bias(settings: Settings) -> float:
        found = federate(run_of(plan, probes, Watched(settings), "strong", Hashing()))
        return float(found.numbers["SF-1"].mean())

    still = Settings(personal_epochs=0)
    assert bias(replace(still, left_out=1.0)) == 0.0
    assert bias(still) != 0.0


def test_settings_of_the_other_tier_are_refused(plan: MonitoringPlan, probes: Probes) -> None:
    for settings in (Settings(shuffled=0.5), Settings(aggregation="exact")):
        with pytest.raises(InputError, match="not of the language-model tier"):
            federate(run_of(plan, probes, Watched(settings), "none", Hashing()))
