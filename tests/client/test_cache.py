"""What was made under one plan or for one run goes out under no other, however digests begin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.client.budget import BudgetFile
from unsilent.client.cache import Kept
from unsilent.client.limit import Limit, LimitFile
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError, OtherRunError, PlanError, ReleaseError
from unsilent.files import digest_json
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import ExactNoise, Release

SYSTEM = SystemChange(-0.1, -0.02)
STATISTICS = [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)]
CUTS = (12, 16, 40, 63)


def plan(name: str = "plan") -> MonitoringPlan:
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 20, "rounds": 3},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 2.0},
        }
    )


def colliding(cut: int) -> tuple[MonitoringPlan, MonitoringPlan]:
    """Two plans whose digests share so many of their 64 digits, by a double of the digest."""
    first, second = plan("first"), plan("second")
    for of, last in ((first, "a"), (second, "b")):
        object.__setattr__(of, "digest", "sha256:" + "7" * cut + last * (64 - cut))
    return first, second


def observer(folder: Path, of: MonitoringPlan, run: str = "") -> Observer:
    return Observer(of, "client", folder, noise=ExactNoise(), run=run)


def release(folder: Path, of: MonitoringPlan, number: int = 1, run: str = "") -> Release:
    return observer(folder, of, run).release(number, STATISTICS, SYSTEM)


def allow(folder: Path) -> None:
    LimitFile(folder).write(Limit("client", "zero-out", "plain", 50.0, 1e-5))


def before_it_was_booked(folder: Path) -> None:
    """As if the client had been killed between writing a release and its cost."""
    book = BudgetFile(folder, "client")
    book.write(book.read()[:-1])


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("booked", [True, False])
def test_plans_whose_digests_begin_alike_never_share_a_vector(
    cut: int, booked: bool, tmp_path: Path
) -> None:
    first, second = colliding(cut)
    allow(tmp_path)
    given = release(tmp_path, first)
    if not booked:
        before_it_was_booked(tmp_path)
    assert release(tmp_path, second).vector.tolist() != given.vector.tolist()
    assert release(tmp_path, first) == given
    assert len(observer(tmp_path, first).events()) == 2


def test_a_release_that_was_copied_to_another_plans_name_is_refused(tmp_path: Path) -> None:
    allow(tmp_path)
    release(tmp_path, plan("first"))
    (made,) = tmp_path.glob("release-1-*.bin")
    name = f"release-1-{plan('second').digest.removeprefix('sha256:')}.bin"
    (tmp_path / name).write_bytes(made.read_bytes())
    with pytest.raises(BudgetError, match="not the one that was made"):
        release(tmp_path, plan("second"))


@pytest.mark.parametrize("named", ["second", ""])
def test_a_plans_rounds_go_to_one_run(named: str, tmp_path: Path) -> None:
    given = release(tmp_path, plan(), run="first")
    for number in (1, 2):
        with pytest.raises(OtherRunError, match="another run of the same plan"):
            release(tmp_path, plan(), number, run=named)
    with pytest.raises(OtherRunError):
        observer(tmp_path, plan(), named).begin(2)
    assert observer(tmp_path, plan(), "first").begin(1) == given
    assert observer(tmp_path, plan(), "first").begin(2) is None
    assert release(tmp_path, plan(), run="first") == given
    assert len(observer(tmp_path, plan()).events()) == 1


def test_to_name_no_run_is_to_be_a_run_of_its_own(tmp_path: Path) -> None:
    given = release(tmp_path, plan())
    assert release(tmp_path, plan()) == given
    with pytest.raises(OtherRunError):
        release(tmp_path, plan(), run="first")


def test_a_release_that_was_not_booked_goes_to_its_own_run_alone(tmp_path: Path) -> None:
    given = release(tmp_path, plan(), run="first")
    before_it_was_booked(tmp_path)
    with pytest.raises(OtherRunError):
        release(tmp_path, plan(), run="second")
    assert release(tmp_path, plan(), run="first") == given


def test_a_runs_name_is_kept_with_each_release_and_so_is_not_long(tmp_path: Path) -> None:
    release(tmp_path, plan(), run="r" * 200)
    with pytest.raises(PlanError, match="run's name"):
        observer(tmp_path, plan(), "r" * 201)


def test_another_plan_is_free_to_be_another_run(tmp_path: Path) -> None:
    allow(tmp_path)
    release(tmp_path, plan("first"), run="first")
    release(tmp_path, plan("second"), run="second")


def aged(folder: Path, of: MonitoringPlan, run: str | None, *, booked: bool = True) -> Path:
    """Make a folder one that an older version left: bare releases, shortened names, no runs."""
    digits = of.digest.removeprefix("sha256:")
    old = folder / f"release-1-{digits[:12]}.bin"
    new = folder / f"release-1-{digits}.bin"
    old.write_bytes(Kept.from_bytes(new.read_bytes()).data)
    new.unlink()
    if run is not None:
        (folder / f"run-{digits[:12]}.txt").write_text(run)
    record: dict[str, Any] = json.loads((folder / "budget.json").read_text())
    del record["check"]
    for made in record["releases"]:
        del made["run"]
    if not booked:
        record["releases"] = []
    record["check"] = digest_json(record)
    (folder / "budget.json").write_text(json.dumps(record))
    return old


def test_an_older_folder_goes_on_with_its_run(tmp_path: Path) -> None:
    given = release(tmp_path, plan(), run="first")
    aged(tmp_path, plan(), "first")
    assert release(tmp_path, plan(), run="first") == given
    with pytest.raises(OtherRunError):
        release(tmp_path, plan(), 2, run="second")
    release(tmp_path, plan(), 2, run="first")


def test_an_older_folder_of_a_caller_that_named_no_run_goes_on(tmp_path: Path) -> None:
    given = release(tmp_path, plan())
    aged(tmp_path, plan(), None)
    assert release(tmp_path, plan()) == given


def test_an_older_release_is_not_given_out_under_another_plan(tmp_path: Path) -> None:
    first, second = colliding(12)
    allow(tmp_path)
    given = release(tmp_path, first)
    aged(tmp_path, first, None)
    assert release(tmp_path, second) != given
    assert release(tmp_path, first) == given


def test_an_older_release_that_the_book_does_not_name_is_refused(tmp_path: Path) -> None:
    first, second = colliding(12)
    allow(tmp_path)
    release(tmp_path, first)
    old = aged(tmp_path, first, None, booked=False)
    for of in (first, second):
        with pytest.raises(BudgetError, match=r"does not say of which plan.*remove it"):
            release(tmp_path, of)
    old.unlink()
    release(tmp_path, first)


def test_a_kept_release_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    made = release(tmp_path, plan(), run="r\n{")
    (path,) = tmp_path.glob("release-1-*.bin")
    data = path.read_bytes()
    kept = Kept.from_bytes(data)
    assert (kept.plan, kept.run, kept.round) == (plan().digest, "r\n{", 1)
    assert kept.release() == made
    assert kept.to_bytes() == data
    for damaged in (data[:-1], data[1:], b"", made.to_bytes(), data.replace(b'"round":1', b'""')):
        with pytest.raises(ReleaseError):
            Kept.from_bytes(damaged)
