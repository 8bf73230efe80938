"""The replay judges as the product does, on what the product releases, and never sees the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unsilent_bench.replay.batch import Batch, batches, for_budget
from unsilent_bench.replay.cells import cells
from unsilent_bench.replay.own_method import LocalDP, NoiseOnMeans, Unsilent, said
from unsilent_bench.replay.power import Enlarged
from unsilent_bench.verdicts.own_method import releases

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from unsilent.inference.judge import judge_rounds
from unsilent.release.accountant import noise_multiplier
from unsilent.release.coordinate import DIFFERING, UNSHOWN
from unsilent.release.layout import Layout

VISIBILITIES = {"silent": 1, "loud": -1, "undetermined": 0}


def batch(*codes: str, dose: str = "strong", **more: object) -> Batch:
    made = [federation(code, dose, **more) for code in codes]  # type: ignore[arg-type]
    (found,) = batches(made, {"fleet": PLAN})
    return found


def test_sums_are_those_of_the_product_s_own_layout() -> None:
    here = batch("SF-3", clients=20, rounds=2, absent=0.3)
    (each,) = here.federations
    # Of those who are asked a share is absent: they are a sample, and its squares are released.
    layout = Layout.from_plan(here.plan)
    columns = {**each.numbers, UNSHOWN: each.unshown, DIFFERING: np.zeros_like(each.unshown)}
    for moment in range(2):
        total = sum(
            layout.encode({name: float(columns[name][moment, i]) for name in layout.inputs})
            for i in np.flatnonzero(each.present[moment])
        )
        assert (here.sums[0, moment] == total).all()
        assert here.clients[moment] == each.present[moment].sum()


def test_only_the_plans_monitoring_rounds_are_released() -> None:
    monitor = PLAN.monitor.model_copy(update={"rounds": (4, 7, 10)})
    plans = {"fleet": PLAN.model_copy(update={"monitor": monitor})}
    (some,) = batches([federation("SF-1", "strong", onset=1)], plans)
    (every,) = batches(some.federations, {"fleet": PLAN})
    few, all_ = (each.simulation(2.0, 50, 1) for each in (some, every))
    assert (np.flatnonzero(few.usable) + 1).tolist() == [4, 7, 10]
    assert all_.usable.all()
    # As much budget on fewer rounds is less noise in each.
    assert few.noise_variance[0] == pytest.approx(all_.noise_variance[0] * 0.3, rel=0.01)
    assert not said(some, few, 50).failure[:, :, [0, 1, 2, 4, 5]].any()
    # Where only the monitored rounds were recorded, all of them are.
    (recorded,) = batches([federation("SF-1", "strong", rounds=3)], plans)
    assert recorded.simulation(2.0, 1, 1).usable.all()


@pytest.mark.parametrize("epsilon", [None, 8.0, 1.0])
def test_verdicts_windows_and_visibility_are_those_of_judge_rounds(epsilon: float | None) -> None:
    here, draws = batch("SF-1", "SF-3", onset=4, absent=0.0), 1 if epsilon is None else 3
    simulation = here.simulation(epsilon, draws, 1)
    mine = said(here, simulation, draws)
    plan = for_budget(here.plan, epsilon)
    seen = set()
    for repetition in range(2 * draws):
        sums = releases(simulation, repetition)
        at = divmod(repetition, draws)
        for look in (1, 5, 10):
            findings = judge_rounds(plan, here.layout, sums[:look])
            for position, finding in enumerate(findings):
                spot = (*at, look - 1, position)
                seen.add(finding.verdict)
                assert mine.failure[spot] == (finding.verdict == "failure")
                assert mine.healthy is not None
                assert mine.healthy[spot] == (finding.verdict == "healthy")
                assert finding.window is not None
                first, last = finding.window
                truth = here.truth[at[0], first - 1 : last, position].mean()
                assert mine.about[spot] == pytest.approx(truth)
                if finding.verdict == "failure" and look == 10:
                    assert mine.visibility is not None
                    assert mine.visibility[(*at, position)] == VISIBILITIES[str(finding.visibility)]
    assert {"failure", "healthy"} <= seen


def test_no_method_s_verdict_depends_on_the_truth() -> None:
    honest = batch("SF-1", clients=128)
    (each,) = honest.federations
    (other,) = batches([replace(each, truth=1 - each.truth)], {"fleet": PLAN})
    for method in (Unsilent(4), LocalDP(), NoiseOnMeans()):
        first, second = (method.judge(here, 2.0, 1) for here in (honest, other))
        assert (first.failure == second.failure).all()
        assert (first.score == second.score).all()


def test_local_dp_has_the_noise_of_as_many_sums_as_there_are_clients() -> None:
    here = batch("SF-1", clients=128)
    central = here.simulation(8.0, 200, 1)
    scores = {method.name: method.judge(here, 8.0, 1).score for method in (Unsilent(40), LocalDP())}
    assert scores["local-dp"].mean() < scores["unsilent"].mean()
    spread = (central.totals - np.repeat(here.sums, 200, axis=0)).std()
    smallest = 121  # of 128, the plan's drop-outs of 5% taken off
    multiplier = noise_multiplier(8.0, 1e-5, 10)
    assert spread == pytest.approx(multiplier * 1024 * np.sqrt(128 / smallest), rel=0.02)


def test_noise_on_means_costs_more_noise_than_one_joint_clip() -> None:
    here = batch("SF-1", clients=128)
    reach = {
        method.name: method.judge(here, 2.0, 1).score.mean(axis=(0, 1))
        for method in (Unsilent(20), NoiseOnMeans())
    }
    assert (reach["noise-on-means"] < reach["unsilent"]).all()


def test_the_noise_of_a_federation_does_not_depend_on_who_else_is_judged() -> None:
    alone, both = batch("SF-1"), batch("SF-1", "SF-4")
    first, second = (each.simulation(2.0, 5, 1).totals[:5] for each in (alone, both))
    assert (first == second).all()
    assert (alone.simulation(2.0, 5, 2).totals != first).any()


def test_twice_the_clients_halve_the_noise_and_keep_the_mean() -> None:
    here = batch("SF-1")
    usual, twice = (here.simulation(2.0, 100, 1, clients=n) for n in (128, 256))
    for simulation in (usual, twice):
        mean = (simulation.totals / simulation.clients[:, None]).mean(axis=(0, 1))
        assert mean == pytest.approx((here.sums / 128).mean(axis=(0, 1)), abs=6)
    noise = [np.sqrt(s.noise_variance[0]) / s.clients[0] for s in (usual, twice)]
    assert noise[1] == pytest.approx(noise[0] / 2, rel=0.02)


def test_the_needed_number_of_clients_reaches_the_bar_and_half_of_it_does_not() -> None:
    made = [federation("SF-4", dose, seed) for dose in ("none", "medium") for seed in (1, 2)]
    cell = next(c for c in cells(batches(made, {"fleet": PLAN})) if c.dose == "medium")
    enlarged = Enlarged(cell, {"fleet": PLAN}, 1)
    needed = enlarged.needed(1.0)
    assert needed is not None
    assert needed > 128
    assert enlarged.point(needed, 1.0).detection >= 0.95
    assert enlarged.point(needed // 2, 1.0).detection < 0.95
