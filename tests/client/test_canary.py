"""Which part of an adapter is disturbed, and that it is then another one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unsilent.client.canary import canary
from unsilent.messages import Arrays
from unsilent.modes.base import AdapterRole


def lora(module: str, size: float, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    made = np.random.default_rng(seed)
    return {
        f"{module}.lora_A.weight": made.normal(size=(4, 16)).astype(np.float32),
        f"{module}.lora_B.weight": (made.normal(size=(12, 4)) * size).astype(np.float32),
    }


def drawn(own: Arrays, adapters: dict[AdapterRole, Arrays | None], part: str) -> float:
    """How often a part is the canary."""
    return float(np.mean([canary(own, adapters, n / 200)[0] == part for n in range(200)]))


def test_what_all_clients_share_of_a_change_is_drawn_though_personalizing_leaves_it() -> None:
    # Only the second module is trained by the client itself, and not by much.
    shared = {**lora("shared", 1.0), **lora("head", 0.1)}
    own = {**shared, **lora("head", 0.1, seed=3)}
    known: dict[AdapterRole, Arrays | None] = {"reference": None, "global": shared}
    ranks = [a["lora_B"] @ a["lora_A"] for a in (_factors(own, "shared"), _factors(own, "head"))]
    sizes = [float(np.square(rank).sum()) for rank in ranks]
    assert drawn(own, known, "shared") == pytest.approx(sizes[0] / sum(sizes), abs=0.01)
    # Where the reference is known, the change is that from the reference.
    known["reference"] = shared
    assert drawn(own, known, "head") == 1


def test_a_lora_of_numbered_arrays_is_told_by_its_shapes() -> None:
    shared = {**lora("shared", 1.0), **lora("head", 0.1)}
    own = {**shared, **lora("head", 0.1, seed=3)}
    numbered = {str(n): own[name] for n, name in enumerate(own)}
    known: dict[AdapterRole, Arrays | None] = {
        "reference": None,
        "global": {str(n): shared[name] for n, name in enumerate(own)},
    }
    often = [drawn(numbered, known, str(n)) for n in range(4)]
    assert often[0] == pytest.approx(often[1], abs=0.02)
    assert sum(often[:2]) > 0.9
    # Layers with biases are none: there the change is what is known of.
    layers = {"0": np.ones((3, 5)), "1": np.ones(3), "2": np.ones((2, 3)), "3": np.ones(2)}
    known["global"] = {**layers, "2": np.zeros((2, 3))}
    assert drawn(layers, known, "2") == 1


def _factors(arrays: Arrays, module: str) -> dict[str, NDArray[np.float32]]:
    return {half: arrays[f"{module}.{half}.weight"] for half in ("lora_A", "lora_B")}


def test_what_is_trained_beside_a_lora_is_drawn_as_well() -> None:
    before = {**lora("q", 1.0), "head": np.zeros(5, np.float32), "still": np.ones(5, np.float32)}
    own = {**before, "head": np.full(5, 0.1, np.float32)}
    known: dict[AdapterRole, Arrays | None] = {"reference": None, "global": before}
    assert drawn(own, known, "head") == pytest.approx(0.5, abs=0.02)
    assert drawn(own, known, "still") == 0


def test_a_part_that_training_set_to_zero_is_moved() -> None:
    own = {"w": np.zeros(6, np.float32)}
    _, moved = canary(own, {"reference": {"w": np.ones(6, np.float32)}}, 0.3)
    assert (np.abs(moved["w"]) >= 0.2).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_shapes_and_types_stay_and_other_parts_do_as_they_are(dtype: str) -> None:
    own = {
        "a.weight": np.ones((3, 2), dtype),
        "a.bias": np.ones((), dtype),
        "b": np.zeros((0, 4), dtype),
        "steps": np.arange(3),
    }
    part, moved = canary(own, {"reference": None}, 0.5)
    assert part == "a"
    assert {n: (x.shape, x.dtype) for n, x in moved.items()} == {
        n: (x.shape, x.dtype) for n, x in own.items()
    }
    assert (moved["a.weight"] != own["a.weight"]).all()
    assert moved["a.bias"] != own["a.bias"]
    assert moved["steps"] is own["steps"]


def test_numbers_that_are_none_are_passed_over() -> None:
    own = {
        "bad": np.array([np.nan, np.inf], np.float32),
        "large": np.full(4, 3e38, np.float32),
        "q.lora_A": np.full((2, 2), np.nan),
        "q.lora_B": np.zeros((2, 2)),
        "odd.lora_A": np.ones(3),
        "odd.lora_B": np.ones(4),
    }
    for n in range(20):
        part, _ = canary(own, {"reference": None}, n / 20)
        assert part in {"large", "odd"}


@pytest.mark.parametrize("before", [np.array(["a", "b"]), np.ones(2, complex), np.ones((2, 2))])
def test_what_was_before_may_be_anything(before: NDArray[np.generic]) -> None:
    part, moved = canary({"w": np.ones(2)}, {"reference": {"w": before}}, 0.1)
    assert part == "w"
    assert np.abs(moved["w"] - 1).max() <= 0.5
