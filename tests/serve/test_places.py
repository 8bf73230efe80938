"""Runs that are found, and names that lead nowhere."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.serve.run_maker import RunMaker, plan_of
from unsilent.errors import InputError
from unsilent.ledger import Ledger
from unsilent.serve import places
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

ODD = '<script>alert("x")</script>'.replace("/", "∕")


def browsing(*places: Path) -> TestClient:
    return TestClient(make_app(Places(places), Access(frozenset({"testserver"}))))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    RunMaker(place / "ward").judged(1)
    RunMaker(place / ODD, plan_of("odd"))
    return place


@pytest.fixture(scope="module")
def client(runs: Path) -> Iterator[TestClient]:
    with browsing(runs) as found:
        yield found


@pytest.mark.parametrize(
    "name",
    [
        "../ward",
        "%2e%2e",
        "..%2fward",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "ward%00",
        "ward/../../secret",
        "/etc/passwd",
        "WARD",
        "ward ",
        "a" * 5000,
    ],
)
@pytest.mark.parametrize("tail", ["", "/ledger", "/findings.json", "/ledger/1"])
def test_a_name_that_is_no_run_leads_nowhere(client: TestClient, name: str, tail: str) -> None:
    answer = client.get(f"/runs/{name}{tail}")
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_names_in_a_query_are_looked_up_too(client: TestClient) -> None:
    answer = client.get("/compare", params={"run": ["../ward", "ward"]})
    assert answer.status_code == 200
    assert "Choose two runs that differ." in answer.text


def test_html_in_a_folders_name_is_text_and_has_a_plain_key(client: TestClient) -> None:
    text = client.get("/").text
    assert ODD not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)" in text
    key = text.split('href="/runs/run-')[1].split('"')[0]
    assert client.get(f"/runs/run-{key}").status_code == 200


def test_junk_is_named_as_such_and_harms_no_other_run(tmp_path: Path) -> None:
    RunMaker(tmp_path / "good").judged(1)
    cut = RunMaker(tmp_path / "cut").judged(1).ledger
    data = Path(cut.where).read_bytes()
    for beside in (tmp_path / "cut").glob("ledger.sqlite-*"):
        beside.unlink()
    Path(cut.where).write_bytes(data[: len(data) // 2])
    for name in ("text", "other", "empty", "folder", "not-a-run", "url", "no-url", "nonsense"):
        (tmp_path / name).mkdir()
    (tmp_path / "text" / "ledger.sqlite").write_bytes(b"\xff" * 9000)
    other = sqlite3.connect(tmp_path / "other" / "ledger.sqlite")
    other.execute("create table notes (x)")
    other.close()
    (tmp_path / "empty" / "ledger.sqlite").write_bytes(b"")
    (tmp_path / "folder" / "ledger.sqlite").mkdir()
    Ledger(tmp_path / "not-a-run" / "ledger.sqlite").append("note", {"round": "<b>"})
    (tmp_path / "url" / "ledger.url").write_text("mysql://user:secret@host/db", encoding="utf-8")
    (tmp_path / "no-url" / "ledger.url").write_bytes(b"\xff\xfe\x00")
    nonsense = Ledger(tmp_path / "nonsense" / "ledger.sqlite")
    nonsense.append("plan", {"digest": 1, "plan": plan_of().to_json()})
    nonsense.append("findings", {"round": 1, "clients": "many", "findings": [7]})
    (tmp_path / "a file").write_text("no run", encoding="utf-8")
    with browsing(tmp_path) as client:
        text = client.get("/").text
        assert text.count("This run cannot be read") == 9
        assert text.count("SF-1</b>") == 1
        assert "secret" not in text
        assert str(tmp_path) not in text
        for name in ("text", "other", "empty", "folder", "not-a-run", "url", "no-url", "nonsense"):
            answer = client.get(f"/runs/{name}")
            assert answer.status_code == 422, name
            assert "cannot be read" in answer.text
            assert client.get(f"/runs/{name}/ledger").status_code == 422
        assert client.get("/runs/good").status_code == 200
        assert client.get("/compare", params={"run": ["good", "text"]}).status_code == 200


def test_new_runs_are_found_and_folders_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    first = RunMaker(tmp_path / "a" / "ward")
    RunMaker(tmp_path / "b" / "ward", plan_of("second"))
    places = Places([first.folder, tmp_path / "b"])
    assert list(places.runs()) == ["ward", "ward~2"]
    before = places.state(["ward"]), places.state()
    RunMaker(tmp_path / "b" / "later")
    assert list(places.runs()) == ["ward", "later", "ward~2"]
    assert places.state(["ward"]) == before[0]
    assert places.state() != before[1]


def test_a_folder_that_is_given_to_another_run_shows_the_other(tmp_path: Path) -> None:
    RunMaker(tmp_path / "ward", plan_of("first")).judged(1, 2)
    with browsing(tmp_path) as client:
        assert "first" in client.get("/runs/ward").text
        shutil.move(tmp_path / "ward", tmp_path / "ward.1")
        RunMaker(tmp_path / "ward", plan_of("second"))
        text = client.get("/runs/ward").text
        assert "second" in text
        assert "Nothing is known yet." in text


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Places([tmp_path / "nowhere"])


def test_a_name_that_is_no_text_takes_no_other_run_away(runs: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"ward-\xff")
    shutil.copytree(runs / "ward", odd)
    shutil.copytree(runs / "ward", tmp_path / "ward")
    with browsing(tmp_path) as client:
        text = client.get("/").text
        assert text.count('<article class="panel run"') == 2
        (link,) = set(re.findall(r'href="(/runs/run-[0-9a-f]+)"', text))
        for path in (link, f"{link}/record", f"{link}/ledger", "/compare"):
            answer = client.get(path)
            assert answer.status_code == 200, path
        assert "ward-\ufffd" in client.get(link).text


def test_runs_that_are_not_shown_are_counted(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with browsing(runs) as client:
        assert "not shown" not in client.get("/").text
        monkeypatch.setattr(places, "_MOST", 1)
        assert "1 more run is not shown" in client.get("/").text
