"""The dashboard served for a test, on a port of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

HOSTS = frozenset({"127.0.0.1", "localhost", "testserver"})
_PATIENCE_S = 30.0


@contextmanager
def served(*places: Path, token: str | None = None) -> Iterator[str]:
    """The dashboard of these places; yields its address."""
    holder: list[uvicorn.Server] = []
    app = make_app(
        Places(places), Access(HOSTS, token), closing=lambda: bool(holder and holder[0].should_exit)
    )
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, ws="none", timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    holder.append(server)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + _PATIENCE_S
    while not server.started:
        if time.monotonic() > give_up:
            raise TimeoutError("the server did not start")
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_S)
