"""Where the unit is a record, only what a record moves carries noise, and only its report pays."""

import numpy as np
import pytest

from unsilent.inference.series import series_of, system_series
from unsilent.modes import MODES
from unsilent.plan import parse_plan
from unsilent.release.accountant import EXACT
from unsilent.release.coordinate import CLIPPED, CLIPPED_RECORDS, MODEL_NAMES, SYSTEM_NAMES, source
from unsilent.release.layout import Layout
from unsilent.release.noise import (
    SeededNoise,
    planned_event,
    share_variance,
    sum_sigma,
)
from unsilent.release.record_unit import _reach
from unsilent.release.release import Release
from unsilent.release.vector import privatize

PLANNED = {
    "amplified_bias": {"tolerance": 0.1, "clip": 0.25, "subgroups": ["away"]},
    "fairness_collapse": {"tolerance": 0.05, "clip": 0.3},
    "out_of_domain_degradation": {"tolerance": 0.1, "clip": 0.25},
}


def plan(clients=8, population="enrolled", **privacy):
    return parse_plan(
        {
            "federation": {"clients": clients, "held_out": 100},
            "monitor": {"min_cohort": 2, "population": population},
            "modes": PLANNED,
            "privacy": privacy or {"unit": "record", "epsilon": 8.0},
        }
    )


@pytest.mark.parametrize("population", ["enrolled", "like-these"])
def test_noise_lies_on_what_a_record_reaches_and_on_nothing_else(population):
    of = plan(population=population)
    layout = Layout.from_plan(of)
    derived = {*layout.reports, *(n for n in layout.names if n.endswith(".square"))}
    reached = {n for n in layout.names if n not in derived and _reach(of, n) > 0}
    squares = {n for n in layout.names if n.endswith(".square") and n.split(".")[0] in reached}
    noised = {layout.names[at] for at in layout.noised}
    assert noised == {*reached, *squares, CLIPPED_RECORDS}
    assert {*SYSTEM_NAMES, "SF-3"} < noised
    assert not noised & {
        "SF-1",
        "SF-1/away",
        layout.spread_of("SF-1"),
        "SF-5",
        CLIPPED,
        *MODEL_NAMES,
    }
    values = dict.fromkeys(layout.inputs, 0.1)
    bare = layout.encode(values)
    drawn = [privatize(layout, values, 1e4, SeededNoise(s)) - bare for s in range(200)]
    moved = {layout.names[at] for at in np.flatnonzero(np.any(drawn, axis=0))}
    assert moved == noised


def test_what_is_exact_has_no_sd_and_still_its_step():
    layout = Layout.from_plan(plan())
    assert layout.noise_sd("SF-1", 1e4, 8) == 0.0
    assert layout.noise_sd("SF-3", 1e4, 8) == pytest.approx(100 / 8 * layout.step("SF-3"))
    assert layout.step("SF-1") == pytest.approx(0.25 / 1024)


def test_an_interval_pays_for_the_noise_of_its_own_block_alone():
    of = plan()
    layout = Layout.from_plan(of)
    total = Release(layout.digest, 1, 8, 8 * layout.encode(dict.fromkeys(layout.inputs, 0.0)), 1e6)
    for code in ("SF-1", "SF-5"):
        above = series_of(of, layout, [total], code).above
        assert above[1].tolist() == [0.0]
    assert series_of(of, layout, [total], "SF-3").above[1][0] > 0
    assert system_series(layout, [total], "system.loss").above[1][0] > 0


def test_the_two_reports_are_about_their_own_numbers():
    layout = Layout.from_plan(plan())
    names = [CLIPPED, CLIPPED_RECORDS]
    nothing = dict.fromkeys(layout.inputs, 0.0)

    def told(**values):
        found = layout.decode(layout.encode(nothing | values), 1)
        return [round(found[name], 2) for name in names]

    assert told() == [0.0, 0.0]
    assert told(**{"SF-1": 0.5}) == [0.5, 0.0]
    assert told(**{"SF-3": 0.6}) == [0.0, 0.5]
    assert told(**{"system.loss": 2.0}) == [0.0, 0.5]
    # What may be another model's is in doubt wherever it stands.
    assert told(**{"model.unshown": 1.0}) == [1.0, 1.0]


def test_records_of_other_clients_change_no_layout():
    """Which numbers are exact follows from the plan, the same on server and clients."""
    assert Layout.from_plan(plan()) == Layout.from_plan(plan())
    assert Layout.from_plan(plan()).digest != Layout.from_plan(plan(epsilon=8.0)).digest


def test_without_differential_privacy_nothing_is_noised_and_no_joint_clip_shrinks():
    of = plan(clients=5, unit="none")
    layout = Layout.from_plan(of)
    assert (share_variance(of), sum_sigma(of), planned_event(of, 1).kind) == (0, 0.0, EXACT)
    assert len(layout.noised) == 0
    values = {name: far for name, far in layout.limits.items() if name not in MODEL_NAMES}
    found = layout.decode(layout.encode(values), 1)
    whole = [each for each in layout.coordinates if source(each.name) in values]
    assert all(found[each.name] == pytest.approx(each.clip) for each in whole)


@pytest.mark.parametrize("clients", [2, 5, 1000, 16_384, 16_385, 500_000])
def test_no_exact_sum_wraps(clients):
    layout = Layout.from_plan(plan(clients=clients, unit="none"))
    largest = max(layout.unit(name) for name in layout.names)
    assert largest == layout.scale
    assert clients * largest <= 2**30
    # As fine as there is room for, up to what is enough.
    assert layout.scale == 2**16 or clients * 2 * largest > 2**30


def test_every_mode_says_what_a_record_moves():
    for mode in MODES.values():
        looks = any(need.items == "records" for need in mode.needs)
        assert (mode.record_reach(50) != (0.0, 0.0)) == looks
