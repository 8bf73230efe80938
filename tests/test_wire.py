"""Orders and answers as bytes: what goes in comes out, and hostile bytes are refused in one way."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from safetensors.numpy import save

from unsilent.errors import MessageError, ModelError
from unsilent.messages import Answer, Order
from unsilent.wire import answer_bytes, answer_of, order_bytes, order_of

TYPES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8", ">f4", ">i8")
FIELDS = st.dictionaries(
    st.text(), st.binary() | st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans()
)
ARRAYS = st.dictionaries(
    st.sampled_from(["adapter", "reference"]),
    st.dictionaries(
        st.text(),
        st.sampled_from(TYPES).flatmap(
            lambda kind: arrays_of.arrays(
                np.dtype(kind), arrays_of.array_shapes(min_dims=0, min_side=0, max_side=3)
            )
        ),
        max_size=3,
    ),
)
HEAD = {"plan": "", "run": "", "round": 0, "body": {}, "arrays": {}}
TOLD = {"metrics": {}, "failed": "", "exit_code": 0, "spent": False, "body": {}, "arrays": {}}


def raw(head: Any, tail: bytes = save({})) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "big") + text + tail


def same(found: Any, given: Any) -> None:
    """Names, order, shapes, values and types, which are little-endian on their way."""
    assert {name: list(each) for name, each in found.items()} == {
        n: list(e) for n, e in given.items()
    }
    for name, each in given.items():
        for key, array in each.items():
            assert found[name][key].shape == array.shape
            assert found[name][key].dtype == array.dtype.newbyteorder("=")
            np.testing.assert_array_equal(found[name][key], array)


@given(st.text(), st.text(), st.integers(-(2**63), 2**63), FIELDS, ARRAYS)
def test_an_order_comes_out_as_it_went_in(
    plan: str, run: str, number: int, body: dict[str, Any], given: Any
) -> None:
    found = order_of(order_bytes(Order(plan, run, number, body, given)))
    assert (found.plan, found.run, found.round, found.body) == (plan, run, number, body)
    same(found.arrays, given)


@given(FIELDS, ARRAYS, st.dictionaries(st.text(), st.floats(allow_nan=False)), st.text())
def test_an_answer_comes_out_as_it_went_in(
    body: dict[str, Any], given: Any, metrics: dict[str, float], failed: str
) -> None:
    found = answer_of(answer_bytes(Answer(body, given, metrics, failed, 2, True)))
    assert (found.body, found.metrics, found.failed) == (body, metrics, failed)
    assert (found.exit_code, found.spent) == (2, True)
    same(found.arrays, given)


def test_a_number_alone_and_a_view_keep_their_shape() -> None:
    given = {"adapter": {"one": np.array(3.0), "view": np.arange(6).reshape(2, 3)[:, ::2].T}}
    same(order_of(order_bytes(Order("", "", 0, {}, given))).arrays, given)


def test_metrics_of_numpys_types_are_carried() -> None:
    metrics: Any = {"loss": np.float32(0.5)}
    found = answer_of(answer_bytes(Answer(metrics=metrics)))
    assert found.metrics == {"loss": 0.5}


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.zeros(1, "M8[s]")])
def test_arrays_that_no_other_side_could_read_are_not_sent(array: Any) -> None:
    with pytest.raises(ModelError, match="type that cannot be kept or sent"):
        order_bytes(Order("", "", 0, {}, {"adapter": {"x": array}}))


@pytest.mark.parametrize("value", [b"Infinity", b"-1e999", b"NaN", b"null", b"[]", b'"x"'])
@pytest.mark.parametrize("key", ["round", "exit_code", "metrics"])
def test_a_number_that_is_none_is_refused(key: str, value: bytes) -> None:
    read, head = (order_of, HEAD) if key == "round" else (answer_of, TOLD)
    with pytest.raises(MessageError):
        read(raw(json.dumps({**head, key: "?"}).encode().replace(b'"?"', value)))


def test_a_metric_that_is_no_float_is_refused() -> None:
    with pytest.raises(MessageError):
        answer_of(raw({**TOLD, "metrics": {"loss": 10**400}}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 7,
        b"\xff" * 8,
        raw(b"[" * 100_000),
        raw([]),
        raw(3),
        raw(b"\xff\xfe\x00"),
        raw({**HEAD, "body": []}),
        raw({**HEAD, "body": {"a": "base64:?"}}),
        raw({**HEAD, "body": {"a": "base64:\ud800"}}),
        raw({**HEAD, "arrays": []}),
        raw({**HEAD, "arrays": {"adapter": ["x"]}}),
        raw({**HEAD, "arrays": {"adapter": 3}}),
        raw(HEAD, b""),
        raw(HEAD, (9 * 10**7).to_bytes(8, "little") + b"{}"),
    ],
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    for read in (order_of, answer_of):
        with pytest.raises(MessageError):
            read(data)


@pytest.mark.parametrize(
    ("kind", "shape", "size"),
    [("BF16", [8], 16), ("F8_E4M3", [8], 8), ("XX", [8], 8), ("F64", [1] * 100, 8),
     ("F64", [0, 2**63], 0), ("F64", [2**40, 2**40, 0], 0), ("F64", [2**40], 8)],
)  # fmt: skip
def test_arrays_of_unknown_types_or_impossible_shapes_are_refused(
    kind: str, shape: list[int], size: int
) -> None:
    head = {"0": {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}
    text = json.dumps(head).encode()
    tail = len(text).to_bytes(8, "little") + text + bytes(size)
    with pytest.raises(MessageError):
        order_of(raw({**HEAD, "arrays": {"adapter": ["x"]}}, tail))


@given(st.data())
def test_whatever_is_done_to_a_message_is_refused_or_read(data: st.DataObject) -> None:
    order = Order("plan", "run", 3, {"a": b"x", "t": "y"}, {"adapter": {"x": np.arange(4.0)}})
    answer = Answer({"a": b"x"}, {"adapter": {"x": np.arange(4.0)}}, {"loss": 1.0}, "f", 2, True)
    read, whole = data.draw(
        st.sampled_from([(order_of, order_bytes(order)), (answer_of, answer_bytes(answer))])
    )
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 4)))
    try:
        read(whole[:start] + data.draw(st.binary(max_size=4)) + whole[end:])
    except MessageError:
        return
