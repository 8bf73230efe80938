"""Three to six sites, one of them lost at any exchange: summed or missed as the plan said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server.sites import Federation
from unsilent.messages import AGREE, BOXES, KEYS, NAME, OBSERVE, SHARES, UNMASK
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.secure_sum.parameters import late_by, one_late, parameters_of
from unsilent.report.power_report import secure_sum_of
from unsilent.report.power_tables import masking

STAGES = (NAME, KEYS, SHARES, BOXES, OBSERVE, AGREE, UNMASK)
IN_SET_UP = (NAME, KEYS, SHARES, BOXES)


def plan(clients: int, dropout: float = 0.0, colluders: int = 0) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 3},
            "monitor": {"min_cohort": 2, "timeout": 5},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 500.0, "dropout": dropout, "collusion": colluders / clients},
        }
    )


def counting(of: MonitoringPlan, folder: Path, lost: Any) -> tuple[Federation, list[int]]:
    """A federation that notes of how many releases each sum is, and judges nothing."""
    made, sums = Federation(of, folder, lost), list[int]()

    def judge(number: int, total: Any) -> tuple[()]:
        sums.append(total.clients)
        return ()

    made.monitor.judge = judge  # type: ignore[method-assign]
    return made, sums


@pytest.mark.parametrize(
    ("clients", "colluders", "stage"),
    [
        # The fewest sites, and the most of them at the stages that are counted by other rules.
        *((3, 0, stage) for stage in STAGES),
        *((6, 2, stage) for stage in (KEYS, BOXES, AGREE, UNMASK)),
        *(
            pytest.param(*sites, stage, marks=pytest.mark.long)
            for sites in ((4, 1), (5, 1), (6, 2))
            for stage in STAGES
            if sites != (6, 2) or stage in (NAME, SHARES, OBSERVE)
        ),
    ],
)
def test_one_lost_site_does_not_cost_the_round_and_is_back_in_the_next(
    clients: int, colluders: int, stage: str, tmp_path: Path
) -> None:
    dropout = one_late(plan(clients, 0.0, colluders))
    assert dropout is not None
    of = plan(clients, dropout, colluders)
    site = clients - 1
    made, sums = counting(
        of, tmp_path, lambda kind, node, number: (kind, node, number) == (stage, site, 1)
    )
    assert made.observe(1)
    asked = {kind for kind, _, node in made.sites.asked if node == site}
    # Whose signatures a plan does without is asked for none.
    assert stage in asked or (stage == AGREE and not parameters_of(of).consistency)
    after = clients if stage in (AGREE, UNMASK) else clients - 1
    # The others' sum stands; what had come before the site was lost is in it.
    assert made.observe(2)
    assert sums == [after, clients]
    assert made.missed() == []


@pytest.mark.parametrize("stage", STAGES)
def test_where_no_drop_out_is_planned_one_lost_site_costs_its_round_alone(
    stage: str, tmp_path: Path
) -> None:
    of = plan(3)
    assert parameters_of(of).least == 3
    made, sums = counting(
        of, tmp_path, lambda kind, node, number: (kind, node, number) == (stage, 0, 1)
    )
    judged = made.observe(1)
    # All are in every sum, so that no one signs who is, and none is opened without all shares.
    assert judged == (stage == AGREE)
    assert made.observe(2) and sums[-1] == 3


@pytest.mark.parametrize("clients", [3, 4, 5, 6])
def test_a_second_lost_site_is_more_than_was_said(clients: int, tmp_path: Path) -> None:
    of = plan(clients, one_late(plan(clients)) or 0.0)
    late = {0: KEYS, 1: OBSERVE}
    made, sums = counting(
        of, tmp_path, lambda kind, node, number: number == 1 and late.get(node) == kind
    )
    assert not made.observe(1)
    assert made.observe(2) and sums == [clients]


def test_a_site_that_is_late_at_every_set_up_costs_the_others_nothing(tmp_path: Path) -> None:
    of = plan(4, 0.25)
    made, sums = counting(of, tmp_path, lambda kind, node, number: (kind, node) == (KEYS, 2))
    assert [made.observe(number) for number in (1, 2, 3)] == [True] * 3
    assert sums == [3, 3, 3]
    # It is in no sum, and so not asked to measure, nor to spend anything.
    assert not any(kind == OBSERVE and node == 2 for kind, _, node in made.sites.asked)


def test_a_server_that_was_killed_within_a_round_does_not_set_up_anew(tmp_path: Path) -> None:
    of = plan(4, 0.25)
    first, _ = counting(of, tmp_path, lambda kind, node, number: (kind, node) == (KEYS, 2))
    assert first.observe(1)
    # Round 2 was booked, and the server killed: clients may have masked their vectors.
    assert first.monitor.spend(2)
    second, sums = counting(of, tmp_path, lambda *which: False)
    asked = len(second.sites.asked)
    assert second.observe(2) and sums == [3]
    assert KEYS not in {kind for kind, _, _ in second.sites.asked[asked:]}
    assert second.observe(3) and sums == [3, 4]


def test_a_set_up_that_fails_leaves_no_half_of_one_behind(tmp_path: Path) -> None:
    of = plan(4, 0.25)
    late = {(KEYS, 2, 1), (SHARES, 0, 2), (SHARES, 1, 2)}
    made, sums = counting(of, tmp_path, lambda *which: which in late)
    assert [made.observe(number) for number in (1, 2, 3)] == [True, False, True]
    assert sums == [3, 4]


def told(of: MonitoringPlan) -> str:
    found = secure_sum_of(of)
    assert found is not None
    return " ".join(masking(found).split())


@pytest.mark.parametrize(("clients", "dropout"), [(3, 0.33), (4, 0.25), (5, 0.2), (6, 0.16)])
def test_the_plan_says_before_the_first_round_what_will_be(clients: int, dropout: float) -> None:
    assert f"with privacy.dropout = {dropout:g}" in told(plan(clients))
    assert "One site may be late" in told(plan(clients, dropout))


def test_where_none_can_be_spared_it_says_so_and_what_could_be_done() -> None:
    of = plan(3, 0.0, 1)
    assert one_late(of) is None
    assert late_by(of) == (
        "with privacy.collusion = 0 and privacy.dropout = 0.33",
        "from 5 clients on with privacy.dropout = 0.2",
    )
    assert "no privacy.dropout changes that" in told(of)
    assert "With privacy.collusion = 0 and privacy.dropout = 0.33 or from 5 clients" in told(of)
    # What is offered is so.
    assert one_late(plan(3)) == 0.33
