"""A client's budget stops it, survives crashes, and is never reset by itself."""

import json
import multiprocessing
import os
import shutil

import pytest

from unsilent.client.limit import Limit, LimitFile
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError
from unsilent.files import digest_json
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.release import ExactNoise, SeededNoise, epsilon

SYSTEM = SystemChange(-0.1, -0.02)
STATISTICS = [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)]


def plan(name="plan", budget=2.0, rounds=3):
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 20, "rounds": rounds},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": budget},
        }
    )


def observer(folder, of=None, client="client-7"):
    return Observer(of or plan(), client, folder, noise=ExactNoise())


def release(folder, round_number=1, of=None):
    return observer(folder, of).release(round_number, STATISTICS, SYSTEM)


def allow(folder, budget):
    """Raise the client's own limit, as whoever owns the folder may."""
    LimitFile(folder).write(Limit("client", "zero-out", "plain", budget, 1e-5))


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


def test_a_release_over_the_budget_is_refused_before_anything_is_written(tmp_path):
    for r in (1, 2, 3):
        release(tmp_path, r)
    before = contents(tmp_path)
    with pytest.raises(BudgetError, match=r"over the budget of 2.*Nothing was sent"):
        release(tmp_path, 1, plan("next"))
    assert contents(tmp_path) == before


def test_what_an_earlier_plan_spent_still_counts(tmp_path):
    release(tmp_path, 1)
    release(tmp_path, 2)
    rich = plan("next", budget=3.0)
    allow(tmp_path, 3.0)
    release(tmp_path, 1, rich)
    who = observer(tmp_path, rich)
    assert len(who.events()) == 3
    assert who.spent() == epsilon(who.events(), 1e-5)
    assert who.spent() > observer(tmp_path / "fresh", rich).spent() == 0.0
    with pytest.raises(BudgetError, match="over the budget"):
        for r in (2, 3):
            release(tmp_path, r, rich)


def test_the_same_round_of_another_plan_is_another_release(tmp_path):
    first = release(tmp_path, 1)
    allow(tmp_path, 4.0)
    second = release(tmp_path, 1, plan("next", budget=4.0))
    assert first != second
    assert release(tmp_path, 1) == first


def test_a_crash_before_the_cost_was_written_neither_repeats_nor_loses_the_release(tmp_path):
    release(tmp_path, 1)
    before = (tmp_path / "budget.json").read_bytes()
    second = release(tmp_path, 2)
    (tmp_path / "budget.json").write_bytes(before)
    assert release(tmp_path, 2) == second
    assert [event.round for event in observer(tmp_path).events()] == [1, 2]


def test_a_lost_budget_file_beside_releases_is_not_a_new_budget(tmp_path):
    release(tmp_path, 1)
    (tmp_path / "budget.json").unlink()
    with pytest.raises(BudgetError, match=r"budget\.json: .*is gone.*backup"):
        release(tmp_path, 2)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace('"sigma": ', '"sigma": 9'),
        lambda text: text.replace("release", "relaese", 1),
        lambda text: "[]",
        lambda text: "\x00" * 40,
    ],
)
def test_a_damaged_budget_file_stops_the_client(tmp_path, damage):
    release(tmp_path, 1)
    path = tmp_path / "budget.json"
    changed = damage(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    for r in (1, 2):
        with pytest.raises(BudgetError, match=r"budget\.json.*backup"):
            release(tmp_path, r)
    assert path.read_text() == changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "unsilent/budget/99"}, "unknown schema"),
        ({"client": "somebody"}, "another client"),
        ({"releases": [{"plan": "x"}]}, "not one"),
        ({"releases": 5}, "not one"),
    ],
)
def test_a_budget_file_with_a_right_digest_and_wrong_content(tmp_path, change, words):
    release(tmp_path, 1)
    path = tmp_path / "budget.json"
    record = json.loads(path.read_text()) | change
    del record["check"]
    path.write_text(json.dumps(record | {"check": digest_json(record)}))
    with pytest.raises(BudgetError, match=words):
        release(tmp_path, 2)


def test_a_release_that_is_gone_or_swapped_is_not_made_again(tmp_path):
    first = release(tmp_path / "a", 1)
    other = release(tmp_path / "b", 1)
    assert first != other
    (path,) = (tmp_path / "a").glob("release-1-*.bin")
    path.write_bytes((tmp_path / "b" / path.name).read_bytes())
    with pytest.raises(BudgetError, match="not the one that was made"):
        release(tmp_path / "a", 1)
    path.write_bytes(b"unsilRel")
    with pytest.raises(BudgetError, match="gone or damaged"):
        release(tmp_path / "a", 1)
    path.unlink()
    with pytest.raises(BudgetError, match="not made a second time"):
        release(tmp_path / "a", 1)
    shutil.copytree(tmp_path / "b", tmp_path / "a", dirs_exist_ok=True)
    assert release(tmp_path / "a", 1) == other


def _release(folder, queue):
    # Each process would draw other noise.
    one = Observer(plan(), "client-7", folder, noise=SeededNoise(os.getpid()))
    queue.put(one.release(1, STATISTICS, SYSTEM).to_bytes())


def test_two_processes_asked_at_once_answer_the_same(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_release, args=(tmp_path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert answers[0] == answers[1]
    assert len(observer(tmp_path).events()) == 1
