"""Linear heads on embeddings, fitted once by the provider, and the frame they live in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from unsilent.errors import ModelError
from unsilent.files import digest_json, write_whole

RIDGE = 0.1


@dataclass(frozen=True)
class Examples:
    """Public labelled texts that a provider fits one head on.

    Attributes:
        task: The head's name.
        labels: The classes, in the order of the head's outputs.
        texts, answers: (n,) texts, and the index of each one's class.
    """

    task: str
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    answers: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.answers) or set(self.answers) != set(
            range(len(self.labels))
        ):
            raise ModelError(
                "a head needs one answer a text and examples of every class",
                where=f"head {self.task}",
            )

    @property
    def digest(self) -> str:
        """``sha256:…`` of task, classes, texts and answers."""
        return digest_json([self.task, self.labels, self.texts, self.answers])


@dataclass(frozen=True)
class Head:
    """Logits ``W z + b`` over the classes of one task. ``weight`` (classes, width), ``bias``."""

    task: str
    labels: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """Embeddings centred, then scaled to one norm, sqrt(width), so that coordinates are near 1.

    ``centre`` is (width,), the mean of the provider's examples.
    """

    centre: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, width) raw embeddings to (n, width) framed ones of norm sqrt(width)."""
        shifted = _unit(vectors) - self.centre
        return _unit(shifted) * np.float32(np.sqrt(vectors.shape[1]))


@dataclass(frozen=True)
class Provided:
    """What the provider ships with a base: the frame and one head for each task."""

    frame: Frame
    heads: Mapping[str, Head]

    def save(self, path: Path) -> None:
        """Write as safetensors, whole or not at all."""
        tensors = {"centre": self.frame.centre}
        for task, head in self.heads.items():
            tensors[f"{task}.weight"] = head.weight
            tensors[f"{task}.bias"] = head.bias
        write_whole(path, save(tensors))

    @classmethod
    def load(cls, path: Path, examples: Sequence[Examples]) -> Provided:
        """Read what ``save`` wrote; raises ModelError if it is damaged."""
        try:
            tensors = load_file(path)
            heads = {
                e.task: Head(
                    e.task, e.labels, tensors[f"{e.task}.weight"], tensors[f"{e.task}.bias"]
                )
                for e in examples
            }
            return cls(Frame(tensors["centre"]), heads)
        except (SafetensorError, KeyError, OSError):
            raise ModelError(
                "not a readable file of heads",
                where=str(path),
                remedy="Delete this file; it is fitted again.",
            ) from None


def provide(
    examples: Sequence[Examples],
    vectors: Mapping[str, NDArray[np.float32]],
    *,
    ridge: float = RIDGE,
) -> Provided:
    """Fit the frame and all heads.

    Args:
        examples: One entry a task.
        vectors: Task to the (n, width) raw embeddings of its texts.
        ridge: See :func:`fit_head`.
    """
    everything = np.concatenate([_unit(vectors[e.task]) for e in examples])
    frame = Frame(everything.mean(axis=0, dtype=np.float64).astype(np.float32))
    return Provided(
        frame, {e.task: fit_head(e, frame(vectors[e.task]), ridge=ridge) for e in examples}
    )


def fit_head(examples: Examples, points: NDArray[np.float32], *, ridge: float) -> Head:
    """Multinomial logistic regression: mean cross-entropy + ridge/2 * sum of squared weights.

    Every class has the same total weight, whatever its number of examples; biases are free. The
    objective is convex (with its minimum unique up to a constant in the biases), found by L-BFGS.

    Args:
        examples: Classes and answers.
        points: (n, width) framed embeddings, in the order of the examples.
        ridge: Strength of the penalty.
    """
    x = points.astype(np.float64)
    answers = np.array(examples.answers)
    n, width = x.shape
    classes = len(examples.labels)
    counts = np.bincount(answers, minlength=classes)
    share = (1.0 / (classes * counts))[answers]
    target = np.eye(classes)[answers]

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = flat[: classes * width].reshape(classes, width)
        logits = x @ weight.T + flat[classes * width :]
        loss = -float(share @ log_softmax(logits, axis=1)[np.arange(n), answers])
        error = (softmax(logits, axis=1) - target) * share[:, None]
        gradient = np.concatenate([(error.T @ x + ridge * weight).ravel(), error.sum(axis=0)])
        return loss + ridge / 2 * float(np.sum(weight**2)), gradient

    found = minimize(
        objective,
        np.zeros(classes * (width + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-7},
    )
    flat = np.asarray(found.x).astype(np.float32)
    return Head(
        examples.task,
        examples.labels,
        flat[: classes * width].reshape(classes, width),
        flat[classes * width :],
    )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, np.float32(1e-12))
