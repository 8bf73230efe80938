"""Scores: what counts as found, as false, as wrong, and how late, against the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unsilent_bench.replay.batch import batches
from unsilent_bench.replay.contract import MethodVerdicts
from unsilent_bench.replay.dashboards import ClientSummary, SystemMean
from unsilent_bench.replay.oracle import Oracle
from unsilent_bench.replay.score import in_hindsight, scores, statistics, truths

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN

ROUNDS, MODES = 10, 6


def blank() -> dict[str, np.ndarray]:
    shape = (1, 1, ROUNDS, MODES)
    return {
        "failure": np.zeros(shape, bool),
        "healthy": np.zeros(shape, bool),
    }


def scored(onset: int = 4, **flags: np.ndarray):
    (batch,) = batches([federation("SF-1", onset=onset)], {"fleet": PLAN})
    score, truth = np.zeros((1, 1, MODES)), batch.truth[:, None]
    (found,) = scores(
        batch, MethodVerdicts(about=truth, score=score, guarded=truth, **flags)
    ).values()
    return found


def test_a_true_failure_is_found_and_its_delay_counts_from_the_truth_s_passing() -> None:
    flags = blank()
    flags["failure"][0, 0, 6:, 0] = True
    found = scored(onset=4, **flags)
    assert found.found[0].tolist() == [True, *[False] * 5]
    assert found.delay[0, 0] == 3.0
    assert np.isnan(found.delay[0, 1:]).all()
    assert found.by_round[0, :, 0].tolist() == [False] * 6 + [True] * 4
    assert not found.false_alarm[0]
    assert not found.wrong[0]


def test_a_failure_before_the_truth_passes_is_a_false_alarm_and_not_found() -> None:
    flags = blank()
    flags["failure"][0, 0, 1, 0] = True
    found = scored(onset=4, **flags)
    assert not found.found.any()
    assert found.false_alarm[0]
    assert found.wrong[0]


def test_an_alarm_in_another_mode_that_is_not_true_is_false() -> None:
    flags = blank()
    flags["failure"][0, 0, 9, 3] = True
    assert scored(**flags).false_alarm[0]


def test_a_truth_within_two_of_its_errors_of_the_tolerance_is_not_clearly_on_either_side() -> None:
    flags = blank()
    flags["failure"][0, 0, 0, 2] = True
    made = federation("SF-1")
    for error, clearly in ((0.04, True), (0.06, False)):
        # The truth of SF-3 is .05, its tolerance .15.
        odd = replace(made, truth_se=np.full_like(made.truth, error))
        (batch,) = batches([odd], {"fleet": PLAN})
        said = MethodVerdicts(about=batch.truth[:, None], score=np.zeros((1, 1, MODES)), **flags)
        (found,) = scores(batch, said).values()
        assert found.wrong[0]
        assert found.clearly[0] == clearly


def test_undue_health_is_wrong_and_no_false_alarm() -> None:
    flags = blank()
    flags["healthy"][0, 0, 9, 0] = True
    found = scored(**flags)
    assert found.clearly[0]
    assert found.wrong[0]
    assert not found.false_alarm[0]
    assert found.last is not None
    assert found.last[0].tolist() == [-1, 0, 0, 0, 0, 0]


def test_the_oracle_finds_all_that_is_there_at_once_and_nothing_else() -> None:
    made = [federation("SF-2", dose, onset=3) for dose in ("none", "strong")]
    (batch,) = batches(made, {"fleet": PLAN})
    healthy, dosed = scores(batch, Oracle().judge(batch, None, 1)).values()
    assert dosed.found[0].tolist() == [False, True, False, False, False, False]
    assert dosed.delay[0, 1] == 0.0
    assert not healthy.found.any()
    assert not (healthy.wrong.any() or dosed.wrong.any())


def with_loss(dose: str, seed: int, loss: float):
    made = federation("SF-1", dose, seed, clients=20)
    numbers = dict(made.numbers)
    numbers["loss"] = np.full_like(numbers["loss"], loss)
    return replace(made, numbers=numbers)


def test_the_best_threshold_in_hindsight_lies_just_above_the_look_alikes() -> None:
    made = [with_loss("none", seed, 0.40 + 0.01 * seed) for seed in range(5)]
    made += [with_loss("strong", seed, 0.425 + 0.01 * seed) for seed in range(5)]
    (batch,) = batches(made, {"fleet": PLAN})
    shown = {
        name: {"loss": values["loss"]}
        for name, values in statistics(batch, SystemMean().judge(batch, None, 1)).items()
    }
    ids = [each.federation for each in made]
    found, threshold = in_hindsight(ids[5:], ids[:5], shown, truths(batch))
    assert threshold.statistic == "loss"
    assert threshold.value == pytest.approx(0.44)
    # Strong ones are at .425 .435 .445 .455 .465: three of five lie above, in the first round.
    assert sum(found[name].found[0, 0] for name in ids[5:]) == 3
    assert not any(found[name].false_alarm[0] for name in ids[:5])


def test_system_means_weigh_clients_by_their_examples() -> None:
    made = federation("SF-1", clients=2, rounds=1)
    numbers = dict(made.numbers)
    numbers["loss"] = np.array([[0.2, 0.8]], np.float32)
    numbers["accuracy"] = np.array([[0.9, 0.5]], np.float32)
    numbers["examples"] = np.array([[30, 10]], np.float32)
    (batch,) = batches([replace(made, numbers=numbers)], {"fleet": PLAN})
    shown = SystemMean().judge(batch, None, 1).statistics
    assert shown["loss"][0, 0] == pytest.approx(0.35)
    assert shown["accuracy"][0, 0] == pytest.approx(-0.8)


def test_the_client_summary_shows_the_worst_tenth_of_those_who_took_part() -> None:
    made = federation("SF-1", clients=21, rounds=1)
    numbers = {name: values.copy() for name, values in made.numbers.items()}
    numbers["accuracy"][0] = np.arange(21) / 20
    for values in numbers.values():
        values[0, 0] = np.nan
    (batch,) = batches([replace(made, numbers=numbers)], {"fleet": PLAN})
    shown = ClientSummary().judge(batch, None, 1).statistics
    assert shown["worst tenth of accuracy"][0, 0] == pytest.approx(-(0.05 + 0.10) / 2)
    assert shown["decile 5 of accuracy"][0, 0] == pytest.approx(-0.525)
