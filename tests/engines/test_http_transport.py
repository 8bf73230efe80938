"""What is on the other side of an address may be anything: it costs its own answer."""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from unsilent.messages import Answer, Order
from unsilent.wire import answer_bytes

ENGINE = Path(__file__).parents[2] / "examples" / "http_engine" / "http_engine.py"
GOOD = b"HTTP/1.0 200 OK\r\n\r\n" + answer_bytes(Answer({"client": 1}))
BAD = {
    "nothing": b"",
    "no HTTP": b"\x00\xff" * 40,
    "no status": b"HTTP/1.0 many\r\n\r\n",
    "cut short": b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nx",
    "no chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a fault": b"HTTP/1.0 500 No\r\n\r\n",
    "elsewhere": b"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "no message": b"HTTP/1.0 200 OK\r\n\r\ngarbage",
}


@pytest.fixture(scope="module")
def engine() -> Any:
    spec = importlib.util.spec_from_file_location("http_engine_example", ENGINE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Peer:
    """Says some bytes to whoever comes, and then a byte now and then until it is let go."""

    def __init__(self, said: bytes, *, drips: bool = False) -> None:
        self._listens = socket.create_server(("127.0.0.1", 0))
        self._said, self._drips, self._over = said, drips, Event()
        self.url = f"http://127.0.0.1:{self._listens.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        peer, _ = self._listens.accept()
        with peer:
            peer.recv(1 << 16)
            peer.sendall(self._said)
            while self._drips and not self._over.wait(0.05):
                peer.sendall(b"x")
            peer.shutdown(socket.SHUT_WR)
            # Else what was not yet read of the question would take the answer back.
            while peer.recv(1 << 16):
                pass

    def close(self) -> None:
        self._over.set()
        self._listens.close()


@pytest.fixture
def good() -> Iterator[Peer]:
    peer = Peer(GOOD)
    yield peer
    peer.close()


def ask(engine: Any, peers: list[Peer], timeout: float = 20.0) -> dict[int, Answer]:
    transport = engine.HttpTransport({n: peer.url for n, peer in enumerate(peers)})
    orders = dict.fromkeys(range(len(peers)), Order("{}", "", 0))
    return dict(transport.ask("name", orders, lambda n, total: None, timeout))


@pytest.mark.parametrize("sort", BAD)
def test_what_is_no_answer_is_a_failure_of_that_client(engine: Any, sort: str, good: Peer) -> None:
    bad = Peer(BAD[sort])
    found = ask(engine, [bad, good])
    bad.close()
    assert found[0] == Answer(failed="no answer from a client")
    assert found[1].body == {"client": 1}


def test_a_client_that_drips_is_not_waited_for(engine: Any, good: Peer) -> None:
    slow, began = Peer(b"HTTP/1.0 200 OK\r\n\r\n", drips=True), time.monotonic()
    found = ask(engine, [slow, good], timeout=1.0)
    took = time.monotonic() - began
    slow.close()
    assert list(found) == [1]
    assert took < 5.0


def test_nobody_asked_is_nobody_answered(engine: Any) -> None:
    assert ask(engine, []) == {}
