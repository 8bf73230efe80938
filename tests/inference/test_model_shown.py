"""Nothing is healthy where the measured model was not shown to be the personalized one."""

from __future__ import annotations

import numpy as np
import pytest

from unsilent.findings import Finding
from unsilent.inference import judge_rounds
from unsilent.inference.model_shown import DIFFERENT, NOT_SHOWN, model_shown
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, Release, SeededNoise
from unsilent.release.coordinate import DIFFERING, MODEL_NAMES, UNSHOWN
from unsilent.release.noise import share_variance

CLIENTS = 100
CLIP = 0.3
KINDS = [
    {"unit": unit, "aggregation": aggregation}
    for unit in ("client", "record")
    for aggregation in ("secure-sum", "plain")
]


def plan_with(**privacy: object) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": 3},
            "monitor": {"min_cohort": 10},
            "privacy": {"epsilon": 8.0, **privacy},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": CLIP}},
        }
    )


def sums(
    plan: MonitoringPlan,
    *,
    unshown: int = 0,
    differing: int = 0,
    noise: SeededNoise | None = None,
    layout: Layout | None = None,
    effect: float = 0.0,
) -> list[Release]:
    """Sums of clients of one effect, some of whom could not show their model."""
    of = Layout.from_plan(plan) if layout is None else layout
    values = {name: np.zeros(CLIENTS) for name in of.inputs}
    values["SF-1"][:] = effect
    # The first of them and the last: a client of both is shrunk, and shows less of each.
    for name, which in (
        (UNSHOWN, slice(unshown)),
        (DIFFERING, slice(CLIENTS - differing, None)),
    ):
        if name in values:
            values[name][which] = 1.0
    vector = of.encode_all(values).sum(axis=0)
    variance = float(share_variance(plan)) * CLIENTS
    made = []
    for number in plan.monitoring_rounds:
        drawn = 0 if noise is None else noise.sample(variance**0.5, len(vector))
        made.append(Release(of.digest, number, CLIENTS, vector + drawn, variance))
    return made


def judged(plan: MonitoringPlan, totals: list[Release]) -> Finding:
    layout = Layout.of_release(plan, totals[0].layout)
    return next(f for f in judge_rounds(plan, layout, totals) if f.code == "SF-1")


def test_it_is_the_mean_over_the_clients_of_the_window_with_its_noise() -> None:
    plan = plan_with()
    layout, totals = Layout.from_plan(plan), sums(plan, unshown=30, differing=10)
    found = model_shown(layout, totals, 2, 3)
    assert found is not None
    assert found.unshown == pytest.approx(0.3, abs=1e-9)
    assert found.differing == pytest.approx(0.1, abs=1e-9)
    # Two rounds of independent noise, over the clients of both.
    sd = np.sqrt(2 * totals[0].noise_variance) / (2 * CLIENTS) / layout.unit(UNSHOWN)
    assert found.sd == pytest.approx(sd)
    assert model_shown(layout, totals, 7, 9) is None


def test_sums_of_before_say_nothing_of_it() -> None:
    plan = plan_with()
    earlier = Layout.from_plan(plan, model=False)
    totals = sums(plan, layout=earlier)
    assert not set(MODEL_NAMES) & set(earlier.names)
    assert model_shown(earlier, totals, 1, 3) is None
    found = judged(plan, totals)
    assert (found.unshown, found.differing) == (None, None)
    assert "unshown" not in found.to_json()


@pytest.mark.parametrize("privacy", KINDS)
def test_sound_clients_give_no_reason(privacy: dict[str, object]) -> None:
    plan = plan_with(**privacy)
    found = judged(plan, sums(plan))
    assert (found.verdict, found.reason) == ("healthy", None)
    assert (found.unshown, found.differing) == (0.0, 0.0)


def test_noise_alone_seldom_gives_a_reason() -> None:
    plan = plan_with()
    named = 0
    for seed in range(100):
        totals = sums(plan, noise=SeededNoise([1, seed]))
        found = model_shown(Layout.from_plan(plan), totals, 1, 3)
        named += found is None or found.reason is not None
    # Two shares, each named once in a hundred times: eight or more come up once in a thousand.
    assert named < 8


@pytest.mark.parametrize("privacy", KINDS)
def test_without_evidence_from_anybody_nothing_is_healthy(privacy: dict[str, object]) -> None:
    plan = plan_with(**privacy)
    for seed in range(20):
        found = judged(plan, sums(plan, unshown=CLIENTS, noise=SeededNoise([2, seed])))
        assert found.verdict != "healthy"
        assert found.reason is not None
        assert NOT_SHOWN in found.reason


@pytest.mark.parametrize("privacy", KINDS)
@pytest.mark.parametrize("name", ["unshown", "differing"])
def test_a_share_of_the_clients_raises_the_upper_end_by_as_much_of_the_clip(
    privacy: dict[str, object], name: str
) -> None:
    plan = plan_with(**privacy)
    sound = judged(plan, sums(plan))
    shares = {"unshown": (40, 0), "differing": (0, 40)}
    unshown, differing = shares[name]
    some = judged(plan, sums(plan, unshown=unshown, differing=differing))
    assert sound.interval is not None
    assert some.interval is not None
    assert some.interval[1] - sound.interval[1] == pytest.approx(0.4 * CLIP, abs=0.002)
    assert some.verdict == "undetermined"
    assert getattr(some, name) == pytest.approx(0.4)
    assert some.reason is not None
    assert {"unshown": NOT_SHOWN, "differing": DIFFERENT}[name] in some.reason


@pytest.mark.parametrize("privacy", KINDS)
def test_without_evidence_a_good_effect_is_not_taken_as_health(privacy: dict[str, object]) -> None:
    plan = plan_with(**privacy)
    totals = sums(plan, unshown=CLIENTS, differing=CLIENTS, effect=-CLIP)
    found = judged(plan, totals)
    assert found.interval is not None
    assert found.interval[1] >= CLIP - 0.001
    assert found.verdict == "undetermined"


def test_a_few_clients_are_named_beside_health_and_do_not_end_it() -> None:
    plan = plan_with()
    found = judged(plan, sums(plan, unshown=10))
    assert found.verdict == "healthy"
    assert found.reason is not None
    assert "about 10% of the clients" in found.reason


@pytest.mark.parametrize("name", ["unshown", "differing"])
@pytest.mark.parametrize("share", [25, 40, 60, 80])
def test_from_a_fifth_on_no_interval_makes_it_healthy(share: int, name: str) -> None:
    data = plan_with(epsilon=400.0).to_json()
    # So wide a tolerance that the interval lies below it, whatever those clients' models do.
    data["modes"]["amplified_bias"] = {"tolerance": 0.299, "clip": CLIP}
    plan = parse_plan(data)
    counts = {"unshown": 0, "differing": 0, name: share}
    totals = sums(plan, effect=-0.05, unshown=counts["unshown"], differing=counts["differing"])
    found = judged(plan, totals)
    assert found.interval is not None
    assert found.tolerance is not None
    assert found.interval[1] < found.tolerance or share > 60
    assert found.verdict == "undetermined"
    # What is published has to follow the schema.
    assert Finding.from_json(found.to_json()).reason == found.reason
