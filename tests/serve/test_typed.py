"""Words that a person typed into the dashboard are recorded, or shown again with what is wrong."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.governance.history import ROLES
from tests.serve.run_maker import RunMaker, plan_of
from tests.serve.test_guard import HOSTS, ORIGIN, TOKEN, form_key
from unsilent.governance import texts
from unsilent.governance.duties import duties
from unsilent.ledger.run_view import RunView
from unsilent.plan import parse_plan
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

WORDS = "the ward needs it: <b>at once</b>"
GOVERNANCE = {
    "roles": ROLES,
    "triggers": [{"on": "failure", "action": "inform", "within": 72}],
    "aware_within": 24,
}


@pytest.fixture
def run(tmp_path: Path) -> RunMaker:
    plan = parse_plan({**plan_of().to_json(), "governance": GOVERNANCE})
    return RunMaker(tmp_path / "runs" / "ward", plan).judged(1)


@contextmanager
def browsing(run: RunMaker, token: str | None = None) -> Iterator[TestClient]:
    app = make_app(Places([run.folder.parent]), Access(HOSTS, token))
    with TestClient(app, follow_redirects=False) as client:
        yield client


def post(client: TestClient, where: str, key: str | None = None, **form: str) -> tuple[int, str]:
    key = form_key(client, "/runs/ward") if key is None else key
    answer = client.post(f"/runs/ward/{where}", data={"form_key": key, **form}, headers=ORIGIN)
    return answer.status_code, html.unescape(answer.text)


def test_the_longest_complaint_is_taken_in_any_script(run: RunMaker) -> None:
    text = "漢字\r\n" * 1000
    form = {"what": "complaint", "about": "wrong", "mode": "", "text": text, "by": "Ann"}
    with browsing(run) as client:
        assert post(client, "record/complaint", **form)[0] == 303
    (told,) = run.ledger.entries("complaint")
    kept = texts.read(run.folder, told.payload["digest"])
    assert kept is not None
    assert kept.text == text.replace("\r\n", "\n").strip()


@pytest.mark.parametrize("where", ["record/aware", "override"])
def test_words_outlast_a_server_that_began_anew(run: RunMaker, where: str) -> None:
    form = {"note": WORDS, "reason": WORDS, "round": "0", "by": "Ann"}
    with browsing(run) as client:
        key = form_key(client, "/runs/ward")
    with browsing(run) as client:
        status, text = post(client, where, key, **form)
    assert status == 403
    assert WORDS in text
    assert "Nothing of it was recorded" in text
    assert key not in text
    assert not run.ledger.entries("aware")


def test_words_outlast_a_session(run: RunMaker) -> None:
    with browsing(run, TOKEN) as client:
        status, text = post(client, "record/aware", "gone", note=WORDS, by="Ann")
    assert status == 401
    assert WORDS in text
    assert 'href="/login"' in text


def test_a_token_is_never_shown_again(run: RunMaker) -> None:
    with browsing(run, TOKEN) as client:
        form = {"form_key": "gone", "token": TOKEN}
        answer = client.post("/login", data=form, headers=ORIGIN)
    assert answer.status_code == 403
    assert TOKEN not in answer.text


def test_words_from_another_site_are_not_repeated(run: RunMaker) -> None:
    with browsing(run, TOKEN) as client:
        other = {"origin": "http://other.example"}
        answer = client.post("/runs/ward/record/aware", data={"note": WORDS}, headers=other)
    assert answer.status_code == 401
    assert "at once" not in answer.text


@pytest.fixture
def closed(run: RunMaker) -> RunMaker:
    """A ledger that takes no entry, as on a disk that is full."""
    with sqlite3.connect(run.folder / "ledger.sqlite") as opened:
        opened.execute(
            "CREATE TRIGGER full BEFORE INSERT ON unsilent_ledger "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    return run


FORMS = {
    "record/aware": {"note": WORDS, "by": "Ann"},
    "record/review": {"outcome": "act", "note": WORDS, "by": "Rita"},
    "record/complaint": {
        "what": "complaint", "about": "wrong", "mode": "", "text": WORDS, "by": "Ann",
    },
    "override": {"round": "0", "reason": WORDS, "by": "Dan"},
}  # fmt: skip


@pytest.mark.parametrize("where", FORMS)
def test_what_cannot_be_recorded_stays_in_its_form(closed: RunMaker, where: str) -> None:
    with browsing(closed) as client:
        status, text = post(client, where, **FORMS[where])
    assert status == 422
    assert WORDS in text
    assert "Nothing was recorded: " in text
    assert "The run cannot be read" not in text
    assert str(closed.folder) not in text


def test_a_complaint_that_is_in_no_ledger_leaves_no_text(closed: RunMaker) -> None:
    with browsing(closed) as client:
        post(client, "record/complaint", **FORMS["record/complaint"])
    assert not list((closed.folder / texts.FOLDER).iterdir())


def test_a_folder_that_takes_no_complaint_says_so(run: RunMaker) -> None:
    (run.folder / texts.FOLDER).write_text("in the way", encoding="utf-8")
    with browsing(run) as client:
        status, text = post(client, "record/complaint", **FORMS["record/complaint"])
    assert status == 422
    assert WORDS in text
    assert "Nothing was recorded: it cannot be written" in text


@pytest.mark.parametrize("where", ["record/aware", "record/review", "override"])
def test_nobody_is_aware_of_what_no_page_has_shown(run: RunMaker, where: str) -> None:
    with browsing(run) as client:
        seen = str(run.ledger.size)
        run.judged(2)
        status, text = post(client, where, **FORMS[where], seen=seen)
        assert status == 422
        assert "Since you opened this page: SF-1 is a FAILURE since round 2." in text
        assert WORDS in text
        assert [each.aware for each in duties(run.plan, RunView(run.ledger))] == [None]
        assert f'name="seen" value="{run.ledger.size}"' in text
        assert post(client, where, **FORMS[where], seen=str(run.ledger.size))[0] == 303
    assert [each.aware is None for each in duties(run.plan, RunView(run.ledger))] == [False]


@pytest.mark.parametrize("name", ["\u200b", "\u115f", "\ufe0f\u034f", "A\x07da"])
def test_whoever_knows_has_a_name_that_can_be_read(run: RunMaker, name: str) -> None:
    with browsing(run) as client:
        assert post(client, "record/aware", note=WORDS, by=name)[0] == 422
    assert not run.ledger.entries("aware")


def test_no_page_with_a_form_loads_itself_again_without_scripts(run: RunMaker) -> None:
    with browsing(run) as client:
        pages = {path: client.get(path).text for path in ("/", "/runs/ward", "/runs/ward/record")}
    for path, text in pages.items():
        reloads = path == "/"
        assert ('http-equiv="refresh"' in text) == reloads, path
        assert ("loads itself again" in text) == reloads, path
        assert ("does not follow without scripts" in text) != reloads, path
