"""An engine of federated learning over plain HTTP, and monitoring in it.

Each client is a small web server that trains and answers; the server averages what they trained.
All of what is private about monitoring is on the other side of two calls: ``answer`` on the client,
``after_round`` on the server. An engine carries orders and answers, and adds nothing.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np

from unsilent import Functions, MonitoredRun, MonitoringPlan, Settings, Site, answer
from unsilent.errors import MessageError
from unsilent.messages import ADAPTER, Answer, Arrays, Order
from unsilent.server.transport import Told, ask
from unsilent.wire import answer_bytes, answer_of, order_bytes, order_of

TRAIN = "train"
TIMEOUT_S = 60.0
Train = Callable[[Arrays], Arrays]


class Client:
    """One client: it trains as it did, and takes part in monitoring.

    Args:
        site: Its number, its own folder and its owner's settings.
        functions: How it scores, its records, and its own arrays after training.
        train: From the global arrays to the local ones.
    """

    def __init__(self, site: Site, functions: Functions, train: Train) -> None:
        self.site, self.functions, self.train = site, functions, train
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def handle(self, kind: str, order: Order) -> Answer:
        """Training is the engine's own; everything else is monitoring's."""
        if kind == TRAIN:
            return Answer(arrays={ADAPTER: self.train(order.arrays[ADAPTER])})
        return answer(kind, order, self.site, self.functions)

    def close(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        client = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                order = order_of(self.rfile.read(int(self.headers["Content-Length"])))
                data = answer_bytes(client.handle(self.path.strip("/"), order))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


class HttpTransport:
    """Asks clients by their addresses."""

    def __init__(self, urls: Mapping[int, str]) -> None:
        self._urls = urls

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Told, timeout: float
    ) -> Mapping[int, Answer]:
        """Post each node its order, all at once."""
        pool = ThreadPoolExecutor(max(1, len(orders)))
        asked = {pool.submit(self._post, n, kind, o, timeout): n for n, o in orders.items()}
        done, _ = wait(asked, timeout)
        # Who sends a byte now and then is late like any other, and is not waited for.
        pool.shutdown(wait=False)
        told(len(done), len(orders))
        return {asked[each]: each.result() for each in done}

    def _post(self, node: int, kind: str, order: Order, timeout: float) -> Answer:
        request = urllib.request.Request(f"{self._urls[node]}/{kind}", order_bytes(order))
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return answer_of(reply.read())
        except (OSError, HTTPException, MessageError):
            return Answer(failed="no answer from a client")


def federate(
    urls: Mapping[int, str], start: Arrays, rounds: int, plan: MonitoringPlan, out: Path
) -> Arrays:
    """Train by federated averaging, and monitor by the plan; the last global arrays."""
    run, arrays = MonitoredRun(Settings(plan, out)), start
    transport = run.transport = HttpTransport(urls)
    for number in range(1, rounds + 1):
        arrays = run.begin(number, arrays) or arrays
        orders = dict.fromkeys(urls, Order("", "", number, arrays={ADAPTER: arrays}))
        answers = ask(transport, TRAIN, orders, lambda n, total: None, timeout=TIMEOUT_S)
        local = [each.arrays[ADAPTER] for each in answers.good.values()]
        arrays = {name: np.mean([each[name] for each in local], axis=0) for name in arrays}
        run.after_round(number, arrays, list(answers.good), {})
    run.close()
    return arrays
