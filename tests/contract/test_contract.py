"""The contract says every number that leaves a client, who sees it, and what it costs."""

from __future__ import annotations

import json
import math

import pytest

from unsilent.contract import contract
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.accountant import gaussian_delta
from unsilent.release.layout import Layout
from unsilent.release.release import Release


def make(**sections: object) -> MonitoringPlan:
    modes = {
        "amplified_bias": {"tolerance": 0.1},
        "fairness_collapse": {"tolerance": 0.2, "clip": 1},
    }
    return parse_plan({"federation": {"clients": 25}, "modes": modes, **sections})


def test_every_coordinate_of_the_release_is_listed_in_order() -> None:
    for population in ("enrolled", "like-these"):
        plan = make(monitor={"population": population})
        names = tuple(number.name for number in contract(plan).numbers)
        assert names == Layout.from_plan(plan).names


def test_ranges_are_the_clip_within_the_modes_own_range() -> None:
    these = make(monitor={"items": "these"}, probes={"sampling": "same"})
    ranges = {n.name: (n.lower, n.upper) for n in contract(these).numbers}
    assert ranges["SF-1"] == (-0.3, 0.3)
    assert ranges["SF-3"] == (-1.0, 1.0)
    # A spread that no interval rests on has all the room that it can need.
    assert ranges["SF-1.spread"] == pytest.approx((0.0, 2 / math.sqrt(63)))
    # Twice the spread of an unaffected client, 30 points over 64 pairs; squared where clients draw.
    drawn = {n.name: (n.lower, n.upper) for n in contract(make()).numbers}
    assert drawn["SF-1.variance"] == pytest.approx((0.0, (2 * 0.3 / 8) ** 2))
    same = contract(make(probes={"sampling": "same"}))
    alike = {n.name: (n.lower, n.upper) for n in same.numbers}
    assert alike["SF-1.spread"] == pytest.approx((0.0, 2 * 0.3 / 8))
    assert ranges["system.loss"] == (-1.0, 1.0)
    assert ranges["clipped"] == (0.0, 1.0)
    assert ranges["model.unshown"] == ranges["model.differing"] == (0.0, 1.0)


def test_bytes_of_plain_aggregation_are_those_of_a_real_release() -> None:
    plan = make(privacy={"aggregation": "plain"})
    release = Release.zero(Layout.from_plan(plan), 3)
    assert contract(plan).release_bytes == len(release.to_bytes())


def test_the_planned_epsilon_meets_the_budget() -> None:
    terms = contract(make(privacy={"epsilon": 2.0}))
    assert terms.epsilon_sum == pytest.approx(2.0, abs=0.01)
    assert terms.epsilon_sum <= 2.0


def test_against_the_server_a_vector_has_only_its_share_of_the_noise() -> None:
    terms = contract(make(privacy={"epsilon": 2.0}))
    assert terms.share_noise == pytest.approx(terms.sum_noise / math.sqrt(25))
    # Closed form of the Gaussian mechanism, three releases with the share's noise only.
    mu = math.sqrt(3) * terms.sensitivity / terms.share_noise
    assert gaussian_delta(terms.epsilon_single, mu) == pytest.approx(terms.delta, rel=1e-4)
    assert terms.epsilon_single > 5 * terms.epsilon_sum


def test_replacing_a_client_doubles_the_sensitivity_but_not_the_clip() -> None:
    zeroed, replaced = contract(make()), contract(make(privacy={"adjacency": "replace-one"}))
    assert replaced.sensitivity == 2 * zeroed.sensitivity
    assert replaced.norm == zeroed.norm == zeroed.sensitivity


def test_plain_aggregation_is_said_in_these_words() -> None:
    text = " ".join(contract(make(privacy={"aggregation": "plain"})).text().split())
    assert "the server receives each client's noised vector by itself" in text
    assert (
        "with plain aggregation the distributed noise share protects only the sum" in text.lower()
    )
    assert "a server that looks at single vectors sees them with only a share of the noise" in text
    assert "holds for the sum that is published, not against the server itself" in text


def test_what_is_not_protected_is_said() -> None:
    text = " ".join(contract(make()).text().split())
    assert "mean training loss and accuracy" in text
    assert "in the clear" in text
    assert "What training leaks" in text
    assert "swaps the code" in text


def test_the_bound_is_of_a_clients_own_numbers_not_of_all_that_it_moves() -> None:
    text = " ".join(contract(make()).text().split())
    assert "one client's own numbers change the sum by at most 1024 (adjacency zero-out)" in text
    assert "Nor is what a client does to the others' numbers" in text


def test_text_fits_a_terminal_and_names_every_number() -> None:
    terms = contract(make())
    text = terms.text()
    assert max(map(len, text.splitlines())) <= 96
    assert all(number.name in text for number in terms.numbers)


def test_json_holds_no_infinity() -> None:
    terms = contract(make(privacy={"epsilon": 8.0}))
    data = json.loads(json.dumps(terms.to_json(), allow_nan=False))
    assert data["schema"] == "unsilent/contract/1"
    assert len(data["numbers"]) == len(terms.numbers)


def test_it_says_which_items_are_drawn_and_who_knows() -> None:
    drawn = make(probes={"items": 32, "sizes": {"bias": 16, "task": 24}})
    told = [line for line in contract(drawn).who_sees if "items of its own" in line]
    assert len(told) == 1
    assert f"16 of {drawn.bank('bias'):,} of bias" in told[0]
    assert "task" not in told[0]
    assert "the server" in told[0]
    same = make(probes={"sampling": "same"})
    assert not any("items of its own" in line for line in contract(same).who_sees)
