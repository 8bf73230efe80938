"""The record's page and forms: what they write, what they refuse, and who may answer whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.governance.history import ROLES
from tests.serve.run_maker import RunMaker, plan_of
from tests.serve.test_guard import HOSTS, ORIGIN, TOKEN, form_key
from unsilent.ledger.people import OverrideAnswered, OverrideAsked
from unsilent.plan import parse_plan
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

GOVERNANCE = {
    "roles": ROLES,
    "triggers": [{"on": "failure", "action": "correct", "within": 72}],
    "complaints": "the desk",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    plan = parse_plan({**plan_of().to_json(), "governance": GOVERNANCE})
    return RunMaker(tmp_path_factory.mktemp("runs") / "ward", plan).judged(1, 2)


@pytest.fixture(scope="module")
def client(run: RunMaker):
    with TestClient(
        make_app(Places([run.folder.parent]), Access(HOSTS)), follow_redirects=False
    ) as found:
        yield found


def send(client: TestClient, where: str, **form: str) -> tuple[int, str]:
    data = {"form_key": form_key(client, "/runs/ward"), **form}
    answer = client.post(f"/runs/ward/{where}", data=data, headers=ORIGIN)
    return answer.status_code, answer.text


def test_each_form_adds_its_entry_and_what_was_overlooked_is_seen(
    client: TestClient, run: RunMaker
) -> None:
    assert "? 1 that nobody is aware of" in client.get("/").text
    cause = run.ledger.entries("findings")[-1].index
    complaint = {"what": "complaint", "about": "unsafe", "mode": "SF-1", "text": "<b>Mr X"}
    told = {"cause": str(cause), "who": "the board", "note": "by phone", "by": "Ada"}
    action = {"cause": str(cause), "what": "retrain", "owner": "Eve", "by": "Dan"}
    moved = {"left": "2", "joined": "1", "reason": "moved away"}
    forms = [
        ("aware", {"note": "read it", "by": "Ada"}, "aware"),
        ("told", told, "told"),
        ("complaint", {**complaint, "by": "Nurse"}, "complaint"),
        ("review", {"outcome": "act", "note": "retrain", "by": "rita"}, "review"),
        ("open", action, "action_opened"),
        ("clients", {**moved, "by": "Dan"}, "clients_changed"),
    ]
    for name, form, kind in forms:
        before = run.ledger.size
        assert send(client, f"record/{name}", **form)[0] == 303, name
        (entry,) = run.ledger.entries(since=before)
        assert entry.kind == kind
    said = run.ledger.entries("complaint")[0].index
    opened = run.ledger.entries("action_opened")[0].index
    note = {"note": "looked at", "by": "Rita"}
    assert send(client, "record/answer", complaint=str(said), outcome="upheld", **note)[0] == 303
    page = client.get("/runs/ward/record").text
    assert "nobody is aware" not in client.get("/").text
    assert "○ open since" in page
    assert send(client, "record/close", action=str(opened), evidence="report 7", by="Eve")[0] == 303
    assert "No corrective action is open." in client.get("/runs/ward/record").text
    assert "Mr X" not in client.get("/runs/ward/record").text
    assert run.ledger.verify() == run.ledger.size


@pytest.mark.parametrize(
    ("form", "given", "words"),
    [
        ("aware", {"note": "x", "by": ""}, "Say who you are."),
        ("review", {"outcome": "act", "note": "x", "by": "Mallory"}, "does not name this person"),
        ("review", {"outcome": "pray", "note": "x", "by": "Rita"}, "Choose one"),
        ("open", {"cause": "1", "what": "x", "owner": "Eve", "by": "Dan"}, "Choose one"),
        ("clients", {"left": "two", "joined": "0", "reason": "x", "by": "Dan"}, "whole number"),
        ("clients", {"left": "1", "joined": "0", "reason": "x", "by": "Mallory"}, "does not name"),
        ("clients", {"left": "0", "joined": "9", "reason": "x", "by": "Dan"}, "the plan enrols"),
        ("close", {"action": "999", "evidence": "x", "by": "Eve"}, "dealt with meanwhile"),
        (
            "complaint",
            {"what": "complaint", "about": "unsafe", "text": "a" * 4001, "by": "N"},
            "At most 4000",
        ),
    ],
)
def test_a_form_that_cannot_be_is_explained_and_keeps_what_was_typed(
    client: TestClient, run: RunMaker, form: str, given: dict[str, str], words: str
) -> None:
    before = run.ledger.size
    status, page = send(client, f"record/{form}", **given)
    assert (status, run.ledger.size) == (422, before)
    assert words in page
    # Of a choice that is none there is nothing to keep.
    if words.startswith(("Say", "does")):
        assert all(value in page for value in given.values())


def test_a_form_that_is_none_and_one_of_another_site_are_refused(
    client: TestClient, run: RunMaker
) -> None:
    before = run.ledger.size
    assert send(client, "record/erase", by="Ada")[0] == 404
    key = form_key(client, "/runs/ward")
    data = {"form_key": key, "note": "x", "by": "Ada"}
    other = {"origin": "http://evil.example"}
    assert client.post("/runs/ward/record/aware", data=data, headers=other).status_code == 403
    data["form_key"] = "0" * 64
    assert client.post("/runs/ward/record/aware", data=data, headers=ORIGIN).status_code == 403
    assert run.ledger.size == before


def test_four_eyes_in_the_browser(client: TestClient, run: RunMaker) -> None:
    assert send(client, "override", round="2", reason="needed", by="Dan")[0] == 303
    (asked,) = run.ledger.entries("override_asked")
    assert "gate_overrule" not in run.ledger.kinds()
    answer = {"asked": str(asked.index), "word": "approve", "note": "agreed"}
    for name, words in (("dan", "cannot answer it"), ("Mallory", "does not name this person")):
        status, page = send(client, "answer", **answer, answerer=name)
        assert (status, words in page) == (422, True), name
    assert send(client, "answer", **{**answer, "word": ""}, answerer="Eve")[0] == 422
    assert send(client, "answer", **answer, answerer="Eve")[0] == 303
    assert send(client, "answer", **answer, answerer="Eve")[0] == 422, "answered meanwhile"
    assert "✔ approved by Eve" in client.get("/runs/ward").text


def test_the_session_that_asked_does_not_answer(run: RunMaker) -> None:
    app = make_app(Places([run.folder.parent]), Access(HOSTS, TOKEN, secure=True))
    with TestClient(app, "https://testserver", follow_redirects=False) as one:
        two = TestClient(app, "https://testserver", follow_redirects=False)
        origin = {"origin": "https://testserver"}
        for each in (one, two):
            key = form_key(each, "/login")
            assert (
                each.post(
                    "/login", data={"form_key": key, "token": TOKEN}, headers=origin
                ).status_code
                == 303
            )

        def post(browser: TestClient, where: str, **form: str) -> int:
            data = {"form_key": form_key(browser, "/runs/ward"), **form}
            return browser.post(f"/runs/ward/{where}", data=data, headers=origin).status_code

        assert post(one, "override", round="1", reason="needed", by="Ada") == 303
        asked = run.ledger.entries("override_asked")[-1].index
        answer = {"asked": str(asked), "word": "approve", "note": "ok", "answerer": "Eve"}
        assert post(one, "answer", **answer) == 422
        assert post(two, "answer", **answer) == 303


def test_a_run_without_the_table_says_that_nothing_is_declared(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "ward").judged(1, 2)
    with TestClient(make_app(Places([tmp_path]), Access(HOSTS)), follow_redirects=False) as client:
        page = client.get("/runs/ward/record").text
        assert page.count("∅ not declared") >= 6
        assert "no evidence of none" in page
        cause = str(run.ledger.entries("findings")[-1].index)
        form = {"cause": cause, "what": "retrain", "owner": "Eve", "by": "Dan"}
        assert send(client, "record/open", **form)[0] == 303


def test_an_answer_that_nobody_may_give_is_not_shown_as_one_that_counts(tmp_path: Path) -> None:
    plan = parse_plan({**plan_of().to_json(), "governance": GOVERNANCE})
    run = RunMaker(tmp_path / "runs" / "ward", plan).judged(1)
    asked = run.ledger.record(OverrideAsked(1, "it is needed", "Dan"))
    # By another program: ours refuses it.
    run.ledger.record(OverrideAnswered(asked.hash, True, "yes", "dan"))
    app = make_app(Places([run.folder.parent]), Access(HOSTS))
    with TestClient(app) as browser:
        text = browser.get("/runs/ward").text
    assert "approved by" not in text
    assert "answered, and nothing follows: the one who asked for an override answered it" in text
