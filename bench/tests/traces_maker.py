"""Small synthetic federations in the traces' form, with a known effect in one mode."""

from __future__ import annotations

import numpy as np
from unsilent_bench.scenarios import MAIN
from unsilent_bench.traces import Federation
from unsilent_bench.traces.federation import CLIENT_COLUMNS, CODES

SIZES = {"none": 0.0, "mild": 0.3, "medium": 0.6, "strong": 1.0}
EFFECTS = {"SF-1": 0.25, "SF-2": 0.25, "SF-3": 0.4, "SF-4": 0.15, "SF-5": 0.2, "SF-6": 0.15}
"""Effect at the strong dose, on top of a level of ``LEVELS``."""
LEVELS = {"SF-3": 0.05}
"""Of modes that only some clients have: half of them, twice as much as the mean."""


def federation(
    code: str = "SF-1",
    dose: str = "strong",
    seed: int = 1,
    *,
    clients: int = 128,
    rounds: int = 10,
    absent: float = 0.0,
    onset: int = 1,
    split: str = "fresh",
    tier: str = "fleet",
    training: str = "plain",
    personalization: str = "fine-tune",
    scenario: str | None = None,
) -> Federation:
    """A federation whose ``code`` is beyond its level by the dose from a round on."""
    generator = np.random.default_rng((seed, CODES.index(code), clients))
    shape = (rounds, clients)
    size = SIZES[dose] * EFFECTS[code]
    numbers: dict[str, np.ndarray] = {}
    truth = np.zeros((rounds, len(CODES)))
    for position, each in enumerate(CODES):
        level = np.full(rounds, LEVELS.get(each, 0.0))
        if each == code:
            level[onset - 1 :] += size
        truth[:, position] = level
        if each in LEVELS:
            losing = generator.permutation(clients)[None, :] < clients / 2
            numbers[each] = 2 * level[:, None] * losing
        else:
            around = 0.03 * generator.standard_normal((1, clients))
            numbers[each] = level[:, None] + around - around.mean()
        numbers[each + ".spread"] = np.full(shape, 0.03)
    for name in CLIENT_COLUMNS:
        if name not in numbers:
            numbers[name] = 0.02 * generator.standard_normal(shape) + (0.4 if "loss" in name else 0)
    for name in ("system.loss", "system.accuracy"):
        numbers[name] = numbers[name] * 0.1
    numbers["examples"] = np.full(shape, 24.0)
    gone = generator.random(shape) < absent
    for values in numbers.values():
        values[gone] = np.nan
    return Federation(
        federation=f"{tier}-{code}-{dose}-{clients}-{training}-{personalization}-{seed}",
        tier=tier,  # type: ignore[arg-type]
        scenario=scenario or MAIN[CODES.index(code)],
        code=code,
        dose=dose,  # type: ignore[arg-type]
        strength=SIZES[dose],
        clients=clients,
        rounds=rounds,
        seed=seed,
        split=split,  # type: ignore[arg-type]
        personalization=personalization,
        training=training,
        plan="sha256:" + "0" * 64,
        numbers={name: values.astype(np.float32) for name, values in numbers.items()},
        truth=truth,
        truth_se=np.full_like(truth, 0.005),
    )
