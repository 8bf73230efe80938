"""How many liars a verdict withstands, against lies that are really told."""

import math

import numpy as np
import pytest

from tests.inference.planned import planned_value
from unsilent.errors import FindingsError
from unsilent.inference import judge_rounds
from unsilent.inference.byzantine import ClientsToFlip, clients_to_flip
from unsilent.inference.estimate import Estimate
from unsilent.inference.series import estimate_mode
from unsilent.release.layout import Layout


def estimate(effect, clients=10, privacy_sd=0.0, sampling_sd=0.0):
    return Estimate("SF-1", effect, sampling_sd, privacy_sd, 0.0, 0.0, clients)


def test_the_counts_of_a_failure_of_a_health_and_of_neither():
    # Ten clients within 0.6: each moves the mean by 0.06.
    failing = clients_to_flip(estimate(0.3), (0.25, 0.35), 0.1, 0.6, 2.0)
    assert failing == ClientsToFlip(healthy=5, undetermined=3)
    assert failing.any == 3
    healthy = clients_to_flip(estimate(0.0), (-0.05, 0.05), 0.1, 0.6, 2.0)
    assert healthy == ClientsToFlip(failure=3, undetermined=1)
    neither = clients_to_flip(estimate(0.1), (0.05, 0.17), 0.1, 0.6, 2.0)
    assert neither == ClientsToFlip(failure=1, healthy=2)


def test_what_no_number_of_liars_can_do_is_none():
    assert clients_to_flip(estimate(0.9), (0.8, 1.0), 0.1, 0.6, 2.0).healthy is None


@pytest.mark.parametrize(("honest", "lie"), [(0.0, 0.3), (0.2, -0.3)])
def test_fewer_liars_than_stated_never_flip_a_real_verdict(plan_of, summed, honest, lie):
    """Without noise the count is exact: one liar fewer leaves the verdict, as many change it."""
    plan = plan_of(clients=20, modes=("amplified_bias",))
    layout = Layout.from_plan(plan)

    def judged(liars):
        values = [honest] * (20 - liars) + [lie] * liars
        total = summed(plan, [{"SF-1": v} for v in values], None)
        return total, judge_rounds(plan, layout, [total])[0]

    told = 0
    while judged(told)[1].verdict == judged(0)[1].verdict:
        told += 1
    total, first = judged(0)
    found = estimate_mode(plan, layout, total, "SF-1")
    # All that a client could do: here from its honest number to the far end.
    span = abs(lie - honest)
    count = clients_to_flip(found, first.interval, 0.1, span, planned_value(plan, "SF-1"))
    assert count.any == told


def test_liars_move_the_width_too_where_it_is_released():
    fixed = clients_to_flip(estimate(0.3, 50, 0.02), (0.2, 0.4), 0.1, 0.6, 3.0)
    sampled = clients_to_flip(estimate(0.3, 50, 0.02, 0.02), (0.2, 0.4), 0.1, 0.6, 3.0)
    assert sampled.undetermined < fixed.undetermined
    k, step = sampled.undetermined, 0.6 / 50
    sds = [math.hypot(math.sqrt(0.02**2 + n * step**2), 0.02) for n in (0, k - 1, k)]
    moved = [n * step + 3.0 * (sd - sds[0]) for n, sd in zip((k - 1, k), sds[1:], strict=True)]
    assert moved[0] < 0.1 <= moved[1]


def test_numbers_that_are_none_are_refused():
    with pytest.raises(FindingsError, match="span"):
        clients_to_flip(estimate(0.3), (0.2, 0.4), 0.1, 0.0, 3.0)
    with pytest.raises(FindingsError, match="finite"):
        clients_to_flip(estimate(0.3), (np.nan, 0.4), 0.1, 0.6, 3.0)
