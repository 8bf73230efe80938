"""What a server may send as an order: no exception of ours reaches Flower, which would tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from tests.engines.flower.in_process import enter_run
from tests.engines.flower.small_app import score, small_app, small_plan
from tests.engines.flower.wire import MASKS, NAME, OBSERVE, PROMOTE, START
from unsilent.client.sentences import Sentence
from unsilent.engines.flower.client import app as reference
from unsilent.engines.flower.messages import ADAPTER, ANSWER, FAILED, ORDER, REFERENCE, request
from unsilent.engines.flower.site import site_of
from unsilent.flower import monitor_client
from unsilent.messages import Order

SHAPE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000000,), }"
HUGE = b"\x93NUMPY\x01\x00v\x00" + SHAPE.ljust(117) + b"\n"
ARRAYS = {
    "no array": ("numpy.ndarray", b"garbage"),
    "larger than any memory": ("numpy.ndarray", HUGE),
    "an archive": ("numpy.ndarray", b"PK\x03\x04" + bytes(60)),
    "an empty archive": ("numpy.ndarray", b"PK\x05\x06" + bytes(18)),
    "another library's": ("torch.tensor", b"garbage"),
}  # fmt: skip
OURS = sorted({NAME, OBSERVE, *MASKS})
ASKED = [(reference, kind) for kind in [*OURS, START, PROMOTE, "train"]]
ASKED += [(monitor_client(small_app(), score), kind) for kind in OURS]


def ask(app: ClientApp, kind: str, fields: dict[str, Any] | None, folder: Path, **more: Any) -> str:
    """What the client tells of its failure, or the names of its answer's fields."""
    records: dict[str, Any] = {} if fields is None else {ORDER: ConfigRecord(fields)}
    for name, (form, data) in more.pop("arrays", {}).items():
        records[name] = ArrayRecord({"x": Array("float32", (4,), form, data)})
    config = {"partition-id": 0, "store": str(folder / "own"), **more}
    context = Context(run_id=1, node_id=7, node_config=config, state=RecordDict(), run_config={})
    message = Message(RecordDict(records), dst_node_id=7, message_type=kind, group_id="1")
    answer = app(message, context).content.config_records[ANSWER]
    return str(answer.get(FAILED) or sorted(answer))


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


@pytest.mark.parametrize("sort", ARRAYS)
@pytest.mark.parametrize(("app", "kind"), ASKED)
def test_arrays_are_not_looked_at_before_the_plan_is(
    app: ClientApp, kind: str, sort: str, tmp_path: Path
) -> None:
    fields = {"plan": json.dumps(small_plan(tmp_path).to_json()), "run": "r", "round": 3}
    for name in (ADAPTER, REFERENCE):
        told = ask(
            app, kind, fields, tmp_path, plan="sha256:" + "0" * 64, arrays={name: ARRAYS[sort]}
        )
        assert told == Sentence.NOT_AGREED.text
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["error.log"]


@pytest.mark.parametrize("sort", ARRAYS)
@pytest.mark.parametrize("app", [app for app, kind in ASKED if kind == OBSERVE])
def test_arrays_that_cannot_be_read_are_a_sentence(
    app: ClientApp, sort: str, tmp_path: Path
) -> None:
    plan = small_plan(tmp_path)
    fields = {"plan": json.dumps(plan.to_json()), "run": "r", "round": 3, "base": "b"}
    given = {ADAPTER: ARRAYS[sort]}
    told = ask(app, OBSERVE, fields, tmp_path, plan=plan.digest, arrays=given)
    assert told in {sentence.text for sentence in Sentence}


@pytest.mark.parametrize(
    "fields",
    [None, {}, {"round": 3}, {"plan": b"{}"}, {"plan": ["{}"]}, {"plan": 3}, {"plan": "["}],
)
@pytest.mark.parametrize(("app", "kind"), ASKED)
def test_what_is_no_order_is_no_plan_that_was_agreed_to(
    app: ClientApp, kind: str, fields: dict[str, Any] | None, tmp_path: Path
) -> None:
    told = ask(app, kind, fields, tmp_path, plan="sha256:" + "0" * 64)
    assert told == Sentence.NOT_AGREED.text


@pytest.mark.parametrize("number", [True, 1.0, "1", b"1", [1], -1, 2**62])
@pytest.mark.parametrize("app", [app for app, kind in ASKED if kind == OBSERVE])
def test_what_is_no_round_is_not_measured(app: ClientApp, number: Any, tmp_path: Path) -> None:
    plan = small_plan(tmp_path, monitor={"rounds": [1, 3]})
    fields = {"plan": json.dumps(plan.to_json()), "run": "r", "round": number}
    assert ask(app, OBSERVE, fields, tmp_path, plan=plan.digest) == Sentence.UNUSABLE.text
    assert not (tmp_path / "own" / "tries.json").exists()


def test_no_field_of_an_order_stands_for_its_plan_run_or_round() -> None:
    body = {"plan": "another", "run": "another", "round": 9, "base": "b"}
    sent = request(1, "train", Order("{}", "run", 2, body)).content.config_records[ORDER]
    assert dict(sent) == {"plan": "{}", "run": "run", "round": 2, "base": "b"}


@pytest.mark.parametrize(
    ("told", "number"), [(3, 3), ("3", 3), ("three", -1), (None, -1), (b"\xff", -1)]
)
def test_a_nodes_number_may_be_written_as_text(told: Any, number: int, tmp_path: Path) -> None:
    config = {"store": str(tmp_path)} | ({} if told is None else {"partition-id": told})
    context = Context(run_id=1, node_id=7, node_config=config, state=RecordDict(), run_config={})
    assert site_of(context).number == number
