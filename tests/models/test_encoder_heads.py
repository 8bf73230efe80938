"""Provided heads are class-balanced logistic regressions, found exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from unsilent.errors import ModelError
from unsilent.models.heads import Examples, Frame, Provided, fit_head, provide


def problem(
    classes: int, n: int, seed: int = 0
) -> tuple[Examples, NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    # Uneven classes: the first has half of all examples.
    answers = np.where(rng.random(n) < 0.5, 0, rng.integers(0, classes, n))
    points = rng.normal(size=(n, 12)) + 0.8 * rng.normal(size=(classes, 12))[answers]
    examples = Examples(
        "t",
        tuple(f"class {c}" for c in range(classes)),
        tuple(f"text {i}" for i in range(n)),
        tuple(int(a) for a in answers),
    )
    return examples, points.astype(np.float32), answers


@pytest.mark.parametrize("classes", [2, 4])
def test_agrees_with_scikit_learn(classes: int) -> None:
    examples, points, answers = problem(classes, 400)
    head = fit_head(examples, points, ridge=0.05)
    weights = 400 / (classes * np.bincount(answers))
    oracle = LogisticRegression(C=1 / (0.05 * 400), tol=1e-10, max_iter=10_000)
    oracle.fit(points.astype(np.float64), answers, sample_weight=weights[answers])
    theirs = oracle.decision_function(points)
    ours = points @ head.weight.T + head.bias
    if classes == 2:
        # Theirs has one penalized weight vector; ours two of opposite sign, half as large each.
        oracle.C = 2 * oracle.C
        oracle.fit(points.astype(np.float64), answers, sample_weight=weights[answers])
        np.testing.assert_allclose(
            ours[:, 1] - ours[:, 0], oracle.decision_function(points), atol=2e-3
        )
    else:
        centred = ours - ours.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(centred, theirs - theirs.mean(axis=1, keepdims=True), atol=2e-3)


def test_frame_centres_and_gives_one_norm() -> None:
    rng = np.random.default_rng(1)
    raw = (rng.normal(size=(300, 20)) + 3.0).astype(np.float32)
    examples = Examples("t", ("a", "b"), tuple(map(str, range(300))), tuple([0, 1] * 150))
    frame = provide([examples], {"t": raw}, ridge=0.1).frame
    framed = frame(raw)
    np.testing.assert_allclose(np.linalg.norm(framed, axis=1), np.sqrt(20), rtol=1e-5)
    assert np.abs(framed.mean(axis=0)).max() < 0.15
    # A longer text has a longer sum but the same direction: length must not matter.
    np.testing.assert_allclose(frame(raw * 7), framed, rtol=1e-4, atol=1e-5)


def test_saved_and_read_back(tmp_path: Path) -> None:
    examples, points, _ = problem(3, 60)
    provided = provide([examples], {"t": points}, ridge=0.1)
    provided.save(tmp_path / "heads.safetensors")
    again = Provided.load(tmp_path / "heads.safetensors", [examples])
    assert isinstance(again.frame, Frame)
    np.testing.assert_array_equal(again.heads["t"].weight, provided.heads["t"].weight)
    assert again.heads["t"].labels == examples.labels


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    examples, _, _ = problem(2, 20)
    path = tmp_path / "heads.safetensors"
    path.write_bytes(b"half a fi")
    with pytest.raises(ModelError, match=r"heads\.safetensors: .*Delete this file"):
        Provided.load(path, [examples])


def test_every_class_needs_an_example() -> None:
    with pytest.raises(ModelError, match="every class"):
        Examples("t", ("a", "b", "c"), ("x", "y"), (0, 1))
