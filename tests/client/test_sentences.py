"""What reaches the server of a failure is one of a fixed set of sentences, whatever failed."""

from __future__ import annotations

import builtins
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import recorddict_to_proto

from tests.engines.flower import wire as messages
from tests.engines.flower.in_process import enter_run
from tests.engines.flower.wire import OBSERVE
from unsilent import errors
from unsilent.client.sentences import Sentence, sentence_of
from unsilent.engines.flower.arrays import save_arrays
from unsilent.engines.flower.messages import ANSWER, FAILED, SPENT
from unsilent.errors import UnsilentError
from unsilent.flower import monitor_client
from unsilent.items import Item, ItemSet
from unsilent.plan import parse_plan

TEXTS = {sentence.text for sentence in Sentence}
ARRAYS = ArrayRecord([np.zeros(2, np.float32)])


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def kinds(of: type[BaseException]) -> Iterator[type[BaseException]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


OURS = sorted(set(kinds(UnsilentError)), key=str)
OTHERS = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type)
    and issubclass(kind, BaseException)
    and not issubclass(kind, KeyboardInterrupt | UnicodeError | BaseExceptionGroup)
]


def word(draw: random.Random) -> str:
    return "".join(draw.choices(string.ascii_lowercase, k=12))


def whole(reply: Message) -> bytes:
    return recorddict_to_proto(reply.content).SerializeToString(deterministic=True)


def raised(error: BaseException, folder: Path) -> Message:
    """The answer of a handler that raises this."""

    def handle(message: Message, context: Context) -> Message:
        raise error from ValueError(str(error))

    context = Context(1, 7, {"store": str(folder)}, RecordDict(), {})
    asked = messages.request(7, OBSERVE, {"plan": "{}"}, 1)
    return messages.guarded(handle, lambda _: folder / "error.log")(asked, context)


@pytest.mark.parametrize("kind", [*OURS, *OTHERS], ids=lambda kind: kind.__name__)
def test_the_answer_depends_on_the_kind_of_an_error_alone(
    kind: type[BaseException], tmp_path: Path
) -> None:
    replies = set()
    for seed in range(3):
        draw = random.Random(seed)
        secrets = [word(draw) for _ in range(3)]
        if issubclass(kind, UnsilentError):
            error: BaseException = kind(secrets[0], where=secrets[1], remedy=secrets[2])
        else:
            error = kind(*secrets)
        reply = raised(error, tmp_path / str(seed))
        assert reply.content.config_records[ANSWER][FAILED] in TEXTS
        assert secrets[0] in (tmp_path / str(seed) / "error.log").read_text()
        replies.add(whole(reply))
    assert len(replies) == 1


def test_each_sentence_is_short_plain_and_without_numbers() -> None:
    for sentence in Sentence:
        assert len(sentence.text) <= 300
        assert sentence.text.isprintable()
        assert not any(letter.isdigit() for letter in sentence.text)
    assert len(TEXTS) == len(Sentence)


def test_every_sentence_is_the_answer_to_some_error() -> None:
    assert {sentence_of(kind("x")) for kind in [*OURS, ValueError]} == set(Sentence)
    assert sentence_of(errors.BudgetSpentError("x")).spent
    assert not sentence_of(errors.OtherRunError("x")).spent


def private_file(draw: random.Random, folder: Path, shape: str) -> tuple[Path, list[str]]:
    """A private file of some shape, and what must not be told of it."""
    names = [word(draw) for _ in range(6)]
    ident, field, domain, prompt, other, name = names
    number = draw.uniform(1e5, 1e6)
    row = {"id": ident, "prompt": prompt, "choices": [other, "b"], "answer": 0, "domain": domain}
    rows: list[Any] = [row, {**row, "id": f"{ident}2", "domain": f"{domain}2"}]
    suffix = ".jsonl"
    if shape == "field":
        rows[0][field] = number
    elif shape == "twice":
        rows[1]["id"] = ident
    elif shape == "lacks":
        del rows[1]["answer"]
    elif shape == "answer":
        rows[0]["answer"] = number
    elif shape == "one domain":
        rows[1]["domain"] = domain
    text = "\n".join(json.dumps(each) for each in rows)
    if shape == "csv":
        suffix, text = ".csv", f"id,{field}\n{ident},{number}\n"
    elif shape == "yaml":
        suffix, text = ".yaml", f"{field}: 1\n{field}: {number}\n"
    elif shape == "no text":
        text = f"{ident}\x00\ud800{field}"
    elif shape == "truncated":
        text = text[:-9]
    path = folder / f"{name}{suffix}"
    if shape != "absent":
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path, [*names, f"{number}", str(folder), folder.name]


