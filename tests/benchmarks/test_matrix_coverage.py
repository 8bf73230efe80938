"""Intervals hold where each client answers its own items of a bank, and the check can fail."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.modes.scores import stratified_error

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script."""
    monkeypatch.syspath_prepend(FOLDER)
    import matrix_coverage

    return matrix_coverage


def test_all_ends_hold_in_small_federations(coverage: Any) -> None:
    for row in coverage.rows(short=True, runs=None, seed=1):
        assert row["nominal"], row
        assert row["lower_interval"][0] <= row["lower"] <= row["lower_interval"][1]


def test_without_what_clients_say_of_their_items_they_do_not(
    coverage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = coverage.Federation.simulate

    def quiet(self: Any, runs: int, seed: int) -> Any:
        found = real(self, runs, seed)
        for name in found.layout.names:
            if name.endswith((".spread", ".variance")):
                found.totals[..., found.layout.index(name)] = 0
        return found

    def normal(series: Any, pooled: Any, value: Any, *, above: bool) -> Any:
        return np.asarray(value) + 0 * pooled.effect

    monkeypatch.setattr(coverage.Federation, "simulate", quiet)
    # The package has a function of the module's name.
    monkeypatch.setattr(import_module("unsilent.inference.bands"), "reach_of", normal)
    cell = coverage.Cell(16, 0.2, "like-these", None, 0.0)
    row = coverage.row_of(cell, 60, 2)
    assert not row["nominal"]
    assert row["both"] < 0.7


def test_spreads_of_many_clients_are_those_of_each(coverage: Any) -> None:
    generator = np.random.default_rng(4)
    values, strata = generator.standard_normal((30, 12)), generator.integers(0, 8, (30, 12))
    used = strata // 2 != generator.integers(0, 4, 30)[:, None]
    for mask in (None, used):
        found = coverage.stratified(values, strata, mask)
        for row in range(30):
            own = used[row] if mask is not None else slice(None)
            each = stratified_error(values[row][own], strata[row][own])
            assert found[row] == pytest.approx(each, abs=1e-14)


def test_what_is_simulated_means_what_is_called_true(coverage: Any) -> None:
    for items in ("these", "like-these"):
        cell = coverage.Cell(5, 0.2, items, None, 0.0)
        found = coverage.Federation(cell, 3).simulate(150, 3)
        for place, code in enumerate(found.plan.planned):
            name = found.layout.index(code)
            unit = found.layout.unit(code) * 5
            mean = found.totals[:, :, name] / unit * found.layout.coordinates[name].clip
            error = (mean - found.truth[:, :, place]).mean(axis=1)
            assert abs(error.mean()) < 5 * error.std() / np.sqrt(150) + 2e-3, (items, code)
