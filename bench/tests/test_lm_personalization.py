"""The language-model tier under each personalization, with a model small enough to follow."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.lm.answers import Answers
from unsilent_bench.lm.federation import federate
from unsilent_bench.lm.probes import Universes
from unsilent_bench.lm.training import Run
from unsilent_bench.scenarios import SCENARIOS
from unsilent_bench.traces.federation import Federation

from bench.tests.lm_maker import WIDTH, Hashing, small_plan, small_universes
from unsilent.items import ItemSet
from unsilent.models import Adapter, Training, TrainingReport
from unsilent.models.personalization import method_of
from unsilent.plan import MonitoringPlan

A, B = "3.q.lora_A", "4.q.lora_B"


class Halves(Hashing):
    """The same, its weights the sum of two halves, of which methods share one or the other.

    Attributes:
        begun: Every adapter that training began from, in turn.
    """

    digest = "sha256:halves"

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Adapter] = []

    def new_adapter(self, seed: int) -> Adapter:
        return Adapter(self.digest, {A: np.zeros(WIDTH, np.float32), B: np.zeros(WIDTH)})

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        self.begun.append(adapter)
        trained, report = super().train(_summed(adapter), records, training)
        moved = (trained.tensors["w"] - _summed(adapter).tensors["w"]) / 2
        ends = {name: tensor + moved for name, tensor in adapter.tensors.items()}
        if training.towards is not None:
            share = np.float32(training.pull / (1 + training.pull))
            ends = {n: end + share * (training.towards[n] - end) for n, end in ends.items()}
        return Adapter(self.digest, ends), report

    def score(self, items: ItemSet, adapter: Adapter | None) -> np.ndarray:
        return super().score(items, None if adapter is None else _summed(adapter))


def _summed(adapter: Adapter) -> Adapter:
    return Adapter(Hashing.digest, {"w": adapter.tensors[A] + adapter.tensors[B]})


@pytest.fixture(scope="module")
def plan() -> MonitoringPlan:
    return small_plan()


@pytest.fixture(scope="module")
def probes() -> Universes:
    return small_universes()


def trained(
    plan: MonitoringPlan, probes: Universes, name: str, **options: float
) -> tuple[Federation, Halves]:
    model, method = Halves(), method_of(name, options)
    scenario = SCENARIOS["group-skew"]
    found = federate(
        Run(scenario, "strong", 3, plan, model, probes, Answers(model), "development", method)
    )
    return found, model


def test_what_is_shared_is_the_same_for_all_and_what_stays_differs(
    plan: MonitoringPlan, probes: Universes
) -> None:
    clients = plan.federation.clients
    for name, shared in (("fedsa", {A}), ("fedper", {A}), ("local", set()), ("fine-tune", {A, B})):
        _, model = trained(plan, probes, name)
        # Of the second round, which begins from the first one's end.
        second = model.begun[clients : 2 * clients]
        for part in (A, B):
            different = len({each.tensors[part].tobytes() for each in second})
            assert different == (1 if part in shared else clients), (name, part)


def test_what_stays_needs_no_tuning_and_the_global_adapter_does(
    plan: MonitoringPlan, probes: Universes
) -> None:
    local = plan.federation.rounds * plan.federation.clients
    for name, tuned in (("fedsa", 0), ("local", 0), ("fedper", 0), ("fine-tune", 1), ("ditto", 2)):
        _, model = trained(plan, probes, name)
        # Ditto's own goes on in each round, the tuned one is made of the last global one alone.
        assert len(model.trained) == local + tuned * plan.federation.clients, name


def test_each_is_measured_on_its_own_model(plan: MonitoringPlan, probes: Universes) -> None:
    found = {
        name: trained(plan, probes, name)[0].numbers["SF-1"]
        for name in ("fine-tune", "ditto", "fedsa", "local")
    }
    assert all(np.isfinite(values).all() for values in found.values())
    assert len({values.tobytes() for values in found.values()}) == len(found)


def test_dittos_pull_goes_from_trained_alone_to_the_global_adapter(
    plan: MonitoringPlan, probes: Universes
) -> None:
    def apart(weight: float) -> float:
        """How far what a client answers is from what the global adapter answers."""
        found, _ = trained(plan, probes, "ditto", **{"lambda": weight})
        return float(np.abs(found.numbers["personal_loss"] - found.numbers["loss"]).max())

    assert apart(1e6) < 1e-4 < apart(0.0)
