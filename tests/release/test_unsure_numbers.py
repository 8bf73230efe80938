"""What a client says of how far its number may be off, and what becomes of one that is unsure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.modes import MODES
from unsilent.plan import parse_plan
from unsilent.release import Layout

TWO = {
    "amplified_bias": {"tolerance": 0.1, "clip": 0.3},
    "fairness_collapse": {"tolerance": 0.05, "clip": 0.3},
}


def layout(sampling="same", items="like-these", clients=16, unit="client", spread=None, **probes):
    return Layout.from_plan(
        parse_plan(
            {
                "federation": {"clients": clients, "held_out": 24},
                "monitor": {"items": items},
                "modes": TWO | {"amplified_bias": TWO["amplified_bias"] | {"spread_clip": spread}},
                "privacy": {"unit": unit},
                "probes": {"sampling": sampling, **probes},
            }
        )
    )


def said(of, **values):
    values = {name.replace("_", "-", 1).replace("_", "."): v for name, v in values.items()}
    return of.decode(of.encode(dict.fromkeys(of.inputs, 0.0) | values), 1)


LAYOUTS = {
    "spreads": layout(),
    "variances": layout("matrix"),
    "these": layout(items="these"),
    "of the plan": layout("matrix", spread=0.02),
}


def clip_of(of):
    """The largest spread of SF-1 that is released as it is."""
    name = of.spread_of("SF-1")
    clip = of.coordinates[of.index(name)].clip
    return clip**0.5 if name.endswith("variance") else clip


def test_the_clip_of_spreads_is_twice_what_is_expected_but_no_more_than_can_be():
    mode = MODES["SF-1"]
    for of in (LAYOUTS["spreads"], LAYOUTS["variances"]):
        assert clip_of(of) == pytest.approx(2 * mode.expected_spread(64))
    assert clip_of(LAYOUTS["these"]) == pytest.approx(mode.largest_spread({"bias": 64}))
    private = LAYOUTS["these"].coordinates[LAYOUTS["these"].index("SF-3.variance")]
    assert private.clip == pytest.approx(MODES["SF-3"].largest_spread({"records": 24}) ** 2)


@pytest.mark.parametrize("sampling", ["same", "matrix"])
def test_a_plan_may_set_the_clip_of_spreads_but_no_higher_than_a_spread_can_be(sampling):
    mode = MODES["SF-1"]
    assert clip_of(layout(sampling, spread=0.01)) == pytest.approx(0.01)
    most = mode.largest_spread({"bias": 64})
    assert clip_of(layout(sampling, spread=2.0)) == pytest.approx(most)
    # Where nothing on public items is noised, nothing is gained by it.
    assert clip_of(layout(sampling, spread=0.01, unit="none")) == pytest.approx(most)


@pytest.mark.parametrize(
    ("clients", "bank", "name"),
    [
        (16, 600, "variance"),
        (16, 64, "spread"),
        (1000, 600, "variance"),
        (1000, 100_000, "variance"),
    ],
)
def test_squares_are_released_wherever_clients_draw_items_of_a_bank(clients, bank, name):
    of = layout("matrix", clients=clients, bias="own.jsonl", banks={"bias": bank})
    assert of.spread_of("SF-1") == f"SF-1.{name}"
    assert of.spread_of("SF-3") == "SF-3.variance"


def test_squares_add_up_as_squares():
    of = LAYOUTS["variances"]
    spreads = [0.01, 0.03, 0.07]
    total = sum(
        of.encode(dict.fromkeys(of.inputs, 0.0) | {"SF-1.spread": s, "SF-3.spread": s})
        for s in spreads
    )
    for code in ("SF-1", "SF-3"):
        c = of.coordinates[of.index(code + ".variance")]
        found = of.decode(total, 3)[c.name]
        assert found == pytest.approx(np.mean(np.square(spreads)), abs=c.clip / of.unit(c.name))


@pytest.mark.parametrize("of", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("times", [1.25, 2.0, 5.0])
def test_a_number_less_sure_than_the_clip_is_shrunk_until_it_is_not_and_says_so(of, times):
    spread = times * clip_of(of)
    for effect in (0.2, -0.2):
        shown = said(of, SF_1=effect, SF_1_spread=spread)
        assert shown["clipped"] >= 1 - 1 / times
        # What is left of the number is no less sure than the released spread says.
        assert abs(shown["SF-1"]) <= abs(effect) / times + 1e-9
        assert effect - shown["SF-1"] <= 0.3 * shown["clipped"] + 0.001
        assert shown["SF-1"] - effect <= 0.3 * shown["raised"] + 0.001


@pytest.mark.parametrize("of", LAYOUTS.values(), ids=LAYOUTS)
def test_up_to_the_clip_a_spread_costs_nothing(of):
    shown = said(of, SF_1=-0.2, SF_1_spread=clip_of(of))
    assert (shown["clipped"], shown["raised"]) == (0.0, 0.0)
    assert shown["SF-1"] == pytest.approx(-0.2, abs=0.3 / of.unit("SF-1"))


def test_a_chance_gain_of_an_unsure_client_is_paid_for_even_if_it_was_measured_as_harm():
    # Shrunk by half, and measured as 0: it may have been 2.5 spreads lower.
    of = LAYOUTS["spreads"]
    spread = 2 * clip_of(of)
    shown = said(of, SF_1=0.0, SF_1_spread=spread)
    assert shown["raised"] >= min(2.5 * spread / 0.3, 1.0) / 2 - 0.005


CLIENTS = st.lists(
    st.tuples(st.floats(-2, 2), st.floats(0, 1), st.floats(-1, 1), st.floats(0, 0.5)),
    min_size=1,
    max_size=8,
)


@given(CLIENTS, st.sampled_from(sorted(LAYOUTS)))
def test_whoever_the_clients_their_mean_is_within_what_the_reports_say(clients, kind):
    of = LAYOUTS[kind]
    names = ("SF-1", "SF-1.spread", "SF-3", "SF-3.spread")
    zero = dict.fromkeys(of.inputs, 0.0)
    total = sum(of.encode(zero | dict(zip(names, each, strict=True))) for each in clients)
    shown = of.decode(total, len(clients))
    for place, code in ((0, "SF-1"), (2, "SF-3")):
        true = float(np.mean([np.clip(each[place], -0.3, 0.3) for each in clients]))
        step = 0.3 / of.unit(code) + 1e-9
        assert true - shown[code] <= 0.3 * shown["clipped"] + step
        assert shown[code] - true <= 0.3 * shown["raised"] + step


@given(CLIENTS, st.sampled_from(sorted(LAYOUTS)))
def test_whoever_the_clients_the_released_spreads_are_those_of_the_released_numbers(clients, kind):
    """The sd of a mean of shrunk numbers is at most what is read off the shrunk spreads."""
    of = LAYOUTS[kind]
    zero = dict.fromkeys(of.inputs, 0.0)
    spread = of.spread_of("SF-1")
    step = of.coordinates[of.index(spread)].clip / of.unit(spread)
    kept, total = [], 0
    for effect, own, _, _ in clients:
        # One per cent more of the effect shows by what factor it is shrunk.
        vector = of.encode(zero | {"SF-1": effect, "SF-1.spread": own})
        total = total + vector
        shown = of.decode(vector, 1)
        limited = float(np.clip(effect, -0.3, 0.3))
        kept.append(own * abs(shown["SF-1"] / limited) if abs(limited) > 0.05 else 0.0)
    found = of.decode(total, len(clients))[spread]
    power = 2 if spread.endswith("variance") else 1
    assert found + step >= np.mean(np.power(kept, power)) * 0.98
