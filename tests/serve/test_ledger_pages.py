"""The ledger's pages: filters, pages, single entries, and that they stay quick."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from benchmarks.large_ledger import enlarge
from tests.serve.run_maker import RunMaker
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

ENTRIES = 20_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    return RunMaker(tmp_path_factory.mktemp("runs") / "ward").judged(1, 2).missed(3)


def browsing(folder: Path) -> TestClient:
    return TestClient(make_app(Places([folder]), Access(frozenset({"testserver"}))))


@pytest.fixture(scope="module")
def client(run: RunMaker) -> Iterator[TestClient]:
    with browsing(run.folder) as found:
        yield found


def entries(text: str) -> list[int]:
    parts = text.split('<th scope="row"><a href="/runs/ward/ledger/')[1:]
    return [int(part.split('"')[0]) for part in parts]


def test_all_entries_are_there_newest_first(client: TestClient, run: RunMaker) -> None:
    text = client.get("/runs/ward/ledger").text
    assert entries(text) == list(range(run.ledger.size, 0, -1))
    assert "no sum: 30 of 36 needed releases arrived" in text
    assert f"Hash chain checked, all {run.ledger.size} entries" in text


def test_filters_by_kind_and_round(client: TestClient, run: RunMaker) -> None:
    def shown(**query: str) -> list[int]:
        return entries(client.get("/runs/ward/ledger", params=query).text)

    every = run.ledger.entries()
    assert shown(kind="system") == [e.index for e in every if e.kind == "system"][::-1]
    assert shown(round="2") == [e.index for e in every if e.round == 2][::-1]
    assert shown(kind="gate", round="3") == [
        e.index for e in every if (e.kind, e.round) == ("gate", 3)
    ]
    assert shown(kind="nonsense'--") == []
    assert shown(before="3") == [2, 1]


@pytest.mark.parametrize("text", ["one", "1.5", "-1", "9" * 40, "1;drop", "²"])
def test_a_round_that_is_no_number_is_refused(client: TestClient, text: str) -> None:
    assert client.get("/runs/ward/ledger", params={"round": text}).status_code == 400


def test_an_entry_is_shown_whole(client: TestClient, run: RunMaker) -> None:
    entry = run.ledger.entries("sum")[0]
    text = client.get(f"/runs/ward/ledger/{entry.index}").text
    assert entry.hash in text
    assert entry.previous in text
    assert "the hash is that of the content below" in text
    assert str(entry.payload["vector"][0]) in text
    for index in ("0", str(run.ledger.size + 1), "9" * 30):
        assert client.get(f"/runs/ward/ledger/{index}").status_code == 404


def test_pages_of_a_large_ledger_hold_together_and_are_quick(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "ward").judged(1, 2)
    enlarge(run.ledger, ENTRIES)
    with browsing(tmp_path) as client:
        client.get("/runs/ward/ledger")
        began = time.process_time()
        for query in ("", "?kind=findings", "?round=700", "?kind=sum&round=900", "?before=9000"):
            assert client.get(f"/runs/ward/ledger{query}").status_code == 200
        # Processor time, which other programs change least; a walk over all would take seconds.
        assert time.process_time() - began < 5 * 0.3
        assert entries(client.get("/runs/ward/ledger?kind=plan").text) == [1]
        page = client.get("/runs/ward").text
        assert "The newest 60 of" in page
        text = client.get("/runs/ward/ledger?round=700").text
        assert len(entries(text)) == 4
        older = client.get("/runs/ward/ledger").text.split('rel="next"')[0].split('href="')[-1]
        first = entries(client.get("/runs/ward/ledger").text)
        second = entries(client.get(older.split('"')[0].replace("&amp;", "&")).text)
        assert first[-1] - 1 == second[0]
        assert len(first) == len(second) == 50
