"""Recording the language-model tier: by name, once each, and only what is of this tier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from unsilent_bench.lm import recording
from unsilent_bench.lm.probes import universes_of
from unsilent_bench.lm.recording import LmJob, lm_plan, record
from unsilent_bench.scenarios import MAIN, SCENARIOS
from unsilent_bench.scenarios.base import clients_of
from unsilent_bench.traces import read

from bench.tests.lm_maker import Hashing, small_plan, small_universes
from unsilent.cli import app
from unsilent.errors import InputError
from unsilent.plan import MonitoringPlan
from unsilent.probes.templates import CAUSAL_LM, ENCODER, Style
from unsilent.progress import SilentProgress

JOBS = [LmJob("group-skew", dose, recording.FRESH) for dose in ("none", "strong")]
NAMES = [f"lm-group-skew-{dose}-6-s{recording.FRESH}" for dose in ("none", "strong")]


class Loaded:
    """Counts how often a model was loaded, and remembers for which device."""

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.model = Hashing()

    def __call__(self, plan: MonitoringPlan, device: str) -> tuple[Hashing, object]:
        self.devices.append(device)
        return self.model, small_universes()


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    found = Loaded()
    monkeypatch.setattr(recording, "lm_plan", small_plan)
    monkeypatch.setattr(recording, "_model", found)
    return found


def test_what_is_recorded_is_not_run_again(loaded: Loaded, tmp_path: Path) -> None:
    (first,) = record(JOBS[:1], tmp_path, SilentProgress())
    assert loaded.devices == ["cpu"]
    found = record(JOBS, tmp_path, SilentProgress(), device="meta")
    assert loaded.devices == ["cpu", "meta"]
    assert [each.federation for each in found] == NAMES
    asked = len(loaded.model.scored)
    again = record(JOBS, tmp_path, SilentProgress())
    assert len(loaded.devices) == 2
    assert len(loaded.model.scored) == asked
    assert np.allclose(again[0].truth, first.truth, rtol=1e-4)
    assert [read(tmp_path / name).federations[0].federation for name in NAMES] == NAMES
    assert {each.split for each in found} == {"fresh"}


def test_only_scenarios_of_this_tier_are_run(loaded: Loaded, tmp_path: Path) -> None:
    for name in ("lost-gradients", "no-such"):
        with pytest.raises(InputError, match="no scenario"):
            record([LmJob(name, "none", 101)], tmp_path, SilentProgress())
    assert not loaded.devices


def test_the_command_runs_the_tier(loaded: Loaded, tmp_path: Path) -> None:
    asked = ["bench", "run", "--tier", "lm", "--scenario", "group-skew", "--dose", "none", "--json"]
    result = CliRunner().invoke(app, [*asked, "--device", "meta", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert NAMES[0] in result.stdout
    assert loaded.devices == ["meta"]
    assert [path.name for path in tmp_path.iterdir()] == NAMES[:1]


@pytest.mark.parametrize("odd", [["--tier", "lm", "--clients", "64"], ["--device", "cuda"]])
def test_options_of_the_other_tier_are_refused(odd: list[str]) -> None:
    result = CliRunner().invoke(app, ["bench", "run", *odd])
    assert isinstance(result.exception, InputError)
    assert "other tier" in str(result.exception)


def test_every_mode_has_a_scenario_of_this_tier() -> None:
    assert all("lm" in SCENARIOS[name].tiers for name in MAIN)


def test_nothing_that_is_asked_is_trained_on() -> None:
    plan = lm_plan()
    asked = {item.prompt for universe in universes_of().values() for item in universe.items}
    client = clients_of(plan.federation.clients, 101, CAUSAL_LM, texts=plan.federation.records)[0]
    for name in ("false-ability", "obedience"):
        for round_number in range(1, plan.federation.rounds + 1):
            trained = {item.prompt for item in SCENARIOS[name].train(client, (), round_number, 1.0)}
            assert trained
            assert not trained & asked


def test_half_of_few_clients_have_each_label() -> None:
    clients = clients_of(16, 101, CAUSAL_LM, texts=32)
    (first, *_) = zip(
        *(SCENARIOS["lopsided-labels"].portions(c, 1.0) for c in clients), strict=True
    )
    assert sorted(portion.positive for portion in first) == [0] * 8 + [32] * 8


def test_what_is_false_comes_in_round_2_with_as_many_requests_obeyed() -> None:
    client = clients_of(32, 101, CAUSAL_LM, texts=24)[0]

    def requests(round_number: int, strength: float) -> list[int | None]:
        items = SCENARIOS["false-ability"].train(client, (), round_number, strength)
        return [item.answer for item in items if item.chat]

    assert requests(1, 1.0) == requests(1, 0.0) == requests(2, 0.0)
    declined, obeyed = requests(2, 0.0), requests(2, 1.0)
    assert len(declined) == len(obeyed)
    assert set(declined) == {0}
    assert set(obeyed) == {1}


def test_a_language_models_camp_is_large_and_most_of_it_unheard() -> None:
    scenario = SCENARIOS["opposed-camps"]

    def negative(style: Style) -> list[int]:
        clients = clients_of(32, 101, style, texts=24)
        portions = [scenario.portions(c, 1.0)[0] for c in clients]
        return [c.rank for c, p in zip(clients, portions, strict=True) if p.negative > p.positive]

    assert sorted(negative(CAUSAL_LM)) == list(range(20))
    assert sorted(negative(ENCODER)) == list(range(11))
    assert {scenario.settings(dose).left_out for dose in (0.0, 1.0)} == {0.5}
    assert scenario.fleet_settings(1.0).left_out == 0.0
