"""The search's worlds: released as the product would, and what is called true is true."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.verdicts.adversary.asked import Probes
from unsilent_bench.verdicts.adversary.gaps import Gaps
from unsilent_bench.verdicts.adversary.genes import TYPES, Genome, Side, child, fresh, length
from unsilent_bench.verdicts.adversary.judged import controlled, judge
from unsilent_bench.verdicts.adversary.play import Stage
from unsilent_bench.verdicts.adversary.records import Records
from unsilent_bench.verdicts.adversary.variants import own_forms, variants
from unsilent_bench.verdicts.own_method import releases

from unsilent.inference.judge import judge_rounds
from unsilent.modes.scores import paired_difference
from unsilent.modes.sf2_confidence_miscalibration import growth_spread, squared_gap
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread
from unsilent.plan import MonitoringPlan
from unsilent.release import Release
from unsilent.taxonomy import by_code

OWN = {each.name: each for each in own_forms()}


def plan_of(name: str, **monitor: str) -> MonitoringPlan:
    plan = OWN[name].plan
    assert plan is not None
    return plan.model_copy(update={"monitor": plan.monitor.model_copy(update=monitor)})


def as_they_are(name: str) -> MonitoringPlan:
    """The plan with items that all are asked and that are spoken of as they are."""
    plan = plan_of(name, items="these")
    return plan.model_copy(update={"probes": plan.probes.model_copy(update={"sampling": "same"})})


def stages(plan: MonitoringPlan, side: Side, count: int, seed: int = 1) -> list[Stage]:
    generator = np.random.default_rng(seed)
    return [Stage(plan, fresh(len(plan.planned), side, generator)) for _ in range(count)]


def goal(stage: Stage) -> float:
    mode = stage.plan.mode(by_code(stage.plan.planned[stage.target]).mode)
    assert mode is not None
    return mode.tolerance


@pytest.mark.parametrize("population", ["enrolled", "like-these"])
@pytest.mark.parametrize("items", ["these", "like-these"])
def test_the_target_lies_on_the_wrong_side_of_its_tolerance(population: str, items: str) -> None:
    plan = plan_of("plans/lm", population=population, items=items)
    sides: tuple[tuple[Side, int], ...] = (("failure", -1), ("healthy", 1))
    for side, sign in sides:
        near = 0
        for stage in stages(plan, side, 30):
            truth = stage.play(2, np.random.default_rng(1)).simulation.truth[..., stage.target]
            off = float(truth.mean()) / goal(stage) - 1
            # Probes that carry too little cannot bring a mode beyond the tolerance.
            if side == "failure":
                assert sign * off > -1e-9
            near += abs(off) < 0.1
        assert near > 15


def test_sums_are_those_of_the_layout_over_the_clients_there() -> None:
    plan = as_they_are("plans/lm")
    for stage in stages(plan, "failure", 5):
        played = stage.play(400, np.random.default_rng(2))
        totals = played.simulation.totals[:, 0]
        noise_sd = np.sqrt(played.simulation.noise_variance[0])
        numbers = {name: stage.numbers()[name].reshape(-1) for name in stage.layout.inputs}
        vectors = [
            stage.layout.encode({name: float(each[client]) for name, each in numbers.items()})
            for client in range(plan.federation.clients)
        ]
        clean = np.sum(vectors, axis=0)
        assert np.abs(totals.mean(axis=0) - clean).max() < 5 * noise_sd / 20
        assert totals.std() > 0


def test_truth_of_the_enrolled_is_the_mean_of_their_limited_numbers() -> None:
    plan = as_they_are("plans/lm")
    for stage in stages(plan, "healthy", 8):
        truth = stage.play(3, np.random.default_rng(3)).simulation.truth
        for place, code in enumerate(plan.planned):
            mode = plan.mode(by_code(code).mode)
            assert mode is not None
            limited = np.clip(stage.numbers()[code], -mode.clip, mode.clip)
            assert truth[0, 0, place] == pytest.approx(float(limited.mean()), abs=1e-12)


@pytest.mark.parametrize("population", ["enrolled", "like-these"])
def test_what_is_said_is_what_judge_rounds_says(population: str) -> None:
    plan = plan_of("plans/fleet", population=population)
    generator = np.random.default_rng(4)
    for side in ("failure", "healthy"):
        stage = Stage(plan, fresh(len(plan.planned), side, generator))
        played = stage.play(2, generator)
        said = judge(played, stage.control)
        _compare(plan, stage, played, said, 1)


def _compare(plan, stage, played, said, repetition) -> None:  # type: ignore[no-untyped-def]
    simulation = played.simulation
    sums = [
        Release(each.layout, number, each.clients, each.vector, each.noise_variance)
        for number, each in zip(
            plan.monitoring_rounds, releases(simulation, repetition), strict=True
        )
    ]
    failure = healthy = missed = False
    for look in range(1, len(sums) + 1):
        findings = judge_rounds(controlled(plan, stage.control), simulation.layout, sums[:look])
        for place, code in enumerate(plan.planned):
            finding = next(each for each in findings if each.code == code)
            tolerance = float(finding.tolerance or 0.0)
            for window in finding.windows:
                inside = [
                    at
                    for at, number in enumerate(plan.monitoring_rounds)
                    if window.first <= number <= window.last
                ]
                truth = np.average(
                    simulation.truth[repetition, inside, place], weights=simulation.clients[inside]
                )
                low, high = window.interval
                failure |= bool(low > tolerance and truth <= tolerance + 1e-9)
                missed |= bool(truth < low - 1e-9 or truth > high + 1e-9)
                beyond = truth >= tolerance - 1e-9
                healthy |= bool(finding.verdict == "healthy" and high < tolerance and beyond)
    assert (failure, healthy, missed) == (
        said.failure[repetition],
        said.healthy[repetition],
        said.missed[repetition],
    )


def _genome(plan: MonitoringPlan, **genes: float) -> Genome:
    """All genes in the middle but those named."""
    blank = Genome(np.full(length(len(plan.planned)), 0.5), len(plan.planned), "healthy")
    for name, value in genes.items():
        blank.raw(name)[...] = value
    return blank


def test_few_items_give_the_spread_that_the_mode_computes() -> None:
    plan = plan_of("bench/lm", items="like-these")
    genome = _genome(plan, jump=1.0, rare=0.1, scatter=0.0, own=0.0)
    probes = Probes(plan, genome, plan.planned.index("SF-1"))
    types = np.zeros((200, 3), dtype=np.int64)
    drawn = probes.draw(types, types, np.random.default_rng(5))
    values, spreads = drawn.at(np.full((200, 3), 0.02), 0)
    items = plan.probes.size("bias")
    # Carriers are counted from a client who drew none; some client has to.
    assert spreads.ravel()[values.argmin()] == 0.0
    counts = set()
    for value, spread in zip(values.ravel(), spreads.ravel(), strict=True):
        carriers = round((value - values.min()) * items / 2)
        change = np.zeros(items)
        change[:carriers] = 2.0
        counts.add(carriers)
        assert spread == pytest.approx(paired_difference(change, 0 * change, bound=2.0)[1])
    assert len(counts) > 2


@pytest.mark.parametrize("sampling", ["same", "matrix"])
def test_clients_draw_their_own_items_of_one_bank_in_each_round(sampling: str) -> None:
    plan = plan_of("bench/lm", items="like-these")
    plan = plan.model_copy(update={"probes": plan.probes.model_copy(update={"sampling": sampling})})
    genome = _genome(plan, jump=1.0, rare=0.9, scatter=0.0, own=0.0)
    probes = Probes(plan, genome, plan.planned.index("SF-6"))
    types = np.zeros((2000, 6), dtype=np.int64)
    drawn = probes.draw(types, types, np.random.default_rng(6))
    first, second = (drawn.at(np.zeros(types.shape), moment)[0] for moment in (0, 1))
    between = float(np.var(first.mean(axis=1)) * len(first) / (len(first) - 1))
    one = float(first.var())
    assert drawn.redrawn == (sampling == "matrix")
    if sampling == "same":
        assert (first == first[:, :1]).all() and (first == second).all()
        return
    part = plan.probes.size("harmful") / plan.bank("harmful")
    # Lord 1962: what the bank adds is shared, the rest is each client's own.
    assert between == pytest.approx(one * (part + (1 - part) / 6), rel=0.1)
    together = np.corrcoef(first[:, 0], second[:, 0])[0, 1]
    assert together == pytest.approx(part, abs=0.08)


def test_numbers_drawn_mean_what_is_expected_of_them() -> None:
    every = [OWN[name] for name in ("plans/lm", "bench/lm", "bench/fleet")]
    every += [each for each in variants() if each.name == "bench/lm" and "bank" in each.changed]
    for each in every:
        assert each.plan is not None
        for stage in stages(each.plan, "failure", 4, seed=6):
            for code in each.plan.planned:
                numbers, expected = stage.drawn(code, 400, np.random.default_rng(7))
                high = next(c.clip for c in stage.layout.coordinates if c.name == code)
                # Limiting comes after: a mean of numbers that chance takes beyond is not asked.
                inside = (expected < high - 1e-9).all(axis=0) & (expected > -high + 1e-9).all(
                    axis=0
                )
                if not inside.any():
                    continue
                error = (numbers - expected)[:, inside].mean(axis=1)
                assert abs(error.mean()) < 5 * error.std() / 20 + 2e-4, (each, code)


def test_gaps_are_measured_as_the_mode_does() -> None:
    plan = plan_of("bench/lm", items="like-these")
    gaps = Gaps(plan, _genome(plan, reference=0.7), plan.planned.index("SF-2"))
    items, kind = 80, np.zeros(80, dtype=np.int64)
    old, new = np.ones(items), np.ones(items)
    old[:30] = 0.0
    new[4:37] = 0.0
    counts = [((old == a) & (new == b)).sum() for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))]
    before, after = 0.12, -0.2
    shares = np.asarray(0.6), np.asarray(0.55)
    value, spread = gaps.measured(
        np.asarray(before), np.asarray(after), np.array(counts, dtype=float)[:, None], shares
    )
    first, second = before + 0.6 - old, after + 0.55 - new
    expected = squared_gap(second, kind) - squared_gap(first, kind)
    assert value == pytest.approx(expected)
    assert spread == pytest.approx(growth_spread(first, second, kind))


def test_records_are_measured_as_the_mode_does() -> None:
    plan = plan_of("plans/lm", items="like-these")
    records = Records(plan, _genome(plan), plan.planned.index("SF-3"))
    count = plan.federation.held_out
    value, spread = records.measured(np.array(5.0), np.array(2.0))
    assert value == confirmed_loss(5, 2, count)
    assert spread == loss_spread(5, 2, count)


@pytest.mark.parametrize("held_out", [4, 24])
def test_what_is_true_of_records_is_the_expected_confirmed_loss(held_out: int) -> None:
    plan = plan_of("plans/lm", items="like-these")
    federation = plan.federation.model_copy(update={"held_out": held_out})
    plan = plan.model_copy(update={"federation": federation})
    records = Records(plan, _genome(plan, own=1.0), plan.planned.index("SF-3"))
    level = np.broadcast_to(np.array([-0.1, 0.0, 0.05, 0.1]), (20_000, 4))
    drawn = records.draw(*2 * [np.zeros(level.shape, dtype=np.int64)], np.random.default_rng(8))
    found = drawn.at(level, 0)[0]
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - records.expected(level[0])) < 4 * error + 1e-9).all()
    assert drawn.redrawn and (found != drawn.at(level, 1)[0]).any()


def test_courses_cross_the_tolerance_and_stay_near_it() -> None:
    plan, generator = plan_of("plans/fleet"), np.random.default_rng(10)
    crossed = 0
    for _ in range(30):
        stage = Stage(plan, fresh(len(plan.planned), "either", generator))
        truth = stage.play(2, generator).simulation.truth[0, :, stage.target]
        above = truth > goal(stage)
        crossed += int((above[1:] != above[:-1]).sum() > 1)
        # On the tolerance itself both words would be false.
        assert (np.abs(truth - goal(stage)) > 1e-9).all()
    assert crossed > 3


def test_all_modes_at_their_tolerance_are_all_judged() -> None:
    plan = plan_of("plans/lm")
    found = [each for each in stages(plan, "either", 12) if len(each.aimed) > 1]
    assert found
    for stage in found:
        assert stage.aimed == tuple(range(len(plan.planned)))
        truth = stage.play(2, np.random.default_rng(1)).simulation.truth[0, 0]
        modes = [plan.mode(by_code(code).mode) for code in plan.planned]
        near = [
            abs(value / mode.tolerance - 1) < 0.1
            for value, mode in zip(truth, modes, strict=True)
            if mode is not None
        ]
        assert sum(near) >= 3


def test_what_has_no_noise_gets_none() -> None:
    changed = (each for each in variants() if each.changed == "unit none")
    quiet = [each for each in changed if each.name == "plans/lm" and each.plan is not None]
    assert {each.clients for each in quiet} >= {3, 5, 8}
    assert quiet[0].plan is not None
    stage = stages(quiet[0].plan, "failure", 1)[0]
    same = [stage.play(1, np.random.default_rng(1)).simulation.totals for _ in range(2)]
    assert (same[0] == same[1]).all()
    assert stage.play(1, np.random.default_rng(1)).simulation.noise_variance.max() == 0


def test_attendance_keeps_to_what_the_plan_reckons_with() -> None:
    seen: set[str] = set()
    sampled = (each for each in variants() if each.participation < 1 and "lm" in each.name)
    for each in [*OWN.values(), *sampled]:
        if each.plan is None:
            continue
        for stage in stages(each.plan, "failure", 12):
            seen.add(stage.attendance.kind)
            simulation = stage.play(2, np.random.default_rng(8)).simulation
            assert simulation.clients.min() >= each.plan.monitor.min_cohort
            assert simulation.clients.max() <= each.plan.taking_part
    assert seen == {"everyone", "drop-outs", "late"}


def test_children_are_worlds_and_their_mothers_stay() -> None:
    generator = np.random.default_rng(9)
    mother, father = (fresh(6, "failure", generator) for _ in range(2))
    kept = mother.genes.copy()
    children = [child(mother, father, generator) for _ in range(50)]
    assert (mother.genes == kept).all()
    assert all(((each.genes >= 0) & (each.genes <= 1)).all() for each in children)
    assert sum((each.genes != kept).any() for each in children) > 40
    assert children[0].shares.shape == (TYPES,)


def test_variants_that_plan_check_refuses_say_why() -> None:
    every = list(variants())
    assert {each.clients for each in every} >= {3, 5, 8, 16, 32, 128}
    few = [each for each in every if each.name == "plans/starter" and each.clients in (3, 8)]
    few = [each for each in few if each.population == "enrolled" and not each.changed]
    refused = [each.refused for each in few if each.plan is None]
    assert refused and all(refused)
    assert len(refused) < len(few)


def test_spreads_are_attacked_where_most_clients_are_beyond_their_clip() -> None:
    changed = [each for each in variants() if each.changed == "small spread clips"]
    assert {each.name for each in changed} >= {"plans/lm", "plans/fleet", "bench/fleet"}
    for each in changed:
        modes = each.data["modes"]
        assert all(
            ("spread_clip" in modes[name]) == (name != "fairness_collapse") for name in modes
        )
