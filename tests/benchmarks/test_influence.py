"""What one client does to the others through the aggregate is measured on the same others."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.tests.fleet_bank import small_bank

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
CLIENTS = 16


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    name = "influence_through_aggregate"
    try:
        spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(SCRIPTS))
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def fleet(script, tmp_path_factory):
    bank = small_bank(tmp_path_factory.mktemp("bank"))
    return next(script.fleets(bank, CLIENTS, 1, 1))


@pytest.mark.model
def test_the_other_client_has_ten_times_the_data_with_every_label_turned(script, fleet):
    data = fleet.crowd.training(fleet.bank, 1)
    turned = fleet._turned(data, 3, 1)
    assert turned.rows.shape == (1, script.TIMES * data.rows.shape[1])
    own = slice(0, data.rows.shape[1])
    assert np.array_equal(turned.rows[0, own], data.rows[3])
    task = fleet.bank.tasks[0]
    assert np.all(turned.answers[0, own] != data.answers[3])
    assert np.all((turned.answers >= task.start) & (turned.answers < task.stop))


@pytest.mark.model
def test_rows_say_who_moves_the_others_and_repeat_themselves(script, fleet):
    everyone = fleet.vectors()
    assert np.array_equal(everyone, fleet.vectors())
    found = [fleet.moved(client, everyone) for client in (0, 5)]
    assert all(0 < ordinary < turned for ordinary, turned in found)
    ordinary, turned = script.rows_of(found, CLIENTS, 1)
    assert (ordinary["client"], ordinary["measured"]) == ("ordinary", 2)
    assert ordinary["mean"] == pytest.approx(np.mean([pair[0] for pair in found]), abs=1e-3)
    assert turned["highest"] == pytest.approx(max(pair[1] for pair in found), abs=1e-3)
