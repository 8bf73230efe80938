"""What is read of a call and of a result: the round among numbers, the model among arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import ArrayRecord, MetricRecord, RecordDict

from unsilent.engines.flower.calls import Call, Noted, aggregated, metrics_in


def record(*shape: int) -> ArrayRecord:
    return ArrayRecord([np.zeros(shape, np.float32)])


def same(found: tuple[ArrayRecord | None, str], expected: ArrayRecord) -> bool:
    """Whether it was found; what is found is a record of its own, for the user's may change."""
    return found == (expected, "") and found[0] is not expected


def test_the_first_of_a_pair_is_the_model_unless_another_alone_fits_what_was_sent() -> None:
    model, control = record(3), record(2)
    assert same(aggregated((model, None), None), model)
    assert same(aggregated((model, control), record(3)), model)
    assert same(aggregated((control, model), record(3)), model)
    # A model that grew is still the first.
    assert same(aggregated((model, None), record(9)), model)
    assert same(aggregated(model, record(3)), model)


def test_arrays_are_found_by_name_within_what_holds_them() -> None:
    model, control = record(3), record(3)
    for result in (
        {"control": control, "arrays": model},
        ({"control": control, "arrays": model}, None),
        RecordDict({"control": control, "arrays": model, "m": MetricRecord({"a": 1.0})}),
    ):
        found, why = aggregated(result, record(3))
        assert found == model and why == ""
    assert aggregated({"control": record(2)}, record(3))[0] is None


def test_metrics_are_found_wherever_they_stand() -> None:
    metrics = MetricRecord({"loss": 1.0})
    for result in (metrics, (None, metrics), (record(1), {"x": 1}, metrics), {"train": metrics}):
        assert metrics_in(result) is metrics
    assert metrics_in((None, None)) is None


def round_of(method: Any, *args: Any, **kwargs: Any) -> int | None:
    return Call(method, args, kwargs).round


def test_the_round_is_what_is_called_so_or_the_only_whole_number() -> None:
    assert round_of(lambda server_round, replies: None, 4, []) == 4
    assert round_of(lambda cluster, rnd: None, 7, 4) == 4
    assert round_of(lambda cluster, rnd: None, 7, rnd=np.int64(4)) == 4
    assert round_of(lambda t, replies: None, 4, []) == 4
    assert round_of(lambda *args: None, 4, [], True) == 4
    assert round_of(lambda cluster, t: None, 7, 4) is None
    assert round_of(lambda replies: None, []) is None


def test_an_array_among_the_arguments_is_not_taken_for_replies() -> None:
    call = Call(lambda weights, server_round: None, (np.zeros(3), 1), {})
    assert call.replies is None


def test_what_is_made_one_by_one_is_made_when_it_is_asked_for() -> None:
    made: list[int] = []
    seen: list[int] = []

    class Maker:
        label = "kept"

        def __iter__(self) -> Any:
            for number in range(3):
                made.append(number)
                yield number

    passing = Noted(Maker(), seen.append)
    assert (made, passing.label) == ([], "kept")
    assert next(passing) == 0
    assert (made, seen) == ([0], [0])
    assert list(passing) == [1, 2]
    assert seen == [0, 1, 2]
