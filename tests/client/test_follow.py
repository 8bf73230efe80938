"""A client holds a plan that says it follows another against its own book."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unsilent.client.follow import FOLLOWED_FILE
from unsilent.client.observer import Observer, SystemChange
from unsilent.client.sentences import Sentence, sentence_of
from unsilent.errors import BudgetError, BudgetSpentError, OtherVersionError
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import SeededNoise

SYSTEM = SystemChange(-0.1, -0.02)


def plan(name: str, last: int, follows: MonitoringPlan | None = None, **privacy: Any) -> Any:
    versions: dict[str, Any] = {"alpha": 0.05, "epsilon": privacy.pop("whole", 8.0)}
    if follows is not None:
        versions |= {"follows": follows.digest, "last": privacy.pop("since", 2)}
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 20, "rounds": last},
            "monitor": {"alpha": 0.02},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 4.0, **privacy},
            "versions": versions,
        }
    )


FIRST = plan("first", 2)
SECOND = plan("second", 4, FIRST)


def release(folder: Path, of: MonitoringPlan, number: int, run: str = "run") -> Any:
    observer = Observer(of, "client-7", folder, noise=SeededNoise(1), run=run)
    made = observer.begin(number)
    if made is None:
        made = observer.release(number, [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)], SYSTEM)
    return made


def test_it_goes_on_under_the_plan_that_follows_and_under_the_first_no_more(tmp_path: Path) -> None:
    made = [release(tmp_path, FIRST, 1)]
    made += [release(tmp_path, SECOND, 3)]
    with pytest.raises(OtherVersionError, match="which followed this plan") as fault:
        release(tmp_path, FIRST, 2)
    assert sentence_of(fault.value) is Sentence.OTHER_VERSION
    # What was released is given out again: the same bytes, at no further cost.
    assert release(tmp_path, FIRST, 1) == made[0] and release(tmp_path, SECOND, 3) == made[1]


def test_of_two_plans_that_follow_one_it_goes_on_under_the_first_that_came(tmp_path: Path) -> None:
    release(tmp_path, FIRST, 1)
    release(tmp_path, SECOND, 3)
    with pytest.raises(OtherVersionError, match=f"was followed by {SECOND.digest}"):
        release(tmp_path, plan("third", 4, FIRST), 3)


@pytest.mark.parametrize(
    ("of", "run", "why"),
    [
        (SECOND, "another", "to another run"),
        (plan("early", 4, FIRST, since=1), "run", "its last round was 1"),
    ],
)
def test_another_ledger_and_rounds_that_are_forgotten_are_refused(
    of: MonitoringPlan, run: str, why: str, tmp_path: Path
) -> None:
    for number in (1, 2):
        release(tmp_path, FIRST, number)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OtherVersionError, match=why):
        release(tmp_path, of, 3, run)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_client_that_joins_later_begins_with_the_plan_in_force(tmp_path: Path) -> None:
    release(tmp_path, SECOND, 4)
    with pytest.raises(OtherVersionError, match="which followed this plan"):
        release(tmp_path, FIRST, 1)


def test_its_book_refuses_what_both_together_would_exceed(tmp_path: Path) -> None:
    # Epsilon 4 twice is 5.9: within 8 together, and beyond 5.5 together.
    for number, of in ((1, FIRST), (2, FIRST), (3, SECOND), (4, SECOND)):
        release(tmp_path / "fits", of, number)
    first = plan("first", 2, whole=5.5)
    second = plan("second", 4, first, whole=5.5)
    release(tmp_path / "less", first, 1)
    release(tmp_path / "less", first, 2)
    release(tmp_path / "less", second, 3)
    with pytest.raises(BudgetSpentError, match=r"over the budget of 5\.5"):
        release(tmp_path / "less", second, 4)
    # A later plan that says more raises no limit: it is what the first one declared.
    greedy = plan("greedy", 4, first, whole=50.0)
    for number in (1, 2):
        release(tmp_path / "reset", first, number)
    release(tmp_path / "reset", greedy, 3)
    with pytest.raises(BudgetSpentError, match=r"over this client's own limit of 5\.5"):
        release(tmp_path / "reset", greedy, 4)


def test_what_followed_is_never_read_as_nothing(tmp_path: Path) -> None:
    release(tmp_path, FIRST, 1)
    release(tmp_path, SECOND, 3)
    for damaged in (b"", b"[]", b'{"a": 1}', b"\xff"):
        (tmp_path / FOLLOWED_FILE).write_bytes(damaged)
        with pytest.raises(BudgetError, match="not a list of plans"):
            release(tmp_path, FIRST, 2)
