"""Who is let in: host names, tokens, sites, forms. Nothing that is refused changes anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.serve.run_maker import RunMaker
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

TOKEN = "a token of at least thirty-two characters"
HOSTS = frozenset({"testserver"})
ORIGIN = {"origin": "http://testserver"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    return RunMaker(tmp_path_factory.mktemp("runs") / "ward").judged(1, 2)


@pytest.fixture(scope="module")
def client(run: RunMaker) -> Iterator[TestClient]:
    """A browser on the dashboard at loopback, where no token is asked for."""
    app = make_app(Places([run.folder.parent]), Access(HOSTS))
    with TestClient(app, follow_redirects=False) as found:
        yield found


@pytest.fixture
def locked(run: RunMaker) -> Iterator[TestClient]:
    """The same where a token is asked for."""
    app = make_app(Places([run.folder.parent]), Access(HOSTS, TOKEN, secure=True))
    with TestClient(app, "https://testserver", follow_redirects=False) as found:
        yield found


def form_key(client: TestClient, path: str) -> str:
    text = client.get(path).text
    return text.split('name="form_key" value="')[1].split('"')[0]


def override(client: TestClient, headers: dict[str, str], **change: str) -> int:
    """The status of an override that is right but for the changes."""
    form = {"round": "2", "reason": "it must", "by": "me", **change}
    form.setdefault("form_key", form_key(client, "/runs/ward"))
    return client.post("/runs/ward/override", data=form, headers=headers).status_code


def test_every_answer_has_the_headers(client: TestClient) -> None:
    for path, status in (("/", 200), ("/runs/ward", 200), ("/nowhere", 404), ("/static/x", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http:" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in answer.headers


def test_pages_hold_no_inline_script_or_style_and_name_no_other_host(client: TestClient) -> None:
    for path in ("/", "/runs/ward", "/runs/ward/ledger", "/runs/ward/ledger/1", "/compare"):
        text = client.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert "<script>" not in text
        assert " onclick" not in text
        assert "://" not in text, path


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "evil@testserver", "", "[", "testserver@x"]
)
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


def test_requests_that_other_sites_make_are_refused_and_links_are_followed(
    client: TestClient,
) -> None:
    script = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    image = {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/events", headers=script).status_code == 403
    assert client.get("/runs/ward", headers=image).status_code == 403
    assert client.get("/", headers=link).status_code == 200
    framed = {**link, "sec-fetch-dest": "iframe"}
    assert client.get("/", headers=framed).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://testserver:81"},
        {"origin": "http://testserver.evil.example"},
        {**ORIGIN, "sec-fetch-site": "cross-site"},
        {**ORIGIN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_a_form_of_another_site_is_refused(
    client: TestClient, run: RunMaker, headers: dict[str, str]
) -> None:
    before = run.ledger.size
    assert override(client, headers) == 403
    assert run.ledger.size == before


@pytest.mark.parametrize("key", ["", "0" * 64, "é"])
def test_a_form_without_its_key_is_refused(client: TestClient, run: RunMaker, key: str) -> None:
    before = run.ledger.size
    assert override(client, ORIGIN, form_key=key) == 403
    assert run.ledger.size == before


def test_forms_that_are_none_are_refused(client: TestClient, run: RunMaker) -> None:
    before = run.ledger.size
    path = "/runs/ward/override"
    too_large = "reason=" + "a" * 70_000
    kind = {**ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    assert client.post(path, json={"round": 1}, headers=ORIGIN).status_code == 415
    assert client.post(path, content=too_large, headers=kind).status_code == 413
    assert client.post(path, content=b"reason=\xff", headers=kind).status_code == 400
    assert client.post(path, content="a=1&" * 50, headers=kind).status_code == 400
    assert run.ledger.size == before


def test_an_override_lands_in_the_ledger(client: TestClient, run: RunMaker) -> None:
    before = run.ledger.size
    assert override(client, ORIGIN, reason="  the <ward> needs it ", by="A. Person") == 303
    (said,) = run.ledger.entries("gate_overrule", since=before)
    assert said.payload == {"round": 2, "reason": "the <ward> needs it", "by": "A. Person"}
    assert run.ledger.verify() == before + 1
    page = client.get("/runs/ward").text
    assert "the &lt;ward&gt; needs it" in page
    assert "<ward>" not in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": " "}, "Say why."),
        ({"by": ""}, "Say who you are."),
        ({"round": "9"}, "the gate has decided about no round 9"),
        ({"round": "-1"}, "Choose a round."),
        ({"round": "²"}, "Choose a round."),
        ({"reason": "a" * 2001}, "At most 2000 characters."),
    ],
)
def test_an_override_that_cannot_be_is_explained_and_what_was_typed_kept(
    client: TestClient, run: RunMaker, change: dict[str, str], words: str
) -> None:
    before = run.ledger.size
    form = {"round": "2", "reason": "because", "by": "A. Person", **change}
    form["form_key"] = form_key(client, "/runs/ward")
    answer = client.post("/runs/ward/override", data=form, headers=ORIGIN)
    assert answer.status_code == 422
    assert words in answer.text
    assert form["by"] in answer.text
    assert run.ledger.size == before


def test_without_the_token_nothing_is_shown(locked: TestClient, run: RunMaker) -> None:
    before = run.ledger.size
    for path in ("/", "/runs/ward", "/runs/ward/ledger", "/events", "/state", "/compare", "/x"):
        answer = locked.get(path)
        assert answer.status_code == 401, path
        assert "ward" not in answer.text
    key = form_key(locked, "/login")
    assert override(locked, {"origin": "https://testserver"}, form_key=key) == 401
    assert run.ledger.size == before


@pytest.mark.parametrize("given", ["", "wrong", TOKEN + "x", TOKEN[:-1], "é" * 40, TOKEN.upper()])
def test_a_wrong_token_is_refused(locked: TestClient, given: str) -> None:
    form = {"token": given, "form_key": form_key(locked, "/login")}
    answer = locked.post("/login", data=form, headers={"origin": "https://testserver"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    bearer = f"Bearer {given}".encode()
    assert locked.get("/", headers={"authorization": bearer}).status_code == 401


def test_a_token_in_an_address_is_no_token(locked: TestClient) -> None:
    assert locked.get(f"/?token={TOKEN}").status_code == 401


def test_signing_in_gives_a_session_and_signing_out_ends_it(locked: TestClient) -> None:
    origin = {"origin": "https://testserver"}
    form = {"token": TOKEN, "form_key": form_key(locked, "/login")}
    answer = locked.post("/login", data=form, headers=origin)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    for part in ("__Host-unsilent=", "HttpOnly", "SameSite=strict", "Secure", "Path=/"):
        assert part in cookie
    assert locked.get("/").status_code == 200
    assert locked.get("/").headers["strict-transport-security"]
    # The form of someone who has not signed in is not one of this session.
    assert locked.post("/logout", data=form, headers=origin).status_code == 403
    kept = dict(locked.cookies)
    key = form_key(locked, "/")
    assert locked.post("/logout", data={"form_key": key}, headers=origin).status_code == 303
    assert locked.get("/").status_code == 401
    locked.cookies.update(kept)
    assert locked.get("/").status_code == 401


def test_a_program_may_read_with_the_token_in_a_header_but_not_write(
    locked: TestClient, run: RunMaker
) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}", "origin": "https://testserver"}
    found = locked.get("/runs/ward/findings.json", headers=bearer)
    assert found.json()["findings"][0]["verdict"] == "failure"
    before = run.ledger.size
    key = form_key(locked, "/login")
    assert override(locked, bearer, form_key=key) == 401
    assert run.ledger.size == before
