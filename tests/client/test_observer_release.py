"""An observer clips, adds its share of noise and releases each round once, whatever comes."""

import json

import numpy as np
import pytest

from unsilent.client.cache import Kept
from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError, OutcomeError, PlanError
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.release import ExactNoise, Layout, Release, SeededNoise, epsilon
from unsilent.release.noise import planned_event, share_variance

SYSTEM = SystemChange(-0.1, -0.02)
SHOWN = ModelCheck(0.0)


def plan(**changes):
    data = {
        "federation": {"clients": 20, "rounds": 4},
        "modes": {"amplified_bias": {"tolerance": 0.1}, "alignment_erosion": {"tolerance": 0.1}},
        "monitor": {"rounds": [1, 3, 4]},
        "privacy": {"epsilon": 2.0},
    }
    return parse_plan({key: data.get(key, {}) | changes.get(key, {}) for key in {*data, *changes}})


def statistics(value=0.1, codes=("SF-1", "SF-6")):
    return [Statistic(code, value, -1.0, 1.0, 0.02, 50) for code in codes]


class Quiet:
    """No noise at all: what is left is the encoding."""

    def sample(self, scale, size):
        return np.zeros(size, np.int64)


def observer(folder, of=None, client="client-7", noise=None):
    return Observer(of or plan(), client, folder, noise=noise or SeededNoise(1))


def test_without_noise_a_release_is_the_encoded_statistics(tmp_path):
    of = plan()
    made = observer(tmp_path, of, noise=Quiet()).release(3, statistics(), SYSTEM, SHOWN)
    layout = Layout.from_plan(of)
    values = {"SF-1": 0.1, "SF-1.spread": 0.02, "SF-6": 0.1, "SF-6.spread": 0.02}
    values |= {"system.loss": -0.1, "system.accuracy": -0.02}
    values |= {"model.unshown": 0.0, "model.differing": 0.0}
    assert made.vector.tolist() == layout.encode(values).tolist()
    assert (made.layout, made.round, made.clients) == (layout.digest, 3, 1)
    assert made.noise_variance == share_variance(of)


def test_the_sum_over_clients_finds_the_mean_within_its_noise(tmp_path):
    of = plan(federation={"clients": 200})
    layout = Layout.from_plan(of)
    total = Release.zero(layout, 1)
    for i in range(200):
        who = observer(tmp_path / str(i), of, f"client-{i}", SeededNoise((3, i)))
        total += who.release(1, statistics(0.12), SYSTEM, SHOWN)
    sd = layout.noise_sd("SF-1", total.noise_variance, total.clients)
    assert sd == pytest.approx(planned_event(of, 1).sigma / 200 / layout.unit("SF-1") * 0.3)
    found = layout.decode(total.vector, total.clients)
    assert found["SF-1"] == pytest.approx(0.12, abs=4 * sd)
    assert found["SF-1"] != pytest.approx(0.12, abs=sd / 1000)


def test_asked_again_the_bytes_are_the_same_whatever_the_statistics(tmp_path):
    first = observer(tmp_path, noise=ExactNoise()).release(1, statistics(0.1), SYSTEM)
    spent = (tmp_path / "budget.json").read_bytes()
    again = observer(tmp_path, noise=ExactNoise()).release(
        1, statistics(-0.3, ("SF-1",)), SystemChange(0.4, 0.4)
    )
    assert again.to_bytes() == first.to_bytes()
    assert (tmp_path / "budget.json").read_bytes() == spent


def test_another_round_has_fresh_noise_and_its_own_cost(tmp_path):
    of = plan()
    who = observer(tmp_path, of, noise=ExactNoise())
    first, second = (who.release(r, statistics(), SYSTEM) for r in (1, 3))
    assert first.vector.tolist() != second.vector.tolist()
    assert who.events() == (planned_event(of, 1), planned_event(of, 3))
    assert who.spent() == epsilon([planned_event(of, 1), planned_event(of, 3)], 1e-5)


def test_the_planned_rounds_spend_the_budget_and_not_more(tmp_path):
    who = observer(tmp_path)
    for r in (1, 3, 4):
        who.release(r, statistics(), SYSTEM)
    assert who.spent() == pytest.approx(2.0, rel=1e-4)
    assert who.spent() <= 2.0


def test_a_round_without_monitoring(tmp_path):
    with pytest.raises(PlanError, match=r"round 2 is not a monitoring round.*1, 3, 4"):
        observer(tmp_path).release(2, statistics(), SYSTEM)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "codes", [("SF-1",), ("SF-1", "SF-6", "SF-6"), ("SF-1", "SF-6", "SF-2"), ()]
)
def test_statistics_must_be_exactly_the_planned_ones(tmp_path, codes):
    with pytest.raises(OutcomeError, match="exactly one of each: SF-1, SF-6"):
        observer(tmp_path).release(1, statistics(codes=codes), SYSTEM)
    assert observer(tmp_path).events() == ()


def test_a_value_that_is_not_finite_costs_nothing(tmp_path):
    with pytest.raises(OutcomeError, match=r"system\.loss"):
        observer(tmp_path).release(1, statistics(), SystemChange(float("nan"), 0.0))
    assert observer(tmp_path).events() == ()
    observer(tmp_path).release(1, statistics(), SYSTEM)


def test_what_is_on_disk_says_nothing_about_the_statistics(tmp_path):
    made = observer(tmp_path).release(1, statistics(), SYSTEM)
    book = json.loads((tmp_path / "budget.json").read_text())
    assert set(book) == {"schema", "client", "releases", "check"}
    (path,) = tmp_path.glob("release-1-*.bin")
    kept = Kept.from_bytes(path.read_bytes())
    assert (kept.plan, kept.round, kept.data) == (plan().digest, 1, made.to_bytes())


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BudgetError, match="cannot be used"):
        observer(tmp_path / "file").release(1, statistics(), SYSTEM)
