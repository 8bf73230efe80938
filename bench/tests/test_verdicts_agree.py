"""The simulations judge by the product's own path: the same verdicts, windows and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.verdicts.own_method import (
    CONTROLS,
    controlled,
    first,
    own_method,
    releases,
    series_of,
    silences,
)
from unsilent_bench.verdicts.scenarios import SCENARIOS, World
from unsilent_bench.verdicts.world import simulate

from unsilent.inference.bands import bands
from unsilent.inference.judge import judge_rounds, system_intervals
from unsilent.taxonomy import by_code


@pytest.mark.parametrize("method", sorted(CONTROLS))
@pytest.mark.parametrize(
    "population, name", [("enrolled", "drop-outs"), ("like-these", "repeated")]
)
def test_verdicts_and_intervals_are_those_of_judge_rounds(
    method: str, population: str, name: str
) -> None:
    world = World(
        # Of 30 who stand for others too few could be without harm for an e-process to be sure.
        100,
        6,
        8.0,
        population,
        SCENARIOS[name],
        effect={"SF-1": 0.25, "SF-4": -0.04},  # type: ignore[arg-type]
    )
    block = next(simulate(world, 60, np.random.default_rng(11)))
    plan = controlled(block.plan, method)
    judged = own_method(block, method)
    seen: set[str] = set()
    for repetition in range(2):
        sums = releases(block, repetition)
        for look in range(1, len(sums) + 1):
            findings = judge_rounds(plan, block.layout, sums[:look])
            at = sums[look - 1].round - 1
            for position, finding in enumerate(findings):
                seen.add(str(finding.verdict))
                assert judged.failure[repetition, at, position] == (finding.verdict == "failure")
                assert judged.healthy is not None
                assert judged.healthy[repetition, at, position] == (finding.verdict == "healthy")
                found = bands(plan, first(series_of(block, finding.code), look))
                theirs = [(w.first, w.last, *w.interval) for w in finding.windows]
                mine = [(b.first, b.last, b.lower[repetition], b.upper[repetition]) for b in found]
                assert np.array(mine) == pytest.approx(np.array(theirs), rel=1e-12, abs=1e-12)
    assert {"failure", "undetermined"} <= seen


def test_a_round_misses_when_a_window_does_not_hold_the_truth() -> None:
    world = World(30, 4, None, scenario=SCENARIOS["null"])
    (block,) = simulate(world, 5, np.random.default_rng(12))
    position = block.plan.planned.index("SF-6")
    tolerance = block.plan.mode(by_code("SF-6").mode)
    assert tolerance is not None
    judged = own_method(block, "boundary", "SF-6")
    assert judged.missed is not None
    assert not judged.missed[..., position].any()
    # Without noise only truncation is left, far less than a point.
    block.truth[:, 2, position] += 0.01
    judged = own_method(block, "boundary", "SF-6")
    assert judged.missed is not None
    assert judged.missed[:, 2:, position].all()
    assert not judged.missed[:, :2, position].any()


def test_silence_is_what_the_product_would_call_silent() -> None:
    world = World(100, 3, 8.0, scenario=SCENARIOS["repeated"], system=0.01)
    (block,) = simulate(world, 40, np.random.default_rng(13))
    found = silences(block, "boundary")
    plan = controlled(block.plan, "boundary")
    margin = plan.monitor.margin
    for repetition in range(10):
        sums = releases(block, repetition)
        silent = any(
            max(upper for _, upper in pair) < margin
            for look in range(1, 4)
            for pair in system_intervals(plan, block.layout, sums[:look]).values()
        )
        assert found[repetition] == silent
    assert 0.05 < found.mean() < 1.0 or found.all()
