"""FedAvg of named arrays, for one client's and for stacked ones alike."""

import numpy as np

from unsilent.models.arrays import weighted_mean


def test_each_array_is_the_weighted_mean_of_those_of_its_name() -> None:
    parts = [{"a": np.full(2, v, np.float32), "b": np.full((1, 3), -v, np.float32)} for v in (1, 5)]
    found = weighted_mean(parts, [3, 1])
    np.testing.assert_array_equal(found["a"], [2.0, 2.0])
    np.testing.assert_array_equal(found["b"], [[-2.0, -2.0, -2.0]])
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def test_equal_weights_are_numpys_mean_to_the_last_bit() -> None:
    rows = np.random.default_rng(0).normal(size=(77, 5000)).astype(np.float32)
    found = weighted_mean([{"row": row} for row in rows], [1.0] * len(rows))["row"]
    np.testing.assert_array_equal(found, rows.mean(axis=0, dtype=np.float64).astype(np.float32))


def test_small_parts_beside_large_ones_are_not_lost() -> None:
    """In float32 the small ones would vanish one by one."""
    parts = [{"a": np.array([2.0**24], np.float32)}, *[{"a": np.ones(1, np.float32)}] * 64]
    found = weighted_mean(parts, [1.0] * 65)["a"][0]
    assert found == np.float32((2.0**24 + 64) / 65)


def test_no_arrays_have_none_as_their_mean() -> None:
    assert weighted_mean([{}, {}], [1.0, 2.0]) == {}
