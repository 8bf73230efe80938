"""Whatever an endpoint answers, it is taken for numbers or said in one line, without its text."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from tests.parity.conftest import Fake
from unsilent.errors import InputError
from unsilent.items import Item
from unsilent.parity import http
from unsilent.parity.http import Address, EndpointError
from unsilent.parity.served import LlamaCpp, OpenAI

ITEM = Item("one", "the movie was", (" good", " bad"))
SECRET = "s3cret-words"


@pytest.fixture
def serving(fake: Fake, tiny: Callable[..., Any]) -> Fake:
    fake.models = {"served": tiny(), "llama.cpp": tiny()}
    return fake


def ask(fake: Fake, **more: Any) -> Any:
    return OpenAI(Address(f"{fake.url}/v1", **more), "served").likelihoods(ITEM)


def refused(fake: Fake, **more: Any) -> str:
    with pytest.raises(EndpointError) as caught:
        ask(fake, **more)
    line = caught.value.line()
    assert "\n" not in line
    assert line.startswith(f"endpoint {fake.url.removeprefix('http://')}: ")
    assert not any(text in line for text in (SECRET, *ITEM.choices, ITEM.prompt))
    return line


def logprobs(change: Callable[[dict[str, Any]], Any]) -> Callable[[Any], Any]:
    """Change the log-probabilities of each text."""

    def changed(answer: Any) -> Any:
        for choice in answer["choices"]:
            choice["logprobs"] = change(choice["logprobs"])
        return answer

    return changed


def last(value: Any) -> Callable[[Any], Any]:
    return logprobs(lambda got: {**got, "token_logprobs": [*got["token_logprobs"][:-1], value]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (logprobs(lambda _: None), "gives no log-probabilities of a prompt"),
        (logprobs(lambda _: {"content": []}), "--form llama.cpp"),
        (logprobs(lambda got: {**got, "token_logprobs": None}), "gives no log-probabilities"),
        (logprobs(lambda got: {**got, "tokens": got["tokens"][1:]}), "one log-probability a token"),
        (
            logprobs(lambda got: {**got, "tokens": [7] * len(got["tokens"])}),
            "log-probability a token",
        ),
        (logprobs(lambda _: {"tokens": [], "token_logprobs": []}), "log-probability a token"),
        (logprobs(lambda got: {k: v[:-1] for k, v in got.items()}), "counts other tokens"),
        (last(float("nan")), "a log-probability that is none"),
        (last(float("-inf")), "a log-probability that is none"),
        (last(0.5), "a log-probability that is none"),
        (last(True), "a log-probability that is none"),
        (last(SECRET), "a log-probability that is none"),
        (last(-(10**400)), "a log-probability that is none"),
        (last(None), "a log-probability that is none"),
        (lambda a: {**a, "choices": a["choices"][1:]}, "does not answer each of 3 texts once"),
        (lambda a: {**a, "choices": [a["choices"][0]] * 3}, "which text it answers"),
        (lambda a: {**a, "choices": [None] * 3}, "which text it answers"),
        (lambda a: {**a, "choices": {"a": 1}}, "does not answer each"),
        (lambda a: {**a, "usage": {"prompt_tokens": -1}}, "counts other tokens"),
        (lambda a: {**a, "usage": {"prompt_tokens": [SECRET]}}, "counts other tokens"),
        (lambda _: {"error": SECRET}, "does not answer each"),
        (lambda _: [SECRET], "no JSON object"),
        (lambda _: f"<html>{SECRET}</html>".encode(), "no JSON object"),
        (lambda _: b"", "no JSON object"),
        (lambda _: b"\xff\xfe{", "no JSON object"),
        (lambda _: b"[" * 200_000, "no JSON object"),
        (lambda _: b'{"choices": ' + b"9" * 10_000 + b"}", "no JSON object"),
    ],
)
def test_an_answer_that_is_none_is_one_line(
    change: Callable[[Any], Any], said: str, serving: Fake
) -> None:
    serving.change = change
    assert said in refused(serving)


@pytest.mark.parametrize(
    ("status", "said"),
    [(301, "sends us elsewhere"), (400, "HTTP 400"), (401, "UNSILENT_ENDPOINT_KEY"), (500, "log")],
)
def test_a_status_is_one_line(status: int, said: str, serving: Fake) -> None:
    serving.status = status
    assert said in refused(serving)


def test_a_redirect_is_not_followed(serving: Fake) -> None:
    serving.status, serving.headers = 302, {"Location": f"{serving.url}/{SECRET}"}
    assert "elsewhere" in refused(serving)
    assert len(serving.asked) == 1


def test_a_name_that_is_not_served_is_said(serving: Fake) -> None:
    serving.models = {}
    assert "--model" in refused(serving)


def test_an_answer_without_an_end_is_cut(serving: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BYTES", 2**20)
    serving.change = lambda _: b" " * 2**21
    assert "larger than 1 MiB" in refused(serving)


def test_an_answer_that_drips_does_not_last_longer_than_the_time_out() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            try:
                for _ in range(200):
                    peer.sendall(b" ")
                    peer.settimeout(0.05)
                    try:
                        peer.recv(2**16)
                    except TimeoutError:
                        continue
            except OSError:
                return

    thread = Thread(target=drip, daemon=True)
    thread.start()
    at = Address(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.3)
    with pytest.raises(EndpointError, match="no answer \\(TimeoutError\\)"):
        at.post("completions", {})
    server.close()
    thread.join(20)
    assert not thread.is_alive()


def test_nobody_there_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EndpointError, match="no answer \\(ConnectionRefusedError\\)"):
        Address(f"http://127.0.0.1:{port}").post("completions", {})


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/v1",
        "127.0.0.1:8000",
        "http://",
        "http://user:pass@host/v1",
        "http://host/v1?key=1",
        "http://host:99999/v1",
        "http://[::1/v1",
        "",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(InputError, match="not an address"):
        Address(url)


def test_a_key_is_sent_and_never_shown(serving: Fake) -> None:
    assert ask(serving, key=SECRET) is not None
    assert serving.keys == [f"Bearer {SECRET}"]
    assert SECRET not in repr(Address(serving.url, key=SECRET))
    serving.status = 401
    refused(serving, key=SECRET)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"completion_probabilities": []},
        {"completion_probabilities": [{"top_probs": []}]},
        {"completion_probabilities": [{"top_logprobs": [{"id": SECRET, "logprob": -1}]}]},
        {"completion_probabilities": [{"top_logprobs": [{"id": [], "logprob": -1}]}]},
        {"completion_probabilities": [{"top_logprobs": [{"id": 3, "logprob": None}]}]},
        {"tokens": [SECRET]},
        {"tokens": [True, 2]},
    ],
)
def test_llama_cpps_answer_that_is_none_is_one_line(answer: Any, serving: Fake) -> None:
    def change(given: Any) -> Any:
        return answer if (given.keys() == answer.keys() or "tokens" not in given) else given

    serving.change = change
    with pytest.raises(EndpointError, match=r"log-probabilit|no tokens") as caught:
        LlamaCpp(Address(serving.url)).likelihoods(ITEM)
    assert SECRET not in caught.value.line()


def test_llama_cpp_is_asked_for_more_of_the_next_tokens_until_the_choices_own_is_there(
    serving: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = LlamaCpp(Address(serving.url)).likelihoods(ITEM)
    monkeypatch.setattr("unsilent.parity.served._WIDTHS", (1, 40, 320))
    assert LlamaCpp(Address(serving.url)).likelihoods(ITEM) == pytest.approx(whole)
    monkeypatch.setattr("unsilent.parity.served._WIDTHS", (1,))
    assert LlamaCpp(Address(serving.url)).likelihoods(ITEM) is None
    widths = [body["n_probs"] for path, body in serving.asked if path == "/completion"]
    assert {1, 40} <= set(widths)


def test_only_the_texts_and_the_name_are_sent(serving: Fake) -> None:
    ask(serving)
    ((path, body),) = serving.asked
    assert path == "/v1/completions"
    assert body["prompt"] == ["the movie was", "the movie was good", "the movie was bad"]
    assert json.dumps(body).count(ITEM.id) == 0
