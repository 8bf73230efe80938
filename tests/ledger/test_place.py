"""A run finds its ledger again, and no password is ever written or shown."""

import pytest

from unsilent.errors import InputError, LedgerError, RunError
from unsilent.ledger import Ledger
from unsilent.ledger.location import ledger_of, open_ledger


def test_a_run_keeps_its_ledger_in_its_folder(tmp_path):
    open_ledger(tmp_path).append("plan", {})
    assert [e.kind for e in ledger_of(tmp_path).page()] == ["plan"]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".url") == []


def test_a_run_goes_on_in_the_place_it_was_given(tmp_path, place):
    url = place.where if place.schema else f"sqlite:///{place.where}"
    open_ledger(tmp_path, url).append("plan", {})
    assert open_ledger(tmp_path).append("note", {}).index == 2
    assert open_ledger(tmp_path, url).size == 2
    assert ledger_of(tmp_path).kinds() == {"note": 1, "plan": 1}


def test_two_runs_do_not_share_a_ledger(tmp_path, place):
    url = place.where if place.schema else f"sqlite:///{place.where}"
    one, two = tmp_path / "one", tmp_path / "two"
    open_ledger(one, url).append("plan", {})
    with pytest.raises(RunError, match=r"another run's ledger.*schema=NAME"):
        open_ledger(two, url)
    with pytest.raises(RunError, match="keeps its ledger in"):
        open_ledger(one, f"sqlite:///{tmp_path}/other.db")


def test_a_run_that_began_with_a_file_keeps_to_it(tmp_path):
    open_ledger(tmp_path)
    with pytest.raises(RunError, match=r"keeps its ledger in ledger\.sqlite"):
        open_ledger(tmp_path, f"sqlite:///{tmp_path}/other.db")


def test_a_folder_without_ledger(tmp_path):
    with pytest.raises(InputError, match=r"ledger\.sqlite: no such file"):
        ledger_of(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@host/name",
        "postgresql://user@host/name?password=hunter2",
        "mysql://user:hunter2@host/name",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path, url):
    with pytest.raises(LedgerError) as refused:
        open_ledger(tmp_path, url)
    assert "hunter2" not in refused.value.line()
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_server_name_no_password(postgres, monkeypatch):
    monkeypatch.delenv("PGPASSFILE")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with pytest.raises(LedgerError, match="password authentication failed") as refused:
        Ledger(postgres)
    assert "hunter2" not in refused.value.line()


def test_a_server_that_is_not_there(tmp_path):
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with pytest.raises(LedgerError, match="Check that it can be reached"):
        Ledger(f"postgresql://unsilent@/postgres?host={tmp_path}")


def test_schemas_have_plain_names():
    with pytest.raises(LedgerError, match="schema's name"):
        Ledger('postgresql://host/name?schema=a"; DROP')


def test_runs_in_two_schemas_have_chains_of_their_own(postgres):
    from tests.ledger.conftest import new_schema

    places = [new_schema(postgres) for _ in range(2)]
    for count, place in enumerate(places, start=1):
        for _ in range(count):
            Ledger(place.where).append("note", {})
    assert [Ledger(place.where).verify() for place in places] == [1, 2]