SHAPES = (
    *("sound", "field", "twice", "lacks", "answer", "one domain"),
    *("csv", "yaml", "no text", "truncated", "absent"),
)
SOURCES = ("{}", "{}#sha256=" + "0" * 64, "lm-eval:{}", "known:bbq:{}", "known:medqa:{}")


def observe(plan: dict[str, Any], folder: Path, score: Any) -> Message:
    """Ask a client whose owner agreed to the plan, so that what it names is read."""
    declared = parse_plan(plan)
    node = {"store": str(folder), "partition-id": 0, "plan": declared.digest}
    for name in ("start", "local"):
        save_arrays(folder / f"{name}.arrays", ARRAYS)
    order = {"plan": json.dumps(declared.to_json()), "run": "r"}
    app = monitor_client(ClientApp(), score)
    asked = messages.request(1, OBSERVE, order, 1, ARRAYS)
    return app(asked, Context(1, 1, node, RecordDict(), {}))


def even(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    return [[1 / len(item.choices)] * len(item.choices) for item in items]


def declared(role: str, source: str, subgroups: list[str]) -> dict[str, Any]:
    mode = {
        "task": "confidence_miscalibration",
        "bias": "amplified_bias",
        "harmful": "alignment_erosion",
    }[role]
    of: dict[str, Any] = {"tolerance": 0.1, "clip": 0.4}
    if role == "task" and subgroups:
        of["subgroups"] = subgroups
    probes = {role: source, "benign": source} if role == "harmful" else {role: source}
    return {
        "federation": {"clients": 4, "rounds": 1},
        "monitor": {"min_cohort": 2, "items": "these"},
        "privacy": {"aggregation": "plain"},
        "modes": {mode: of},
        "probes": probes,
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_of_a_file_that_the_plan_names_is_told(shape: str, tmp_path: Path) -> None:
    failed = 0
    for seed, role in enumerate(("task", "bias", "harmful")):
        for number, form in enumerate(SOURCES):
            draw = random.Random(f"{shape} {seed} {number}")
            folder = tmp_path / word(draw)
            folder.mkdir()
            path, secrets = private_file(draw, folder, shape)
            try:
                plan = declared(role, form.format(path), ["zzz"] if number == 0 else [])
                parse_plan(plan)
            except UnsilentError:
                continue
            reply = observe(plan, tmp_path / f"store-{seed}-{number}", even)
            told = reply.content.config_records[ANSWER]
            if FAILED not in told:
                continue
            failed += 1
            assert told[FAILED] in TEXTS
            assert set(told) <= {FAILED, "exit_code", SPENT}
            assert not any(secret.encode() in whole(reply) for secret in secrets)
    assert failed >= 3


def test_a_broken_private_file_and_none_at_all_get_one_answer(tmp_path: Path) -> None:
    """Even under the agreed plan, the server does not learn whether a file is there."""
    replies = set()
    for shape in ("field", "twice", "lacks", "csv", "no text", "truncated", "absent"):
        draw = random.Random(shape)
        folder = tmp_path / shape
        folder.mkdir()
        path, _ = private_file(draw, folder, shape)
        reply = observe(declared("task", str(path), []), tmp_path / f"{shape} store", even)
        replies.add(whole(reply))
    assert len(replies) == 1


@pytest.mark.parametrize("what", ["raises", "rows", "exit", "records"])
def test_nothing_of_what_an_apps_function_does_is_told(what: str, tmp_path: Path) -> None:
    secret = word(random.Random(what))
    items = [
        Item(f"{n}", f"{n}", ("a", "b"), answer=n % 2, domain="ab"[n // 2 % 2]) for n in range(8)
    ]
    path = tmp_path / "task.jsonl"
    path.write_text("\n".join(json.dumps(item.to_json()) for item in items))

    def score(asked: ItemSet, arrays: Any, context: Context) -> Any:
        if what == "raises":
            raise KeyError(secret)
        if what == "exit":
            raise SystemExit(secret)
        return [[secret]] if what == "rows" else [[float("nan"), 1.0]] * len(asked)

    plan = declared("task", str(path), [])
    plan["probes"]["sizes"] = {"task": len(items)}
    reply = observe(plan, tmp_path / "store", score)
    told = reply.content.config_records[ANSWER]
    expected = Sentence.APP if what in ("raises", "exit") else Sentence.NOT_MEASURABLE
    assert told == {FAILED: expected.text, "exit_code": expected.exit_code}
