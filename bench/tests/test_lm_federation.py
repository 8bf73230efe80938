"""The language-model tier: who is averaged with whom, and what the truth is read from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unsilent_bench.lm.answers import Answers
from unsilent_bench.lm.federation import federate
from unsilent_bench.lm.probes import Universes
from unsilent_bench.lm.training import Run
from unsilent_bench.scenarios import SCENARIOS
from unsilent_bench.scenarios.base import Scenario, Settings
from unsilent_bench.traces.federation import CLIENT_TRUTHS, Dose

from bench.tests.lm_maker import Hashing, small_plan, small_universes
from unsilent.errors import InputError
from unsilent.items import Item
from unsilent.plan import MonitoringPlan


@pytest.fixture(scope="module")
def plan() -> MonitoringPlan:
    return small_plan()


@pytest.fixture(scope="module")
def probes() -> Universes:
    return small_universes()


def run_of(
    plan: MonitoringPlan, probes: Universes, scenario: Scenario, dose: Dose, model: Hashing
) -> Run:
    return Run(scenario, dose, 3, plan, model, probes, Answers(model), "development")


class Watched(Scenario):
    """Records as in a main scenario, settings as given."""

    name = "watched"
    code = "SF-1"
    cause = look_alike = source = "a test"
    doses = (0.0, 0.3, 0.6, 1.0)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._like = SCENARIOS["group-skew"]

    def train(self, client, texts, round_number, strength) -> tuple[Item, ...]:  # type: ignore[no-untyped-def]
        return self._like.train(client, texts, round_number, strength)

    def settings(self, strength: float) -> Settings:
        return self._settings


def test_a_federation_is_a_trace_with_a_truth_of_its_own(
    plan: MonitoringPlan, probes: Universes
) -> None:
    model = Hashing()
    found = federate(run_of(plan, probes, SCENARIOS["group-skew"], "strong", model))
    assert (found.rounds, found.clients, found.dose) == (1, 6, "strong")
    for code in ("SF-1", "SF-2", "SF-3", "SF-4", "SF-5", "SF-6"):
        assert np.isfinite(found.numbers[code]).all()
    assert found.truth.shape == (1, 6)
    assert np.isfinite(found.truth).all()
    assert (found.truth_se >= 0).all()
    truths = np.stack([found.numbers[name][0] for name in CLIENT_TRUTHS], axis=1)
    assert np.allclose(truths.mean(axis=0), found.truth[0], rtol=1e-5)
    # Where the whole universe is asked nothing is left to chance.
    assert (found.truth_se[0, [0, 1, 4]] == 0).all()
    assert found.truth_se[0, 2] > 0


def test_the_same_seed_gives_the_same_trace(plan: MonitoringPlan, probes: Universes) -> None:
    first, second = (
        federate(run_of(plan, probes, SCENARIOS["group-skew"], "mild", Hashing())) for _ in "ab"
    )
    assert np.array_equal(first.truth, second.truth)
    for name, values in first.numbers.items():
        assert np.array_equal(values, second.numbers[name])


def test_by_domain_gives_each_home_an_adapter_of_its_own(
    plan: MonitoringPlan, probes: Universes
) -> None:
    def adapters(settings: Settings) -> int:
        model = Hashing()
        federate(run_of(plan, probes, Watched(settings), "strong", model))
        bias = probes["bias"].items.digest
        return len({adapter for digest, adapter in model.scored if digest == bias and adapter})

    still = Settings(personal_epochs=0)
    # Personalized adapters are the global ones where nothing is tuned: one, or one a home, four.
    assert adapters(still) == 1
    assert adapters(replace(still, aggregation="by-domain")) == 4


def test_clients_that_are_left_out_change_nothing(plan: MonitoringPlan, probes: Universes) -> None:
    def bias(settings: Settings) -> float:
        found = federate(run_of(plan, probes, Watched(settings), "strong", Hashing()))
        return float(found.numbers["SF-1"].mean())

    still = Settings(personal_epochs=0)
    assert bias(replace(still, left_out=1.0)) == 0.0
    assert bias(still) != 0.0


def test_settings_of_the_other_tier_are_refused(plan: MonitoringPlan, probes: Universes) -> None:
    for settings in (Settings(shuffled=0.5), Settings(aggregation="exact")):
        with pytest.raises(InputError, match="not of the language-model tier"):
            federate(run_of(plan, probes, Watched(settings), "none", Hashing()))


def test_tuning_that_grows_with_the_dose_is_relative_to_the_look_alike(
    plan: MonitoringPlan, probes: Universes
) -> None:
    class Tuned(Watched):
        def settings(self, strength: float) -> Settings:
            return Settings(epochs=4, personal_epochs=1 + round(2 * strength), rate=2.0)

    def trained(dose: Dose) -> set[tuple[int, float]]:
        model = Hashing()
        federate(run_of(plan, probes, Tuned(Settings()), dose, model))
        return {(each.epochs, each.learning_rate) for each in model.trained}

    usual = plan.federation
    local = (usual.epochs, usual.learning_rate)
    assert trained("none") == {local, (usual.personal_epochs, usual.personal_learning_rate)}
    assert trained("strong") == {local, (3 * usual.personal_epochs, usual.personal_learning_rate)}
