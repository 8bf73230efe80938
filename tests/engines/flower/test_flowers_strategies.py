"""Each of Flower's strategies and wrappers does with the line what it does without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flwr.serverapp.strategy as flower
import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg, Strategy
from flwr.supercore.privacy_accounting import NeighboringRelation, PrivacyConfig, SamplingMethod

from tests.engines.flower.compared import NODES, ROUNDS, outcome
from tests.engines.flower.in_process import enter_run
from tests.engines.flower.small_app import said


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "FedAvg": FedAvg,
    "FedAvgM": lambda: flower.FedAvgM(server_momentum=0.5, server_learning_rate=0.5),
    "FedProx": lambda: flower.FedProx(proximal_mu=0.1),
    "FedAdam": flower.FedAdam,
    "FedAdagrad": flower.FedAdagrad,
    "FedYogi": flower.FedYogi,
    "FedMedian": flower.FedMedian,
    "FedTrimmedAvg": lambda: flower.FedTrimmedAvg(beta=0.25),
    "Krum": lambda: flower.Krum(num_malicious_nodes=1),
    "MultiKrum": lambda: flower.MultiKrum(num_malicious_nodes=1, num_nodes_to_select=2),
    "Bulyan": lambda: flower.Bulyan(num_malicious_nodes=0),
    "QFedAvg": lambda: flower.QFedAvg(client_learning_rate=0.1),
    "FedXgbBagging": flower.FedXgbBagging,
    "FedXgbCyclic": flower.FedXgbCyclic,
}


NO_FINDINGS = {
    "FedXgbCyclic": "1 clients are there",
    # What the clients return are no trees, with the line or without.
    "FedXgbBagging": "(JSONDecodeError) ended it after round 1",
}


class Counted:
    """An accountant that counts what it is told."""

    config = PrivacyConfig(
        target_delta=1e-5,
        population_size=NODES,
        neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE,
        sampling_method=SamplingMethod.NO_AMPLIFICATION,
    )

    def __init__(self) -> None:
        self.num_releases = 0

    def compose(self, event: Any, count: int = 1) -> None:
        self.num_releases += count

    def get_privacy_spent(self) -> Any:
        return SimpleNamespace(epsilon=1.0, delta=1e-5, num_releases=self.num_releases)


def accounted(strategy: Strategy) -> Strategy:
    counted: Any = Counted()
    return flower.DifferentialPrivacyServerSideFixedClipping(
        strategy, 1.0, 1.0, NODES, accountant=counted
    )


WRAPPERS: dict[str, Callable[[Strategy], Strategy]] = {
    "server, fixed": lambda s: flower.DifferentialPrivacyServerSideFixedClipping(s, 1, 1, NODES),
    "client, fixed": lambda s: flower.DifferentialPrivacyClientSideFixedClipping(s, 1, 1, NODES),
    "server, adaptive": lambda s: flower.DifferentialPrivacyServerSideAdaptiveClipping(
        s, 0.1, NODES
    ),
    "client, adaptive": lambda s: flower.DifferentialPrivacyClientSideAdaptiveClipping(
        s, 0.1, NODES
    ),
    "accounted": accounted,
}


def test_all_that_flower_has_are_tried() -> None:
    kinds = {type(make()) for make in STRATEGIES.values()}
    kinds |= {type(wrap(FedAvg())) for wrap in WRAPPERS.values()}
    named = {getattr(flower, name) for name in flower.__all__}
    assert kinds == named - {flower.Strategy, flower.Result}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_runs_as_without_the_line(name: str, tmp_path: Path) -> None:
    first = np.zeros(3, np.uint8 if "Xgb" in name else np.float32)

    def found(monitored: bool) -> Any:
        folder = tmp_path / str(monitored)
        return outcome(
            lambda line: line(STRATEGIES[name]()), folder, monitored=monitored, first=first
        )

    assert found(True) == found(False)
    assert NO_FINDINGS.get(name, "findings") in said(tmp_path / "True" / "run")[ROUNDS]


NESTED: dict[str, Callable[[Any, Any, Strategy], Any]] = {
    "around": lambda line, wrap, strategy: line(wrap(strategy)),
    "inside": lambda line, wrap, strategy: wrap(line(strategy)),
    "both": lambda line, wrap, strategy: line(wrap(line(strategy))),
    "twice": lambda line, wrap, strategy: line(line(wrap(strategy))),
}


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_runs_as_without_the_line(name: str, nested: str, tmp_path: Path) -> None:
    def found(monitored: bool) -> Any:
        return outcome(
            lambda line: NESTED[nested](line, WRAPPERS[name], FedAvg()),
            tmp_path / str(monitored),
            monitored=monitored,
        )

    assert found(True) == found(False)
    assert said(tmp_path / "True" / "run") == {ROUNDS: "findings"}


def test_a_wrapper_refuses_what_it_refused(tmp_path: Path) -> None:
    """Flower accounts for plain averages alone, by a look at the class."""
    refused = outcome(lambda line: line(FedAvg()), tmp_path / "a", monitored=True, use=_accounted)
    assert refused == outcome(
        lambda s: s(FedAvg()), tmp_path / "b", monitored=False, use=_accounted
    )
    for monitored in (True, False):
        with pytest.raises(ValueError, match=r"FedAvg\.aggregate_train"):
            outcome(
                lambda line: accounted(line(flower.FedAdam())),
                tmp_path / f"c{monitored}",
                monitored=monitored,
            )


def _accounted(strategy: Any, grid: Any, arrays: Any) -> Any:
    wrapped = accounted(strategy)
    wrapped.start(grid, arrays, num_rounds=ROUNDS)
    return wrapped.privacy_spent().num_releases  # type: ignore[attr-defined]
