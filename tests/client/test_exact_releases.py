"""No server talks a client into exact numbers, and none that were sent are forgotten."""

import json

import numpy as np
import pytest

from unsilent.client.agreement import Owner, agreed
from unsilent.client.limit import Limit, LimitFile, set_limit
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError, NotAgreedError
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.release.accountant import EXACT

SYSTEM = SystemChange(-0.1, -0.02)
STATISTICS = [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)]


class NoNoise:
    """A source that may not be asked."""

    def sample(self, scale, size):
        raise AssertionError(f"noise of scale {scale} was drawn")


class Some:
    def sample(self, scale, size):
        return np.ones(size, dtype=np.int64)


def plan(name="plan", **privacy):
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 5, "rounds": 2},
            "monitor": {"min_cohort": 2},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.25}},
            "privacy": privacy,
        }
    )


def release(folder, of, round_number=1):
    noise = Some() if of.privacy.private else NoNoise()
    return Observer(of, "client", folder, noise=noise).release(round_number, STATISTICS, SYSTEM)


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


EXACTLY = plan(unit="none")
WITH = plan("with", epsilon=8.0)


def test_an_exact_release_is_the_clipped_numbers_and_its_cost_is_in_the_book(tmp_path):
    made = release(tmp_path, EXACTLY)
    own = Observer(EXACTLY, "client", tmp_path, noise=NoNoise())
    assert own.layout.decode(made.vector, 1)["SF-1"] == pytest.approx(0.1, abs=0.25 / 2**16)
    assert made.noise_variance == 0
    assert [event.kind for event in own.events()] == [EXACT]
    assert own.spent() == float("inf")
    assert release(tmp_path, EXACTLY) == made


def test_a_client_with_a_limit_sends_no_exact_numbers(tmp_path):
    release(tmp_path, WITH)
    before = files(tmp_path)
    with pytest.raises(BudgetError, match=r"without differential privacy.*limit is epsilon 8"):
        release(tmp_path, EXACTLY)
    assert files(tmp_path) == before


@pytest.mark.parametrize("unit", ["client", "record"])
def test_a_limit_set_beforehand_refuses_the_first_plan_too(tmp_path, unit):
    LimitFile(tmp_path).write(Limit(unit, "zero-out", "secure-sum", 8.0, 1e-5))
    with pytest.raises(BudgetError, match="without differential privacy"):
        release(tmp_path, EXACTLY)
    assert set(files(tmp_path)) == {"limit.json"}


@pytest.mark.parametrize("other", [WITH, plan("record", unit="record", epsilon=8.0)])
def test_after_exact_numbers_no_plan_with_an_epsilon_is_answered(tmp_path, other):
    release(tmp_path, EXACTLY)
    before = files(tmp_path)
    with pytest.raises(BudgetError, match=r"released exact numbers.*no epsilon covers"):
        release(tmp_path, other)
    assert files(tmp_path) == before


def test_a_limit_that_was_exchanged_by_hand_does_not_hide_them(tmp_path):
    release(tmp_path, EXACTLY)
    LimitFile(tmp_path).write(Limit("client", "zero-out", "secure-sum", 1e6, 0.5))
    with pytest.raises(BudgetError, match=r"exact numbers.*which no epsilon covers"):
        release(tmp_path, WITH)


def test_no_limit_is_set_over_them(tmp_path):
    release(tmp_path, EXACTLY)
    with pytest.raises(BudgetError, match="no limit takes them back"):
        set_limit(tmp_path, 4.0)
    limit = LimitFile(tmp_path).read()
    assert limit is not None
    assert not limit.private
    assert "exact numbers" in limit.text()
    assert json.loads((tmp_path / "limit.json").read_text())["epsilon"] is None


def test_another_exact_plan_is_answered(tmp_path):
    release(tmp_path, EXACTLY)
    assert release(tmp_path, plan("another", unit="none")).noise_variance == 0


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "none", "epsilon": 8.0, "delta": 1e-5},
        {"unit": "client", "epsilon": None, "delta": None},
        {"unit": "none", "epsilon": None, "delta": None, "aggregation": "plain"},
    ],
)
def test_a_limit_that_is_none_is_no_limit_file(tmp_path, change):
    release(tmp_path, EXACTLY)
    data = json.loads((tmp_path / "limit.json").read_text()) | change
    (tmp_path / "limit.json").write_text(json.dumps(data))
    with pytest.raises(BudgetError, match="limit"):
        release(tmp_path, EXACTLY, 2)


def test_an_owner_who_agreed_to_no_plan_is_not_asked_for_exact_numbers():
    text = json.dumps(EXACTLY.to_json())
    with pytest.raises(NotAgreedError, match="exact numbers without differential privacy"):
        agreed(text, Owner())
    with pytest.raises(NotAgreedError, match="this client agreed to"):
        agreed(text, Owner(plan=WITH.digest))
    assert agreed(text, Owner(plan=EXACTLY.digest)) == EXACTLY
    assert agreed(text, Owner(simulates=True)) == EXACTLY
    assert agreed(json.dumps(WITH.to_json()), Owner()) == WITH
