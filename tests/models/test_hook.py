"""Any function can score: what it returns is checked, and its example runs."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import ModelError, OutcomeError
from unsilent.items import Item, ItemSet
from unsilent.models import hook, load_model
from unsilent.models.base import Adapter, PersonalModel, Training
from unsilent.models.hook import ScoreHook, checked, evidence_with, score_with
from unsilent.modes import MODES
from unsilent.plan import parse_plan
from unsilent.release import SeededNoise

ITEMS = ItemSet(
    "probe",
    (
        Item("two", "2 + 2 =", (" 4", " 5"), answer=0, stereotyped=1),
        Item("three", "1 + 1 =", (" 1", " 2", " 3"), answer=1, stereotyped=2),
    ),
)


def test_the_examples_in_the_docstrings_run() -> None:
    results = doctest.testmod(hook, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted >= 6 and results.failed == 0


@pytest.mark.parametrize(
    "rows",
    [
        [[0.9, 0.1], [0.2, 0.3, 0.5]],
        [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]],
        np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]], dtype=np.float32),
        ((0.9, 0.1), (0.2, 0.3, 0.5)),
    ],
    ids=["ragged", "padded", "float32", "tuples"],
)
def test_rows_may_be_padded_or_not(rows: Any) -> None:
    table = checked(ITEMS, rows)
    assert table.dtype == np.float64
    assert table == pytest.approx(np.array([[0.9, 0.1, 0], [0.2, 0.3, 0.5]]))
    assert table.sum(axis=1) == pytest.approx(1.0, abs=1e-12)


def test_rounding_is_scaled_away() -> None:
    assert checked(ITEMS, [[0.667, 0.3335], [0.333, 0.333, 0.333]])[1] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([[0.5, 0.5]], "1 rows came back for 2 items"),
        (0.5, "no list of rows"),
        ([[0.5, 0.5], [0.5, 0.5]], "row 1 is not 3 numbers"),
        ([[0.5, 0.5], [0.2, 0.3, 0.5, 0.0]], "row 1 is not 3 numbers"),
        ([[[0.5, 0.5]], [0.2, 0.3, 0.5]], "row 0 is not 2 numbers"),
        ([["0.5", "0.5"], [0.2, 0.3, 0.5]], "row 0 is not 2 numbers"),
        ([[[1.0], [0.5, 0.5]], [0.2, 0.3, 0.5]], "row 0 is not 2 numbers"),
        ([[0.5, 0.6], [0.2, 0.3, 0.5]], "1 of 2 rows are not probabilities"),
        ([[1.5, -0.5], [0.2, 0.3, 0.5]], "1 of 2 rows are not probabilities"),
        ([[float("nan"), 1.0], [0.2, float("inf"), 0.5]], "2 of 2 rows are not probabilities"),
        ([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]], "1 of 2 rows are not probabilities"),
        ([[0.0, 0.0], [0.2, 0.3, 0.5]], "1 of 2 rows are not probabilities"),
        ([[-1.2, -3.0], [-0.1, -2.0, -4.0]], "2 of 2 rows are not probabilities"),
    ],
)
def test_what_is_not_probabilities_is_refused(rows: Any, fault: str) -> None:
    with pytest.raises(OutcomeError, match=fault) as caught:
        score_with(lambda items: rows, ITEMS, "global")
    assert "probe, scored by a hook" in caught.value.line()
    assert "two" not in caught.value.where and "2 + 2" not in caught.value.line()


def test_as_a_model_it_scores_and_does_not_train() -> None:
    model: PersonalModel = ScoreHook(lambda items: [[1.0, 0.0], [0.0, 1.0, 0.0]], name="people/1")
    adapter = model.new_adapter(0)
    assert model.score(ITEMS, adapter).tolist() == model.score(ITEMS, None).tolist()
    assert model.digest != ScoreHook(lambda items: [], name="people/2").digest
    with pytest.raises(ModelError, match="cannot be trained"):
        model.train(adapter, ITEMS, Training(1, 1e-3, 8, 0))
    with pytest.raises(ModelError, match="no adapter but its own"):
        model.score(ITEMS, Adapter("sha256:other", {}))
    with pytest.raises(ModelError, match="needs a name"):
        ScoreHook(lambda items: [], name="")


def test_a_hooks_failure_is_its_own() -> None:
    def late(items: ItemSet) -> list[list[float]]:
        raise TimeoutError("the endpoint did not answer")

    with pytest.raises(TimeoutError, match="did not answer"):
        score_with(late, ITEMS, "global")


def test_hooks_feed_the_observer(tmp_path: Path) -> None:
    plan = parse_plan({"modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}}})
    evidence = evidence_with(
        {
            "reference": lambda items: [[0.5, 0.5], [0.4, 0.4, 0.2]],
            "personalized": lambda items: [[0.4, 0.6], [0.4, 0.3, 0.3]],
        },
        {"bias": ITEMS},
        plan.planned,
    )
    statistics = [MODES[code].measure(evidence) for code in plan.planned]
    assert statistics[0].value == pytest.approx(0.2)
    observer = Observer(plan, "ward-7", tmp_path, noise=SeededNoise([1]))
    release = observer.release(1, statistics, SystemChange(0.0, 0.0))
    assert release.layout == observer.layout.digest


def test_a_job_that_nothing_scores_is_named() -> None:
    with pytest.raises(OutcomeError, match="bias items under the personalized adapter"):
        evidence_with({"reference": lambda items: []}, {"bias": ITEMS}, ["SF-1"])


def test_a_plan_names_a_function_to_score_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_endpoint.py").write_text(
        "def score(items):\n    return [[0.25, 0.75] for _ in items]\nnumber = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    modes = {"amplified_bias": {"tolerance": 0.1}}

    def model(place: str) -> PersonalModel:
        raw = {"schema": "unsilent/plan/1", "model": {"id": place}, "modes": modes}
        return load_model(parse_plan(raw))

    found = model("hook:own_endpoint:score")
    assert found.score(ItemSet("one", ITEMS.items[:1]), None).tolist() == [[0.25, 0.75]]
    assert found.digest == ScoreHook(lambda items: [], name="hook:own_endpoint:score").digest
    with pytest.raises(ModelError, match="cannot be trained"):
        found.train(found.new_adapter(0), ITEMS, Training(1, 1e-3, 1, 0))
    for wrong in ("hook:own_endpoint:missing", "hook:no_such_module:score", "hook:", "hook:a"):
        with pytest.raises(ModelError, match="no function to score with"):
            model(wrong)
    with pytest.raises(ModelError, match="cannot be called"):
        model("hook:own_endpoint:number")
