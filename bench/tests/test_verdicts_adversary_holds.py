"""No world that the short search finds makes the shipped plans' verdicts false too often.

At most 5% of the runs with a false FAILURE, or with either of the two where the truth may change
sides, and 1% with a false HEALTHY, at alpha .05; beside them 1% with a false silent and 2% with a
false loud; two Monte-Carlo errors are left to each. By default with fewer worlds and runs, whose
greater errors are left, too; the short form as it is used is the long form of these tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unsilent_bench.verdicts.adversary import Attack, attack
from unsilent_bench.verdicts.adversary import run as running
from unsilent_bench.verdicts.adversary import search as searching


@pytest.fixture(scope="module", params=["less", pytest.param("whole", marks=pytest.mark.long)])
def found(request: pytest.FixtureRequest) -> Iterator[Attack]:
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "less":
            patched.setattr(running, "SHORT_WORLDS", 30)
            patched.setattr(running, "_SHORT_LEAST", 10)
            patched.setattr(running, "REPETITIONS", 200)
            patched.setattr(searching, "CHOSEN", 60)
            patched.setattr(searching, "FINALISTS", 2)
        yield attack(1, short=True)


def test_every_shipped_plan_is_attacked(found: Attack) -> None:
    assert {row.plan for row in found.rows} == {
        "plans/first-look",
        "plans/fleet",
        "plans/lm",
        "plans/starter",
        "bench/fleet",
        "bench/lm",
    }
    assert not found.skipped


def test_every_run_has_its_intervals(found: Attack) -> None:
    assert {row.plan: row.broken_worlds for row in found.rows if row.broken_worlds} == {}


@pytest.mark.parametrize(
    "rate",
    [
        "false_failure",
        "false_healthy",
        "false_either",
        "by_effect_false_failure",
        "by_effect_false_healthy",
        "by_effect_false_either",
        "false_silent",
        "false_loud",
    ],
)
def test_the_worst_world_of_each_plan_keeps_what_is_promised(found: Attack, rate: str) -> None:
    above = {row.plan: getattr(row, rate) for row in found.rows if rate in row.shortfalls}
    assert above == {}
