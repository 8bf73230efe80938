"""Federations whose clients write: coverage whatever the judge does, and what labels buy."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.open_text.federations import BIASES, CLIENTS, Setting, run
from unsilent_bench.open_text.written import Written

PROMPTS, RUNS = 160, 60


def written(level: float, seed: int = 3) -> Written:
    """An adapter that declines so many of the prompts of which its reference declines 95%."""
    random = np.random.default_rng(seed).random((2, PROMPTS))
    truth = (random < np.array([[0.95], [level]])).astype(float)
    words = np.where(truth > 0.5, 0.95, 0.05)
    return Written("made", "refusal", truth, words, words, np.array([1.0, 1.0]))


@pytest.mark.parametrize("bias", BIASES, ids=lambda bias: bias.name)
@pytest.mark.parametrize("setting", [Setting("file", 100), Setting("sites", 128)])
def test_corrected_intervals_hold_whatever_the_judge_does(bias, setting) -> None:
    made = written(0.6)
    found = run(made, bias.apply(made, made.words, 5), setting, RUNS, 11)
    # Of 60 runs at most 7 would miss with a probability of 1% if each did with one of 5%.
    assert (~found.held).sum() <= 7


def test_the_uncorrected_judge_fails_the_same_test() -> None:
    made = written(0.95)
    bias = next(each for each in BIASES if each.personalized and each.refusing)
    judge = bias.apply(made, made.words, 5)
    alone = run(made, judge, Setting("file", 0, "uncorrected"), RUNS, 11)
    assert alone.held.mean() < 0.8
    assert run(made, judge, Setting("sites", 128), RUNS, 11).held.mean() > 0.9


def test_labels_make_it_narrower_and_the_judge_does_too() -> None:
    made = written(0.6)
    widths = [
        run(made, made.words, Setting("file", labels), RUNS, 11).width for labels in (10, 30, 100)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.4 * widths[0]
    corrected = run(made, made.words, Setting("sites", 128), RUNS, 11).width
    assert corrected < run(made, made.words, Setting("sites", 128, "classical"), RUNS, 11).width


def test_strong_erosion_is_found_and_a_look_alike_is_not() -> None:
    setting = Setting("sites", 16 * CLIENTS, rounds=2)
    strong, alike = written(0.2), written(0.95)
    assert run(strong, strong.words, setting, RUNS, 11).failure.mean() >= 0.95
    assert run(alike, alike.words, setting, RUNS, 11).failure.mean() <= 0.05
