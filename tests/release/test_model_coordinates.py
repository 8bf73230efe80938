"""What is said of the measured model costs nothing where it was shown, and is cut off where not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import OutcomeError
from unsilent.plan import parse_plan
from unsilent.release import Layout
from unsilent.release.coordinate import DIFFERING, MODEL_NAMES, UNSHOWN

MODES = {
    "amplified_bias": {"tolerance": 0.1, "clip": 0.3},
    "alignment_erosion": {"tolerance": 0.1, "clip": 0.5, "weight": 0.6},
}
LAYOUTS = [
    (Layout.from_plan(plan), Layout.from_plan(plan, model=False))
    for plan in (parse_plan({"modes": MODES, "privacy": {"unit": u}}) for u in ("client", "record"))
]
ANY = st.floats(-3, 3)


def measured(of: Layout, values: list[float]) -> dict[str, float]:
    """Numbers for all inputs; a spread is at least 0."""
    pairs = zip(of.inputs, values, strict=True)
    return {name: abs(v) if name.endswith(".spread") else v for name, v in pairs}


@given(st.sampled_from(LAYOUTS), st.lists(ANY, min_size=6, max_size=6))
def test_a_client_that_showed_its_model_releases_what_it_did_before(
    layouts: tuple[Layout, Layout], values: list[float]
) -> None:
    now, before = layouts
    told = measured(before, values)
    vector = now.encode({**told, UNSHOWN: 0.0, DIFFERING: 0.0})
    kept = [vector[now.index(name)] for name in before.names]
    assert kept == before.encode(told).tolist()
    assert all(vector[now.index(name)] == 0 for name in MODEL_NAMES)


@given(
    st.sampled_from(LAYOUTS),
    st.lists(ANY, min_size=6, max_size=6),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_what_was_not_shown_is_reported_as_cut_off(
    layouts: tuple[Layout, Layout], values: list[float], unshown: float, differing: float
) -> None:
    now, before = layouts
    told = measured(before, values)
    vector = now.encode({**told, UNSHOWN: unshown, DIFFERING: differing})
    assert np.linalg.norm(vector.astype(float)) <= now.bound
    shown = now.decode(vector, 1)
    assert shown["clipped"] >= max(unshown, differing) - 1e-9
    assert 0 <= shown[UNSHOWN] <= unshown
    assert 0 <= shown[DIFFERING] <= differing


def test_a_client_of_no_effect_that_shows_nothing_is_not_shrunk() -> None:
    now, _ = LAYOUTS[0]
    zero = dict.fromkeys(now.inputs, 0.0)
    shown = now.decode(now.encode(zero | {UNSHOWN: 1.0}), 1)
    assert (shown[UNSHOWN], shown["clipped"], shown["raised"]) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("layouts", LAYOUTS, ids=["client", "record"])
def test_what_nobody_showed_to_be_good_is_not_taken_as_good(layouts: tuple[Layout, Layout]) -> None:
    now, _ = layouts
    good = {name: -limit for name, limit in now.limits.items()}
    good |= {name: 0.0 for name in now.inputs if name.endswith(".spread")}
    for unshown in (0.5, 1.0):
        shown = now.decode(now.encode(good | {UNSHOWN: unshown, DIFFERING: 0.0}), 1)
        for code in ("SF-1", "SF-6"):
            clip, step = -good[code], -good[code] / now.unit(code)
            # The share that was not shown may be as bad as the clip.
            worst = unshown * clip - (1 - unshown) * clip
            assert shown[code] + clip * shown["clipped"] >= worst - step
            if "raised" in shown:
                assert shown[code] - clip * shown["raised"] <= -clip + step


@given(st.sampled_from(LAYOUTS), st.lists(ANY, min_size=6, max_size=6), st.floats(0, 1))
def test_an_effect_is_between_what_the_reports_leave_open(
    layouts: tuple[Layout, Layout], values: list[float], unshown: float
) -> None:
    now, before = layouts
    told = measured(before, values)
    shown = now.decode(now.encode({**told, UNSHOWN: unshown, DIFFERING: 0.0}), 1)
    for code in ("SF-1", "SF-6"):
        clip = now.coordinates[now.index(code)].clip
        step, own = clip / now.unit(code), min(max(told[code], -clip), clip)
        # Of a model that may be any other, the effect may be all of its clip.
        most = clip if unshown == 1 else own
        assert shown[code] + clip * shown["clipped"] >= most - step
        if "raised" in shown and own < 0:
            assert shown[code] - clip * shown["raised"] <= own + step


@given(st.sampled_from(LAYOUTS), st.lists(ANY, min_size=6, max_size=6))
def test_values_that_are_nobodys_measurement_need_not_say_of_which_model(
    layouts: tuple[Layout, Layout], values: list[float]
) -> None:
    now, before = layouts
    told = measured(before, values)
    whole = now.encode({**told, UNSHOWN: 0.0, DIFFERING: 0.0})
    assert now.encode(told).tolist() == whole.tolist()
    del told["system.loss"]
    with pytest.raises(OutcomeError, match=r"missing coordinate 'system\.loss'"):
        now.encode(told)


def test_numbers_beyond_a_share_are_clipped() -> None:
    now, _ = LAYOUTS[0]
    zero = dict.fromkeys(now.inputs, 0.0)
    beyond = now.decode(now.encode(zero | {UNSHOWN: 7.0, DIFFERING: -7.0}), 1)
    assert (beyond[UNSHOWN], beyond[DIFFERING]) == (1.0, 0.0)


def test_an_earlier_sum_is_read_by_its_own_layout() -> None:
    plan = parse_plan({"modes": MODES})
    now, before = LAYOUTS[0]
    assert Layout.of_release(plan, before.digest) == before
    assert Layout.of_release(plan, now.digest) == now
    assert Layout.of_release(plan, "sha256:" + "0" * 64) == now


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_no_record_decides_it(name: str) -> None:
    from unsilent.audit import claim
    from unsilent.release import record_unit

    plan = parse_plan({"modes": MODES, "privacy": {"unit": "record"}})
    assert record_unit._reach(plan, name) == claim.record_moves(plan, name) == 0.0
