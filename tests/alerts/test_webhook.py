"""A webhook is signed, tried a bounded number of times, and shows neither address nor secret."""

import hashlib
import hmac
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.alerts.conftest import judge
from unsilent.alerts.state import alert_of
from unsilent.alerts.webhook import ATTEMPTS, Webhook
from unsilent.errors import AlertError

SECRET = b"hunter2"


@contextmanager
def receiver(*answers):
    """A real server that answers by the list, then 200; what it got is in ``seen``."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = answers[len(seen)] if len(seen) < len(answers) else 200
            seen.append((self.headers, body))
            code, headers = answer if isinstance(answer, tuple) else (answer, {})
            if code == 0:
                self.connection.close()
                return
            self.send_response(code)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token-abc", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def event(ledger, plan):
    judge(ledger, plan, 1)
    return alert_of(ledger, ledger.entries("findings")[0])


@pytest.fixture
def waits():
    return []


def test_the_receiver_can_check_signature_and_key(event, waits):
    with receiver() as (url, seen):
        Webhook(url, SECRET, waits.append, clock=lambda: 1_700_000_000.9).send(event)
    ((headers, body),) = seen
    assert headers["X-Unsilent-Timestamp"] == "1700000000"
    expected = hmac.new(SECRET, b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["X-Unsilent-Signature"] == f"sha256={expected}"
    assert headers["Idempotency-Key"] == event.key
    assert json.loads(body) == event.to_json()
    assert waits == []


def test_what_may_pass_is_tried_again_under_the_same_key(event, waits):
    with receiver(503, 0, 429) as (url, seen):
        Webhook(url, SECRET, waits.append).send(event)
    assert len(seen) == 4
    assert {headers["Idempotency-Key"] for headers, _ in seen} == {event.key}
    assert len({body for _, body in seen}) == 1
    for wait, first in zip(waits, (1, 2, 4), strict=True):
        assert first <= wait <= 1.5 * first


def test_it_gives_up(event, waits):
    with receiver(*[500] * 9) as (url, seen):
        with pytest.raises(AlertError, match=f"not delivered in {ATTEMPTS} attempts: HTTP 500"):
            Webhook(url, SECRET, waits.append).send(event)
        assert len(seen) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1


@pytest.mark.parametrize("code", [301, 400, 401, 404])
def test_what_will_not_pass_is_tried_once(event, waits, code):
    with receiver((code, {"Location": "http://127.0.0.1:9/"})) as (url, seen):
        with pytest.raises(AlertError, match=f"refused with HTTP {code}"):
            Webhook(url, SECRET, waits.append).send(event)
        assert len(seen) == 1


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("9999", 60.0)])
def test_the_receiver_may_ask_for_time(event, waits, asked, waited):
    with receiver((503, {"Retry-After": asked})) as (url, _):
        Webhook(url, SECRET, waits.append).send(event)
    assert waits == [waited]


def test_neither_address_nor_secret_is_shown(event, waits):
    hook = Webhook("http://user:pw@localhost:1/token-abc", SECRET, waits.append)
    with pytest.raises(AlertError) as failed:
        hook.send(event)
    for text in (failed.value.line(), repr(hook)):
        assert "token-abc" not in text
        assert "pw" not in text
        assert "hunter2" not in text
