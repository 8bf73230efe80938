"""Embeddings are computed once a text, kept whole, and shared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.models.vectors import VectorStore


class Counting:
    """A vector that depends on the text alone, and a record of what was asked."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.seen: list[str] = []
        self.fail_after = fail_after

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += texts
        rows = [np.frombuffer(hashlib.sha256(t.encode()).digest()[:8], np.uint8) for t in texts]
        return np.array(rows, dtype=np.float32)


def test_each_text_is_computed_once_and_kept_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    first, second = Counting(), Counting()
    texts = ["b", "a", "b", "long text", "ü"]
    got = VectorStore(path, 8).get(texts, first)
    assert sorted(first.seen) == sorted(set(texts))
    np.testing.assert_array_equal(got, Counting()(texts))
    again = VectorStore(path, 8)
    assert again.missing([*texts, "new"]) == 1
    np.testing.assert_array_equal(
        again.get(["ü", "a", "new"], second), Counting()(["ü", "a", "new"])
    )
    assert second.seen == ["new"]


def test_an_interruption_keeps_whole_batches_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    texts = [f"text {i}" for i in range(10)]
    with pytest.raises(KeyboardInterrupt):
        VectorStore(path, 8).get(texts, Counting(fail_after=4), batch=2)
    store, rest = VectorStore(path, 8), Counting()
    np.testing.assert_array_equal(store.get(texts, rest), Counting()(texts))
    assert len(rest.seen) == 6


def test_progress_ends_at_one(tmp_path: Path) -> None:
    shares: list[float] = []
    VectorStore(tmp_path / "v.sqlite", 8).get(
        ["a", "b", "c"], Counting(), batch=1, progress=shares.append
    )
    assert shares == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_what_another_process_wrote_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    mine = VectorStore(path, 8)

    def slow(texts: Sequence[str]) -> NDArray[np.float32]:
        VectorStore(path, 8).get(texts, Counting())
        return Counting()(texts) + 1

    np.testing.assert_array_equal(mine.get(["a"], slow), Counting()(["a"]))


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(ModelError, match=r"v\.sqlite: .*Delete this file"):
        VectorStore(path, 8).get(["a"], Counting())


def test_vectors_of_another_width_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    VectorStore(path, 8).get(["a"], Counting())
    with pytest.raises(ModelError, match="Delete this file"):
        VectorStore(path, 9).get(["a"], Counting())
    with pytest.raises(ModelError, match="Expected 9 finite numbers"):
        VectorStore(tmp_path / "w.sqlite", 9).get(["a"], Counting())
