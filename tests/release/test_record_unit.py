"""One held-out record moves its client's vector by no more than the sensitivity that is claimed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.errors import OutcomeError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes import MODES
from unsilent.modes.base import Evidence, Need
from unsilent.plan import parse_plan
from unsilent.release import record_unit
from unsilent.release.accountant import epsilon
from unsilent.release.coordinate import is_variance, source
from unsilent.release.layout import Layout
from unsilent.release.noise import planned_event, sensitivity, share_variance
from unsilent.release.promise import RECORD_CONDITION, for_a_lawyer, statement
from unsilent.release.record_unit import (
    SMALLEST_PROBABILITY,
    disjoint,
    evaluation_records,
    record_sensitivity,
)

PUBLIC = {"amplified_bias": {"tolerance": 0.1}, "alignment_erosion": {"tolerance": 0.1}}
PRIVATE = {**PUBLIC, "fairness_collapse": {"tolerance": 0.2, "clip": 0.5}}


def plan(held_out=50, modes=PUBLIC, unit="record", population="enrolled", **privacy):
    return parse_plan(
        {
            "federation": {"clients": 30, "held_out": held_out},
            "monitor": {"population": population},
            "modes": modes,
            "privacy": {"epsilon": 2.0, "unit": unit, **privacy},
        }
    )


PLANS = [
    plan(),
    plan(held_out=1000),
    plan(modes=PRIVATE),
    plan(held_out=400, modes=PRIVATE, population="like-these"),
    plan(held_out=5),
]


def widths(of):
    """How far one record may move each input: a mean of n moves by 1/n, SF-3 as tried out."""
    n = of.federation.held_out
    loss = -2 * math.log(SMALLEST_PROBABILITY) / n
    return {
        "SF-3": 4 / n,
        "SF-3.spread": 1.2 / n,
        "system.loss": loss,
        "system.accuracy": 2 / n,
    }


numbers = st.floats(-1, 1)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(PLANS), st.lists(numbers, min_size=40, max_size=40), st.floats(0.01, 30))
def test_no_two_neighbours_are_further_apart_than_the_sensitivity(of, draws, size):
    layout = Layout.from_plan(of)
    moves = widths(of)
    first, second = {}, {}
    for at, name in enumerate(layout.inputs):
        value = draws[at] * size
        if name.endswith(".spread"):
            value = abs(value)
        first[name] = value
        second[name] = value
        if name in moves:
            second[name] = value + draws[20 + at] * moves[name]
            if name.endswith(".spread"):
                second[name] = abs(second[name])
    distance = np.linalg.norm(layout.encode(first) - layout.encode(second))
    assert distance <= record_sensitivity(of)


def two_clients_apart(of, layout):
    """Two clients' values as far apart as one record can bring them in all coordinates."""
    high = dict.fromkeys(layout.inputs, 0.0)
    low = dict(high)
    for coordinate in layout.coordinates:
        own = source(coordinate.name)
        if is_variance(coordinate.name):
            # Squares differ most where the spreads are largest.
            high[own] = layout.limits[own]
            low[own] = max(0.0, high[own] - record_unit._reach(of, coordinate.name))
        elif own == coordinate.name and own in high:
            lower, upper = record_unit._box(coordinate)
            centre = (lower + upper) / 2
            half = min(record_unit._reach(of, coordinate.name), upper - lower) / 2
            high[coordinate.name], low[coordinate.name] = centre + half, centre - half
    return high, low


@pytest.mark.parametrize("of", PLANS)
def test_the_sensitivity_is_not_far_above_what_can_happen(of):
    layout = Layout.from_plan(of)
    high, low = two_clients_apart(of, layout)
    apart = np.linalg.norm(layout.encode(high) - layout.encode(low))
    # The two factors of ``clipped`` are bounded one by one, so the bound is not met exactly.
    assert 0.6 * record_sensitivity(of) <= apart <= record_sensitivity(of)


