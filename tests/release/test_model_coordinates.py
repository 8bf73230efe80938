"""What a client could not show of its model: counted, cut off on both sides, free for the sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.layout import (
    CLIPPED,
    DIFFERING,
    MODEL_NAMES,
    RAISED,
    UNSHOWN,
    Layout,
)

SHARES = st.floats(0, 1)
NUMBERS = st.lists(st.floats(-3, 3), min_size=6, max_size=6)


def plan(unit: str = "client") -> MonitoringPlan:
    return parse_plan(
        {
            "name": "doubted",
            "federation": {"clients": 20, "rounds": 1},
            "privacy": {"unit": unit},
            "modes": {
                "amplified_bias": {"tolerance": 0.1, "clip": 0.4},
                "alignment_erosion": {"tolerance": 0.1, "clip": 0.3},
            },
        }
    )


LAYOUT = Layout.from_plan(plan())


def values(numbers: list[float], unshown: float, differing: float = 0.0) -> dict[str, float]:
    others = [name for name in LAYOUT.inputs if name not in MODEL_NAMES]
    found = dict(zip(others, numbers, strict=True))
    return {**found, UNSHOWN: unshown, DIFFERING: differing}


def parts(vector: np.ndarray, layout: Layout = LAYOUT) -> dict[str, float]:
    return {name: vector[at] / layout.unit(name) for at, name in enumerate(layout.names)}


@given(NUMBERS)
def test_a_client_that_showed_its_model_gives_up_nothing_for_it(numbers: list[float]) -> None:
    before = Layout.from_plan(plan(), model=False)
    named = values(numbers, 0.0)
    old = {name: named[name] for name in before.inputs}
    earlier = dict(zip(before.names, before.encode(old), strict=True))
    now = dict(zip(LAYOUT.names, LAYOUT.encode(named), strict=True))
    assert {name: now[name] for name in before.names} == earlier
    assert (now[UNSHOWN], now[DIFFERING]) == (0, 0)


@given(NUMBERS, SHARES, SHARES)
def test_the_norm_is_kept_whatever_was_shown(
    numbers: list[float], unshown: float, differing: float
) -> None:
    vector = LAYOUT.encode(values(numbers, unshown, differing)).astype(float)
    assert np.linalg.norm(vector) <= LAYOUT.bound


@given(NUMBERS, SHARES, SHARES)
def test_an_effect_may_be_its_clip_as_far_as_nothing_was_shown(
    numbers: list[float], unshown: float, differing: float
) -> None:
    found = parts(LAYOUT.encode(values(numbers, unshown, differing)))
    doubt = max(unshown, differing)
    for code in ("SF-1", "SF-6"):
        step = 1 / LAYOUT.unit(code)
        assert found[CLIPPED] >= doubt - 1e-9
        if doubt == 1:
            assert found[code] + found[CLIPPED] >= 1 - step


@given(NUMBERS, SHARES)
def test_what_was_raised_is_reported(numbers: list[float], unshown: float) -> None:
    given_ = values(numbers, unshown)
    found = parts(LAYOUT.encode(given_))
    for code in ("SF-1", "SF-6"):
        clip = LAYOUT.coordinates[LAYOUT.index(code)].clip
        own = min(max(given_[code] / clip, -1), 1)
        step = 1 / LAYOUT.unit(code)
        # Never told worse than it is, once what was raised is taken off.
        assert found[code] - found[RAISED] <= own + step + 1e-9 or own > 0


@pytest.mark.parametrize("wrong", [-5.0, 7.0])
def test_a_share_is_held_within_0_and_1(wrong: float) -> None:
    found = parts(LAYOUT.encode(values([0.0] * 6, wrong, wrong)))
    assert 0 <= found[UNSHOWN] <= 1
    assert 0 <= found[DIFFERING] <= 1


def test_where_a_record_is_the_unit_it_is_cut_off_all_the_same() -> None:
    layout = Layout.from_plan(plan("record"))
    given_ = dict.fromkeys(layout.inputs, 0.0) | {"SF-1": -0.2, UNSHOWN: 1.0}
    found = parts(layout.encode(given_), layout)
    assert (found["SF-1"], found[CLIPPED]) == (0, 1)
