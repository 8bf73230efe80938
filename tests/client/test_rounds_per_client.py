"""A plan may let each client release in few of its rounds: less noise, and the client counts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.server.sites import Federation
from unsilent.audit import claim
from unsilent.client.observer import Observer, SystemChange
from unsilent.client.sentences import Sentence
from unsilent.contract import contract
from unsilent.errors import BudgetError, OtherRunError, PlanError, RoundsSpentError
from unsilent.evidence.replayed import cost_faults
from unsilent.findings import write_findings
from unsilent.messages import KEYS, OBSERVE
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import SeededNoise, epsilon
from unsilent.release.noise import planned_event, sum_sigma
from unsilent.release.promise import capped
from unsilent.report.power_tables import rounds_per_client
from unsilent.report.spending import spending
from unsilent.server.run_folder import open_folder

SYSTEM = SystemChange(-0.1, -0.02)


def plan(clients: int = 20, rounds: int = 200, share: float = 0.01, **privacy: Any) -> Any:
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": rounds, "participation": share},
            "monitor": {"min_cohort": 2},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, **privacy},
        }
    )


CAPPED = plan(1000, rounds_per_client=8)


def release(folder: Path, number: int, of: MonitoringPlan = CAPPED, run: str = "run") -> Any:
    observer = Observer(of, "client-7", folder, noise=SeededNoise(1), run=run)
    made = observer.begin(number)
    if made is None:
        made = observer.release(number, [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)], SYSTEM)
    return made


def test_a_cap_of_eight_of_two_hundred_makes_the_noise_five_times_smaller() -> None:
    every = plan(1000)
    assert sum_sigma(every) / sum_sigma(CAPPED) == pytest.approx(5.0, rel=1e-12)
    for number, of in ((8, CAPPED), (200, every)):
        events = [planned_event(of, n + 1) for n in range(number)]
        assert epsilon(events, 1e-5) == pytest.approx(8.0, rel=1e-3)
        assert epsilon(events, 1e-5) <= 8.0
        # Worked out a second time, without the accountant.
        mu = math.sqrt(number) * claim.reach(of) / events[0].sigma
        assert claim.epsilon_of(mu, 1e-5) <= 8.0
        assert claim.mu_of_one(of) == pytest.approx(events[0].mu, rel=1e-3)
    nine = [planned_event(CAPPED, n + 1) for n in range(9)]
    assert epsilon(nine, 1e-5) > 8.4
    assert epsilon(nine, 1e-5, CAPPED.releases_per_client) <= 8.0


def test_a_ninth_release_is_refused_before_anything_is_measured_or_written(tmp_path: Path) -> None:
    made = {number: release(tmp_path, number).to_bytes() for number in range(3, 27, 3)}
    assert len(made) == 8
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    observer = Observer(CAPPED, "client-7", tmp_path, noise=SeededNoise(1), run="run")
    for ask in (
        lambda: release(tmp_path, 30),
        lambda: observer.release(30, [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)], SYSTEM),
        lambda: observer.check_rounds(30),
    ):
        with pytest.raises(RoundsSpentError, match=r"released in 8 rounds.*lets one client"):
            ask()
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before
    # What was released is answered with once more: it costs nothing.
    observer.check_rounds(3)
    assert {number: release(tmp_path, number).to_bytes() for number in made} == made


def test_neither_a_new_run_nor_a_new_plan_nor_a_lost_book_gives_a_ninth(tmp_path: Path) -> None:
    for number in range(1, 9):
        release(tmp_path, number)
    with pytest.raises(OtherRunError):
        release(tmp_path, 9, run="another")
    # All of epsilon is spent by eight: another plan of the same budget has nothing left.
    with pytest.raises(BudgetError, match="over the budget of 8"):
        release(tmp_path, 1, plan(1000, rounds_per_client=7))
    (tmp_path / "budget.json").unlink()
    with pytest.raises(BudgetError, match="is gone"):
        release(tmp_path, 9)


FEW = plan(6, 5, 0.5, epsilon=100.0, rounds_per_client=3, aggregation="secure-sum", dropout=0.34)
"""Three of six clients in each of five rounds, each in three at most, and one may be late."""


def test_a_client_at_its_cap_counts_as_not_taking_part(tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        plan(6, 7, 0.5, rounds_per_client=3)
    first = Federation(FEW, tmp_path)
    assert [first.observe(number, [0, 1, 2]) for number in (1, 2, 3)] == [True, True, True]
    # This server counts with the clients, and asks none that it knows to be at its cap.
    assert not first.coordinator.may_release(0)
    assert first.coordinator.may_release(3)
    asked = len(first.sites.asked)
    assert first.observe(4, [0, 3, 4])
    assert 0 not in {node for _, _, node in first.sites.asked[asked:]}
    assert first.sites.told == []
    # One that was started anew has forgotten; the client has not.
    second = Federation(FEW, tmp_path)
    assert second.observe(5, [0, 3, 5])
    assert second.sites.told == [Sentence.ROUNDS_SPENT.text]
    kinds = [kind for kind, number, node in second.sites.asked if (number, node) == (5, 0)]
    assert KEYS in kinds and OBSERVE not in kinds
    assert second.monitor.stopped is None


def test_where_too_many_are_at_their_cap_the_round_is_missed_and_the_next_one_is_not(
    tmp_path: Path,
) -> None:
    first = Federation(FEW, tmp_path)
    assert all(first.observe(number, [0, 1, 2]) for number in (1, 2, 3))
    second = Federation(FEW, tmp_path)
    assert not second.observe(4, [0, 1, 3])
    assert "privacy.rounds_per_client" in second.missed()[0]["reason"]
    assert second.monitor.stopped is None
    assert second.observe(5, [3, 4, 5])


def test_the_books_count_what_one_client_may_have_spent(tmp_path: Path) -> None:
    open_folder(FEW, tmp_path / "run")
    made = Federation(FEW, tmp_path)
    for number in range(1, 6):
        assert made.observe(number, [[0, 1, 2], [3, 4, 5]][number % 2])
    told = made.monitor.findings().privacy
    assert told.releases == 5
    assert told.epsilon_spent is not None and told.epsilon_spent <= 100.0
    assert "at most 3 times in 5 rounds" in told.statement
    assert capped(FEW)[0] in told.statement
    write_findings(tmp_path / "run" / "findings.json", made.monitor.findings())
    spent = spending(tmp_path / "run")
    assert spent.running[2] == spent.running[4] == spent.spent <= 100.0
    assert spent.running[1] < spent.running[2]
    assert list(cost_faults(FEW, made.ledger.entries())) == []
    # Booked for a plan without the cap, these costs are not the plan's.
    assert list(cost_faults(plan(6, 5, 0.5, epsilon=100.0, dropout=0.34), made.ledger.entries()))


def test_the_plan_says_beforehand_what_the_cap_means() -> None:
    (told,) = rounds_per_client(CAPPED)
    assert "at most 8 of 200" in told and "fewer than 0.1%" in told
    often = plan(2000, 100, 0.05, rounds_per_client=8)
    fewer = sum(math.comb(99, n) * 0.05**n * 0.95 ** (99 - n) for n in range(8))
    assert f"{1 - fewer:.1%}" in rounds_per_client(often)[0]
    assert "late rounds are missed" in rounds_per_client(often)[0]
    assert (
        "late rounds"
        not in rounds_per_client(plan(2000, 100, 0.05, rounds_per_client=8, dropout=0.15))[0]
    )
    text = contract(CAPPED).text()
    assert "in 8 of them at most" in text
    assert "of which a client is in 8 at most" in text
    assert contract(CAPPED).to_json()["releases"] == 8


def test_a_plan_without_the_key_is_what_it_was() -> None:
    bare = plan(1000)
    assert "rounds_per_client" not in str(bare.to_json())
    assert rounds_per_client(bare) == capped(bare) == ()
    assert "releases" not in contract(bare).to_json()
    # Recorded before the key was there.
    assert bare.digest == "sha256:16052a200e77f7ee7cd0457f2fbe5de891faeffb9f109f353e2479cc27c0432d"
    assert plan(1000, rounds_per_client=8).digest != bare.digest


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"rounds_per_client": 0}, "rounds_per_client"),
        ({"rounds_per_client": 1, "clients": 100}, "100 clients of at most 1 rounds each"),
        ({"unit": "none", "epsilon": None, "rounds_per_client": 8}, "there is none"),
    ],
)
def test_caps_that_mean_nothing_are_refused(given: dict[str, Any], what: str) -> None:
    data = CAPPED.to_json()
    data["federation"]["clients"] = given.pop("clients", 1000)
    data["federation"]["participation"] = 0.1 if "epsilon" not in given else 0.01
    for key in [key for key, value in given.items() if value is None]:
        for name in ("epsilon", "delta", "clip", "adjacency"):
            data["privacy"].pop(name, None)
        del given[key]
    data["privacy"] |= given
    with pytest.raises(PlanError, match=what):
        parse_plan(data)
