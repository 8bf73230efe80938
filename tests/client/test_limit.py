"""No server, old, second or greedy, makes a client spend more than its own limit."""

import json

import pytest

from unsilent.cli import main
from unsilent.client.limit import Limit, LimitFile, set_limit
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError
from unsilent.ledger import Ledger
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.release import SeededNoise
from unsilent.server.monitor import Monitor

SYSTEM = SystemChange(-0.1, -0.02)


def plan(name="plan", **privacy):
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 20, "rounds": 3},
            "monitor": {"items": "these"},
            "probes": {"sampling": "same"},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 2.0, "aggregation": "plain", **privacy},
        }
    )


def observer(folder, of, seed=1):
    return Observer(of, "client-7", folder, noise=SeededNoise(seed))


def release(folder, round_number, of=None, *, value=0.1, seed=1):
    statistics = [Statistic("SF-1", value, -1.0, 1.0, 0.02, 50)]
    return observer(folder, of or plan(), seed).release(round_number, statistics, SYSTEM)


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


def test_the_first_plan_sets_the_limit(tmp_path):
    release(tmp_path, 1)
    assert LimitFile(tmp_path).read() == Limit("client", "zero-out", "plain", 2.0, 1e-5)


@pytest.mark.parametrize("change", [{"epsilon": 50.0}, {"epsilon": 3.0}, {"delta": 1e-2}])
def test_a_server_with_a_richer_plan_gets_no_more_than_the_first_allowed(tmp_path, change):
    for r in (1, 2, 3):
        release(tmp_path, r)
    before = files(tmp_path)
    with pytest.raises(BudgetError, match=r"over this client's own limit of 2\. Nothing was sent"):
        release(tmp_path, 1, plan("rich", **change))
    assert files(tmp_path) == before


def test_many_plans_of_the_same_epsilon_stop_at_the_limit_too(tmp_path):
    made = 0
    with pytest.raises(BudgetError, match="Nothing was sent"):
        for number in range(9):
            release(tmp_path, 1, plan(f"plan-{number}"))
            made += 1
    assert made == 3
    assert observer(tmp_path, plan()).spent() <= 2.0


@pytest.mark.parametrize("change", [{"adjacency": "replace-one"}, {"unit": "record"}])
def test_a_plan_in_other_terms_is_refused(tmp_path, change):
    release(tmp_path, 1)
    before = files(tmp_path)
    with pytest.raises(BudgetError, match=r"limit for client and zero-out.*folder of its own"):
        release(tmp_path, 1, plan("other", **change))
    assert files(tmp_path) == before


def test_a_client_that_masked_its_vectors_never_sends_one_in_plain(tmp_path):
    release(tmp_path, 1, plan(aggregation="secure-sum"))
    before = files(tmp_path)
    with pytest.raises(BudgetError, match=r"in plain.*Nothing was sent"):
        release(tmp_path, 1, plan("plain"))
    assert files(tmp_path) == before


def test_a_secure_sum_is_welcome_where_plain_was(tmp_path):
    release(tmp_path, 1)
    release(tmp_path, 1, plan("masked", aggregation="secure-sum"))
    assert len(observer(tmp_path, plan()).events()) == 2


def test_a_limit_put_there_beforehand_binds_the_first_plan(tmp_path):
    LimitFile(tmp_path).write(Limit("client", "zero-out", "plain", 0.5, 1e-5))
    with pytest.raises(BudgetError, match=r"own limit of 0\.5"):
        release(tmp_path, 1)
    assert list(files(tmp_path)) == ["limit.json"]


def test_the_owner_of_the_folder_may_raise_it(tmp_path):
    for r in (1, 2, 3):
        release(tmp_path, r)
    LimitFile(tmp_path).write(Limit("client", "zero-out", "plain", 9.0, 1e-5))
    release(tmp_path, 1, plan("rich", epsilon=8.0))
    assert len(observer(tmp_path, plan()).events()) == 4


def test_a_limit_that_is_gone_is_not_taken_from_the_next_plan(tmp_path):
    release(tmp_path, 1)
    (tmp_path / "limit.json").unlink()
    with pytest.raises(BudgetError, match=r"limit\.json: .*is gone"):
        release(tmp_path, 2)
    assert len(observer(tmp_path, plan()).events()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": 0},
        {"epsilon": "9"},
        {"epsilon": True},
        {"delta": 1.0},
        {"unit": "family"},
        {"aggregation": "post"},
        {"more": 1},
        {"schema": "unsilent/limit/2"},
    ],
)
def test_a_limit_that_is_none(tmp_path, change):
    release(tmp_path, 1)
    path = tmp_path / "limit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BudgetError, match=r"limit\.json.*Nothing was sent"):
        release(tmp_path, 2)


def test_a_restored_server_asks_again_and_learns_nothing_new(tmp_path):
    """Its ledger forgets round 1; the client does not, whatever it would measure now."""
    old = Monitor(plan(), Ledger(tmp_path / "old.sqlite"))
    old.spend(1)
    first = release(tmp_path / "client", 1)
    restored = Monitor(plan(), Ledger(tmp_path / "restored.sqlite"))
    restored.spend(1)
    spent = files(tmp_path / "client")
    again = release(tmp_path / "client", 1, value=-0.2, seed=2)
    assert again.to_bytes() == first.to_bytes()
    assert files(tmp_path / "client") == spent


def test_a_second_server_with_the_same_plan_gets_the_same_bytes(tmp_path):
    firsts = [release(tmp_path, r).to_bytes() for r in (1, 2)]
    copy = parse_plan(plan().to_json())
    replayed = [release(tmp_path, r, copy, seed=9).to_bytes() for r in (2, 1, 2, 1)]
    assert replayed == [firsts[1], firsts[0], firsts[1], firsts[0]]
    assert len(observer(tmp_path, plan()).events()) == 2


def test_the_server_books_a_round_once_and_refuses_one_over_the_budget(tmp_path):
    monitor = Monitor(plan(), Ledger(tmp_path / "ledger.sqlite"))
    for r in (1, 2, 2, 3, 1):
        monitor.spend(r)
    entries = len(Ledger(tmp_path / "ledger.sqlite").entries("privacy_event"))
    assert entries == 3
    with pytest.raises(BudgetError, match="over the budget of 2"):
        monitor.spend(4)
    assert len(Ledger(tmp_path / "ledger.sqlite").entries("privacy_event")) == 3


def test_the_command_sets_shows_and_refuses(tmp_path, capsys):
    assert main(["privacy", "limit", str(tmp_path)]) == 2
    assert "no limit here" in capsys.readouterr().err
    assert main(["privacy", "limit", str(tmp_path), "--epsilon", "4"]) == 0
    assert LimitFile(tmp_path).read() == Limit("client", "zero-out", "secure-sum", 4.0, 1e-5)
    asked = ["privacy", "limit", str(tmp_path), "--epsilon", "1", "--aggregation", "plain"]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1])["aggregation"] == "plain"
    assert main(["privacy", "limit", str(tmp_path)]) == 0
    assert "epsilon 1 at delta 1e-05" in capsys.readouterr().out
    assert main(["privacy", "limit", str(tmp_path), "--epsilon", "0"]) == 2
    with pytest.raises(BudgetError, match=r"own limit of 1\."):
        release(tmp_path, 1) and release(tmp_path, 2)


def test_what_was_counted_cannot_be_declared_anew(tmp_path):
    release(tmp_path, 1)
    (tmp_path / "limit.json").unlink()
    with pytest.raises(BudgetError, match="from a backup"):
        set_limit(tmp_path, 99.0)
