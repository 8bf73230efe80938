"""Clipping and truncation: no vector is longer than the joint clip, none points further out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import OutcomeError, PlanError, ReleaseError
from unsilent.plan import parse_plan
from unsilent.release import Coordinate, Layout
from unsilent.release.coordinate import MODEL_NAMES
from unsilent.release.layout import SYSTEM_CLIPS

BOTH = {
    "amplified_bias": {"tolerance": 0.1, "clip": 0.3},
    "alignment_erosion": {"tolerance": 0.1, "clip": 0.5, "weight": 0.6},
}


def layout(population="enrolled", clip=1.0, modes=BOTH, sampling="same"):
    return Layout.from_plan(
        parse_plan(
            {
                "modes": modes,
                "monitor": {"population": population},
                "privacy": {"clip": clip},
                "probes": {"sampling": sampling},
            }
        )
    )


def measured(of, values):
    """Numbers for all inputs; a spread is at least 0."""
    pairs = zip(of.inputs, values, strict=True)
    return {name: abs(v) if name.endswith(".spread") else v for name, v in pairs}


def test_the_coordinates_of_a_plan_in_order():
    assert layout().names == (
        "SF-1",
        "SF-1.spread",
        "SF-6",
        "SF-6.spread",
        "system.loss",
        "system.accuracy",
        "model.unshown",
        "model.differing",
        "raised",
        "clipped",
    )
    assert layout("like-these").names[:3] == ("SF-1", "SF-1.spread", "SF-1.square")
    # Where clients draw items of a bank, whatever its size.
    drawn = layout(sampling="matrix")
    assert drawn.names[:4] == ("SF-1", "SF-1.variance", "SF-6", "SF-6.variance")
    assert drawn.inputs == layout().inputs
    assert layout().coordinates[2] == Coordinate("SF-6", 0.5, 0.6)


def test_only_what_shapes_the_vector_changes_the_digest():
    assert layout().digest == layout().digest
    assert layout().digest != layout("like-these").digest
    assert layout().digest != layout(clip=2.0).digest


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=8, max_size=8),
    st.sampled_from(["enrolled", "like-these"]),
    st.floats(0.05, 1e4),
)
def test_the_norm_never_exceeds_the_joint_clip(values, population, clip):
    of = layout(population, clip)
    vector = of.encode(dict(zip(of.inputs, values, strict=True)))
    assert sum(int(x) ** 2 for x in vector) <= (of.clip * of.scale) ** 2


def test_at_the_largest_joint_clip_the_norm_is_still_counted_right():
    of = layout(clip=2.0**31 / 1024)
    random = np.random.default_rng(0)
    scale = 10 ** random.uniform(-3, 1, 20_000)
    vectors = of.encode_all({name: random.normal(size=20_000) * scale for name in of.inputs})
    for vector in vectors.tolist():
        assert sum(x * x for x in vector) <= 2**62
    # Beyond it the squares of a vector are no longer whole numbers of 64 bits.
    with pytest.raises(PlanError, match="out of range"):
        layout(clip=2.0**31 / 1023)


def lowest(coordinate):
    """A share of the model that was not shown is never negative."""
    return 0.0 if coordinate.name in MODEL_NAMES else -coordinate.clip


def boxed(of, given_):
    return np.array(
        [
            np.clip(given_[c.name], lowest(c), c.clip) / c.clip * of.unit(c.name)
            for c in of.coordinates[:-2]
        ]
    )


@given(st.lists(st.floats(-0.07, 0.07), min_size=6, max_size=6))
def test_truncation_goes_toward_zero_by_less_than_a_step(values):
    of = layout()
    # Of a client that showed its model: what others leave out is in test_model_coordinates.
    given_ = measured(of, [*values, 0.0, 0.0])
    exact = boxed(of, given_)
    inside = of.encode(given_)[:-2]
    if np.linalg.norm(exact) <= 1022:
        assert (np.abs(inside) <= np.abs(exact) + 1e-6).all()
        assert (np.abs(exact) - np.abs(inside) < 1 + 1e-6).all()
        assert (inside * exact >= 0).all()


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=8),
    st.sampled_from(["enrolled", "like-these"]),
    st.sampled_from(["same", "matrix"]),
)
def test_the_reports_cover_whatever_clipping_did(values, population, sampling):
    """A number that a client shows is off by at most what it reports, and one step."""
    of = layout(population, sampling=sampling)
    given_ = measured(of, values)
    shown = of.decode(of.encode(given_), 1)
    for c in of.coordinates[:-2]:
        if c.name.endswith((".spread", ".square", ".variance")):
            continue
        system = c.name.startswith("system")
        most = (SYSTEM_CLIPS if system else 1) * c.clip
        true, step = np.clip(given_[c.name], lowest(c), most), c.clip / of.unit(c.name)
        assert true - shown[c.name] <= most * shown["clipped"] + step + 1e-9
        added = shown["clipped"] if system else shown["raised"]
        assert shown[c.name] - true <= c.clip * added + step + 1e-9


def test_a_client_that_fits_reports_nothing_and_loses_nothing():
    of = layout()
    values = dict.fromkeys(of.inputs, 0.0) | {"SF-1": 0.3, "SF-6": -0.3, "system.loss": 0.3}
    shown = of.decode(of.encode(values), 1)
    assert (shown["raised"], shown["clipped"]) == (0.0, 0.0)
    assert shown["SF-1"] == 0.3


def test_only_what_is_below_zero_is_raised():
    of = layout()
    zero = dict.fromkeys(of.inputs, 0.0)
    both = of.decode(of.encode(zero | {"SF-1": 0.3, "SF-6": 0.5, "system.loss": -1.0}), 1)
    assert both["raised"] == 0.0
    assert both["clipped"] > 0.1
    one = of.decode(of.encode(zero | {"SF-1": 0.3, "SF-6": -0.5, "system.loss": -1.0}), 1)
    assert one["raised"] == pytest.approx(one["clipped"], abs=0.002)


def test_many_clients_at_once_are_encoded_as_one_by_one():
    of, random = layout("like-these"), np.random.default_rng(3)
    values = {name: random.normal(0, 0.4, 200) for name in of.inputs}
    every = of.encode_all(values)
    for place in range(200):
        alone = of.encode({name: float(each[place]) for name, each in values.items()})
        assert every[place].tolist() == alone.tolist()


def test_a_record_as_unit_needs_no_joint_clip():
    of = Layout.from_plan(parse_plan({"modes": BOTH, "privacy": {"unit": "record"}}))
    # What a record reaches has a report of its own, and what none reaches another.
    assert of.names[-2:] == of.reports == ("clipped", "clipped.records")
    assert "raised" not in of.names
    far = of.decode(of.encode(dict.fromkeys(of.inputs, 1e6)), 1)
    assert (far["SF-1"], far["SF-6"], far["system.loss"]) == (0.3, 0.5, 1.0)
    assert np.linalg.norm(of.encode(dict.fromkeys(of.inputs, -1e6))) <= of.bound


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ({"SF-1": 0.3}, 0.0),  # at the box, inside the joint clip
        ({"SF-1": 0.6}, 0.5),  # half of it is beyond the box
        ({"SF-1": 0.4, "SF-6": -1.0}, 0.58),  # the larger cut, and the joint clip on top
        ({"SF-1.spread": 0.15}, 0.5),  # an interval may rest on a spread, whose clip is .075
        ({"system.loss": -3.0}, 0.0),  # a metric that is better hides nothing
    ],
)
def test_a_clipped_client_says_how_much_was_cut_off(values, cut):
    of = layout()
    vector = of.encode(dict.fromkeys(of.inputs, 0.0) | values)
    assert of.decode(vector, 1)["clipped"] == pytest.approx(cut, abs=0.01)


def test_the_cut_of_the_joint_clip_is_exact():
    of = layout()
    values = {"SF-1": 0.3, "SF-6": 0.5}
    vector = of.encode(dict.fromkeys(of.inputs, 0.0) | values)
    seen = of.decode(vector, 1)
    assert seen["clipped"] > 0.05
    for code, value in values.items():
        assert seen[code] / (1 - seen["clipped"]) == pytest.approx(value, rel=0.01)


def test_the_joint_clip_keeps_the_direction_and_uses_the_whole_norm():
    of = layout()
    vector = of.encode(dict.fromkeys(of.inputs, 0.0) | {"SF-1": 0.3, "SF-6": 0.5})
    assert vector[of.index("SF-1")] / vector[of.index("SF-6")] == pytest.approx(0.9 / 0.6, abs=0.01)
    assert np.linalg.norm(vector) == pytest.approx(1024, abs=3)


def test_decoding_gives_means_in_natural_units():
    of = layout()
    parts = (0.2, -0.1, 0.04)
    clips = {name: of.coordinates[of.index(name)].clip for name in of.inputs}
    clients = [measured(of, [v * clip for clip in clips.values()]) for v in parts]
    means = of.decode(sum(of.encode(each) for each in clients), 3)
    for name, clip in clips.items():
        own = [max(each[name], 0.0) if name in MODEL_NAMES else each[name] for each in clients]
        assert means[name] == pytest.approx(sum(own) / 3, abs=clip / of.unit(name))


def test_values_at_the_clip_survive_truncation_exactly():
    of = layout()
    vector = of.encode(dict.fromkeys(of.inputs, 0.0) | {"SF-1": 0.3})
    assert of.decode(vector, 1)["SF-1"] == 0.3


def test_the_square_is_that_of_the_boxed_share():
    of = layout("like-these")
    zero = dict.fromkeys(of.inputs, 0.0)
    step = 1 / of.unit("SF-1.square")
    assert of.decode(of.encode(zero | {"SF-1": -0.15}), 1)["SF-1.square"] == pytest.approx(
        0.25, abs=step
    )
    # Beyond the clip the number is its limit, and the joint clip shortens both alike.
    beyond = of.decode(of.encode(zero | {"SF-1": -2.0}), 1)
    kept = -beyond["SF-1"] / 0.3
    assert beyond["SF-1.square"] == pytest.approx(kept, abs=2 * step)
    # (.9 s)^2 + (.6 s)^2 + (w (1 - .15 s))^2 + (w (1 - s))^2 = 1, solved by hand.
    w = 0.68**2
    a, b = 0.81 + 0.36 + w * (0.15**2 + 1), w * 1.15
    assert kept == pytest.approx((b + math.sqrt(b**2 - a * (2 * w - 1))) / a, abs=0.004)


def test_a_system_metric_that_is_worse_than_its_range_counts_as_cut_off():
    of = layout()
    zero = dict.fromkeys(of.inputs, 0.0)

    def cut(loss: float) -> float:
        return of.decode(of.encode(zero | {"system.loss": loss}), 1)["clipped"]

    assert cut(1.0) == cut(-3.0) == 0.0
    assert cut(1.4) == pytest.approx(0.2, abs=0.01)
    assert cut(2.0) == pytest.approx(cut(20.0), abs=0.01)
    assert cut(2.0) == pytest.approx(0.5, abs=0.03)


def test_noise_sd_is_that_of_a_simulated_mean():
    of = layout()
    rng = np.random.default_rng(0)
    draws = rng.normal(0, 300.0, 20000)
    unit = of.decode(np.eye(len(of.names), dtype=np.int64)[2], 40)["SF-6"]
    assert of.noise_sd("SF-6", 300.0**2, 40) == pytest.approx(np.std(draws * unit), rel=0.02)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_named_but_not_shown(bad):
    of = layout()
    with pytest.raises(OutcomeError, match=r"coordinate SF-6\.spread: a value is not finite") as e:
        of.encode(dict.fromkeys(of.inputs, 0.123) | {"SF-6.spread": bad})
    assert "0.123" not in str(e.value)
    assert "nan" not in str(e.value)


def test_missing_and_unknown_coordinates():
    of = layout()
    values = dict.fromkeys(of.inputs, 0.0)
    with pytest.raises(OutcomeError, match="unknown coordinate 'SF-3'"):
        of.encode(values | {"SF-3": 0.0})
    del values["SF-6"]
    with pytest.raises(OutcomeError, match="missing coordinate 'SF-6'"):
        of.encode(values)
    with pytest.raises(ReleaseError, match="no coordinate 'SF-3'"):
        of.index("SF-3")


def test_a_layout_that_cannot_work():
    with pytest.raises(PlanError, match="less than one integer step"):
        layout(modes={"amplified_bias": {"tolerance": 0.1, "weight": 0.0001}})
    with pytest.raises(PlanError, match=r"privacy\.clip: .*out of range"):
        layout(clip=1e300)
    with pytest.raises(ReleaseError, match="at least one client"):
        layout().decode(np.zeros(8, np.int64), 0)
    with pytest.raises(ReleaseError, match="does not fit"):
        layout().decode(np.zeros(6, np.int64), 1)
