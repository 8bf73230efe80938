"""A run agrees with its trace if means and truths are near, and only with a trace of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from unsilent_bench.fleet import recording
from unsilent_bench.fleet.check import AGREEMENT, agreement
from unsilent_bench.fleet.recording import FRESH, Job, shipped
from unsilent_bench.scenarios import MAIN, SCENARIOS
from unsilent_bench.traces import write
from unsilent_bench.traces.federation import DOSES

from bench.tests.traces_maker import federation
from unsilent.cli import app
from unsilent.errors import InputError


def test_a_federation_agrees_with_itself() -> None:
    recorded = federation()
    found = agreement(recorded, [recorded])
    assert (found.statistic, found.truth, found.holds) == (0.0, 0.0, True)


def test_a_mean_that_moved_is_told() -> None:
    recorded = federation()
    moved = recorded.numbers["SF-2"] + np.float32(AGREEMENT + 0.01)
    again = replace(recorded, numbers={**recorded.numbers, "SF-2": moved})
    found = agreement(again, [recorded])
    assert found.statistic == pytest.approx(AGREEMENT + 0.01, abs=1e-5)
    assert not found.holds


def test_a_truth_that_moved_is_told() -> None:
    recorded = federation()
    again = replace(recorded, truth=recorded.truth + 2 * AGREEMENT)
    assert not agreement(again, [recorded]).holds


def test_another_federation_or_plan_is_refused() -> None:
    recorded = federation()
    with pytest.raises(InputError, match="not among"):
        agreement(replace(recorded, federation="another"), [recorded])
    with pytest.raises(InputError, match="another monitoring plan"):
        agreement(replace(recorded, plan="sha256:another"), [recorded])


def test_what_ships_is_fresh_and_named_once() -> None:
    jobs = list(shipped())
    assert len({job.name for job in jobs}) == len(jobs)
    assert min(job.seed for job in jobs) >= FRESH
    plain = {
        (j.scenario, j.dose, j.clients, j.seed)
        for j in jobs
        if (j.personalization, j.training) == ("fine-tune", "plain")
    }
    wanted = {
        (name, dose, 128, seed)
        for name in MAIN
        for dose in DOSES
        for seed in range(FRESH, FRESH + 20)
    }
    wanted |= {
        (name, dose, 256, seed)
        for name in MAIN
        for dose in ("none", "strong")
        for seed in range(FRESH, FRESH + 3)
    }
    assert wanted <= plain
    assert {job.scenario for job in jobs} == {n for n, s in SCENARIOS.items() if "fleet" in s.tiers}


def test_a_job_is_named_by_all_that_makes_it() -> None:
    job = Job("obedience", "strong", 128, 101, "ditto", "dp-sgd:8")
    assert job.name == "fleet-obedience-strong-128-s101-ditto-dp-sgd-8"


@pytest.mark.parametrize(("moved", "code"), [(0.0, 0), (2 * AGREEMENT, 1)])
def test_the_command_fails_where_a_rerun_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moved: float, code: int
) -> None:
    recorded = federation()
    write(tmp_path, [recorded])
    again = replace(recorded, truth=recorded.truth + moved)
    monkeypatch.setattr(recording, "record", lambda jobs, out, progress, share: (again,))
    found = CliRunner().invoke(app, ["bench", "run", "--check", "--traces", str(tmp_path)])
    assert found.exit_code == code
    assert f"{moved:.4f}" in found.stdout
