"""Tiny arrays whose training is exact, so that a method's law can be read off."""

import numpy as np

from unsilent.models.arrays import Arrays

NAMES = ("0.q.lora_A", "0.q.lora_B", "1.q.lora_A", "1.q.lora_B")
ENCODER = ("D", "U", "b", "head.bias", "head.weight")


def arrays(value: float, names: tuple[str, ...] = NAMES) -> Arrays:
    return {name: np.full(2, value, np.float32) for name in names}


class Exact:
    """Minimizes ``(w - best)^2 / 2 + pull / 2 * (w - towards)^2`` from wherever it starts."""

    def __init__(self, best: float) -> None:
        self.best = best
        self.started: list[Arrays] = []

    def __call__(
        self, start: Arrays, *, pull: float = 0.0, towards: Arrays | None = None
    ) -> Arrays:
        self.started.append(start)
        there = start if towards is None else towards
        return {
            name: np.asarray((self.best + pull * there[name]) / (1 + pull), np.float32)
            for name in start
        }