def test_more_records_cost_less_and_no_plan_costs_more_than_replacing_a_client():
    found = [record_sensitivity(plan(held_out=n)) for n in (4, 50, 200, 2000)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.05 * plan().privacy.clip * 1024
    assert all(record_sensitivity(of) <= 2 * 1024 for of in PLANS)


def test_a_closed_form_with_public_modes_only():
    """Loss and accuracy move by 2 L / n and 2 / n, and ``clipped`` by half the excess."""
    of = plan(held_out=100)
    loss = math.ceil(min(2.0, -2 * math.log(1e-12) / 100) * 512)
    accuracy = math.ceil((2 / 100) / 0.5 * math.floor(0.4 * 1024))
    excess = math.ceil(min(0.5, -2 * math.log(1e-12) / 100 / 1.0 / 2) * 358)
    assert record_sensitivity(of) == pytest.approx(math.hypot(loss, accuracy, excess), rel=1e-9)


def test_what_no_record_reaches_is_in_no_part_of_the_sensitivity():
    """More modes on public probes change nothing: there is no clip that they would share."""
    one = plan(held_out=100, modes={"amplified_bias": {"tolerance": 0.1}})
    more = plan(held_out=100, modes=PUBLIC)
    assert record_sensitivity(one) == record_sensitivity(more)
    layout = Layout.from_plan(more)
    values = dict.fromkeys(layout.inputs, 5.0)
    moved = layout.encode(values) - layout.encode(values | {"system.accuracy": 0.0})
    assert [name for name, step in zip(layout.names, moved, strict=True) if step] == [
        "system.accuracy"
    ]


def test_noise_and_cost_follow_the_records_sensitivity():
    of, client = plan(held_out=500), plan(held_out=500, unit="client")
    assert sensitivity(of) == record_sensitivity(of)
    assert share_variance(of) < 0.05 * share_variance(client)
    events = [planned_event(of, r) for r in of.monitoring_rounds]
    assert epsilon(events, 1e-5) == pytest.approx(2.0, rel=1e-2)
    assert epsilon(events, 1e-5) <= 2.0


def test_adjacency_changes_nothing_both_move_a_mean_by_a_width_over_n():
    assert record_sensitivity(plan()) == record_sensitivity(plan(adjacency="replace-one"))


def test_modes_on_public_probes_do_not_move_and_the_others_over_their_range():
    for mode in MODES.values():
        reach = mode.record_reach(50)
        if any(need.items == "records" for need in mode.needs):
            assert reach[0] <= mode.range[1] - mode.range[0]
            assert reach[0] > 0
        else:
            assert reach == (0.0, 0.0)


def records(name, texts):
    return ItemSet(
        name,
        tuple(Item(f"{name}-{n}", text, (" yes", " no"), answer=0) for n, text in enumerate(texts)),
    )


def test_a_mode_on_records_does_move_by_what_it_declares():
    """One answer of 25 more is wrong; ``tests/modes/test_sf3_reach.py`` tries all there are."""
    held_out = records("held-out", [f"text {n}" for n in range(25)])
    right, wrong = [0.9, 0.1], [0.2, 0.8]

    def value(lost):
        before = Outcomes(held_out, "reference", np.array([right] * 25))
        after = np.array([wrong] * lost + [right] * (25 - lost))
        evidence = Evidence(
            {
                Need("reference", "records"): before,
                Need("global", "records"): Outcomes(held_out, "global", after),
            }
        )
        return MODES["SF-3"].measure(evidence).value

    declared = MODES["SF-3"].record_reach(25)[0]
    assert 0 < value(4) - value(3) <= declared < abs(value(4) - value(12))


def test_a_held_out_record_that_was_trained_on_is_found_without_being_shown():
    train = records("train", ["The patient sleeps well.", "other"])
    disjoint(train, records("held-out", ["Yet another."]))
    secret = "the  PATIENT sleeps\nwell. "
    with pytest.raises(OutcomeError, match=r"held-out: held-out record 2 has") as caught:
        disjoint(train, records("held-out", ["new", secret]))
    assert "patient" not in str(caught.value).lower()
    evaluation_records(plan(unit="client"), train, train)


def test_fewer_records_than_the_sensitivity_counts_on_are_refused():
    train = records("train", ["a"])
    evaluation_records(plan(held_out=5), train, records("held-out", "bcdef"))
    with pytest.raises(OutcomeError, match="fewer held-out records"):
        evaluation_records(plan(held_out=5), train, records("held-out", "bcde"))


def test_what_is_said_of_it_names_the_condition():
    of = plan()
    event = planned_event(of, 1)
    assert RECORD_CONDITION in statement(of, 1.0, 1)
    assert "given the adapters, which have seen the training records" in RECORD_CONDITION
    assert "nothing about the training records" in RECORD_CONDITION
    assert "one given evaluation record" in for_a_lawyer(of, [event])
    assert "client took part" not in statement(of, 1.0, 1)
