"""An endpoint in this process that serves tiny real models in the shapes of real servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import torch

from tests.models.conftest import (
    lm_of,
    one_thread,
    random_adapter,
    saved,
    tiny,
    tokenizer,
)
from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM

__all__ = ["lm_of", "one_thread", "random_adapter", "saved", "tiny", "tokenizer"]

Encode = Callable[[str], list[int]]
Body = dict[str, Any]


class Fake:
    """One endpoint: models by name, and what it does otherwise than it should.

    Attributes:
        models: By name, a model from transformers.
        encode: Text to tokens.
        change: What is done to an answer before it is sent: JSON in, JSON or bytes out.
        tokens_at_least: Smallest ``max_tokens`` that is taken.
        makes: Tokens that are made whatever was asked for; None as asked.
        usage: Whether it counts tokens.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.models: dict[str, Any] = {}
        self.tokenizer = tokenizer
        self.encode: Encode = tokenizer.encode
        self.change: Callable[[Any], Any] = lambda answer: answer
        self.status = 200
        self.headers: dict[str, str] = {}
        self.tokens_at_least = 0
        self.makes: int | None = None
        self.usage = True
        self.asked: list[tuple[str, Body]] = []
        self.keys: list[str | None] = []
        self.url = ""

    def answer(self, path: str, body: Body) -> tuple[int, Any]:
        self.asked.append((path, body))
        if path == "/v1/completions":
            if body["max_tokens"] < self.tokens_at_least:
                return 400, {"error": "max_tokens"}
            if body["model"] not in self.models:
                return 404, {"error": "no such model"}
            return 200, self.completions(body)
        if path == "/tokenize":
            return 200, {"tokens": self.encode(body["content"])}
        if path == "/completion":
            return 200, self.next_token(body)
        return 404, {}

    @torch.no_grad()
    def logs(self, name: str, ids: list[int]) -> torch.Tensor:
        return torch.log_softmax(
            self.models[name](input_ids=torch.tensor([ids])).logits[0].float(), dim=-1
        )

    def completions(self, body: Body) -> Body:
        choices, counted = [], 0
        make = body["max_tokens"] if self.makes is None else self.makes
        for index, text in enumerate(body["prompt"]):
            ids = self.encode(text)
            counted += len(ids)
            logs = self.logs(body["model"], ids)
            for made in range(make):
                # What the last token would be followed by nobody asks.
                logs = self.logs(body["model"], ids) if made else logs
                ids = [*ids, int(logs[-1].argmax())]
            values = [None, *(float(logs[i - 1, ids[i]]) for i in range(1, len(ids)))]
            shape = {
                "tokens": [self.tokenizer.decode([i]) for i in ids],
                "token_logprobs": values,
                "top_logprobs": [None] * len(ids),
                "text_offset": [0] * len(ids),
            }
            choices.append({"index": index, "text": text, "logprobs": shape})
        # Nobody promised an order.
        answer: Body = {"object": "text_completion", "choices": choices[::-1]}
        return {**answer, "usage": {"prompt_tokens": counted}} if self.usage else answer

    def next_token(self, body: Body) -> Body:
        logs = self.logs("llama.cpp", body["prompt"])[-1]
        best = torch.topk(logs, min(body["n_probs"], len(logs)))
        top = [
            {"id": int(i), "logprob": float(v)}
            for v, i in zip(best.values, best.indices, strict=True)
        ]
        return {"completion_probabilities": [{"id": top[0]["id"], "top_logprobs": top}]}


@pytest.fixture
def fake(tokenizer: Any) -> Iterator[Fake]:
    """A running endpoint without a model."""
    found = Fake(tokenizer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.keys.append(self.headers.get("Authorization"))
            status, answer = found.answer(self.path, body)
            if found.status != 200:
                status = found.status
            if status == 200:
                answer = found.change(answer)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                # Who asked has heard enough.
                return

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def asked() -> ItemSet:
    """Forty items whose choices begin with a blank."""
    return ItemSet(
        "asked",
        tuple(
            Item(f"i{n}", f"the movie {n} was", (" good", " bad and long", " not"))
            for n in range(40)
        ),
    )


@pytest.fixture(scope="session")
def lm(lm_of: Callable[..., CausalLM]) -> CausalLM:
    """The reference."""
    return lm_of()


@pytest.fixture(scope="session")
def adapter(lm: CausalLM, random_adapter: Callable[..., Adapter]) -> Adapter:
    """An adapter that changes much."""
    return random_adapter(lm, 1)


@pytest.fixture(scope="session")
def with_adapter(lm_of: Callable[..., CausalLM]) -> Callable[..., Any]:
    """The base with an adapter merged into it for good, as a server would hold it."""

    def build(adapter: Adapter, scale: float = 1.0) -> Any:
        tensors = {
            name: tensor * scale if name.endswith("lora_B") else tensor
            for name, tensor in adapter.tensors.items()
        }
        return lm_of().merge_into_base(Adapter(adapter.base, tensors))

    return build
