"""Listed domains ride along as small coordinates, and only where the plan lists them."""

import numpy as np
import pytest

from unsilent.client.observer import Observer, SystemChange
from unsilent.contract import contract
from unsilent.errors import PlanError
from unsilent.items import Item, ItemSet
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.probes.sources import check_subgroups
from unsilent.release import Coordinate, Layout
from unsilent.release.coordinate import source

LISTED = {"tolerance": 0.1, "clip": 0.3, "subgroups": ["tweets", "a.square"]}


def plan_with(**modes):
    return parse_plan({"modes": modes, "federation": {"rounds": 1}})


def test_a_listed_domain_is_clipped_as_its_mode_and_weighs_little():
    layout = Layout.from_plan(plan_with(amplified_bias=LISTED))
    assert layout.names[:4] == ("SF-1", "SF-1.variance", "SF-1/tweets", "SF-1/a.square")
    assert layout.coordinates[2] == Coordinate("SF-1/tweets", 0.3, 0.2)
    assert set(layout.inputs) == set(map(source, layout.names)) - {"raised", "clipped"}


def test_a_domain_beyond_its_clip_does_not_count_as_a_clipped_effect():
    layout = Layout.from_plan(plan_with(amplified_bias=LISTED))
    values = {**dict.fromkeys(layout.inputs, 0.0), "SF-1/tweets": 0.9}
    vector = layout.encode(values)
    assert vector[layout.index("SF-1/tweets")] == layout.unit("SF-1/tweets")
    assert vector[-1] == 0
    assert np.linalg.norm(layout.encode({**values, "SF-1": 0.9})) <= layout.bound


def test_the_observer_releases_each_listed_domain(tmp_path):
    plan = plan_with(amplified_bias={**LISTED, "subgroups": ["tweets"]})

    class Silence:
        def sample(self, scale, size):
            return np.zeros(size, dtype=np.int64)

    observer = Observer(plan, "client-0", tmp_path, noise=Silence())
    statistic = Statistic("SF-1", 0.05, -2, 2, 0.01, 9, {"tweets": 0.15})
    released = observer.release(1, [statistic], SystemChange(0.0, 0.0))
    layout = Layout.from_plan(plan)
    assert layout.decode(released.vector, 1)["SF-1/tweets"] == pytest.approx(0.15, abs=2e-3)


def test_the_contract_lists_each_domain():
    numbers = {n.name: n for n in contract(plan_with(amplified_bias=LISTED)).numbers}
    assert "'tweets'" in numbers["SF-1/tweets"].what
    assert (numbers["SF-1/a.square"].lower, numbers["SF-1/a.square"].upper) == (-0.3, 0.3)


def test_private_records_have_no_subgroups():
    with pytest.raises(PlanError, match="private records"):
        plan_with(fairness_collapse={"tolerance": 0.2, "clip": 1.0, "subgroups": ["tweets"]})


def test_a_domain_listed_twice_is_refused():
    with pytest.raises(PlanError, match="twice"):
        plan_with(amplified_bias={**LISTED, "subgroups": ["tweets", "tweets"]})


def test_a_domain_that_the_probes_lack_is_refused_with_the_known_ones():
    bias = ItemSet("bias", (Item("i", "p", ("a", "b"), stereotyped=0, domain="reviews"),))
    with pytest.raises(PlanError, match="Known domains: reviews"):
        check_subgroups(plan_with(amplified_bias=LISTED), {"bias": bias})
