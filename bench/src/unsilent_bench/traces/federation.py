"""One simulated federation: what caused its failure, what its clients measured, what was true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.modes import FIRST
from unsilent.release.coordinate import ACCURACY, LOSS, SPREAD

Tier = Literal["fleet", "lm"]
Dose = Literal["none", "mild", "medium", "strong"]
Split = Literal["development", "fresh"]

CODES = FIRST
"""The modes that traces hold. Of a further one nothing was recorded, and it is left out."""
DOSES: tuple[Dose, ...] = ("none", "mild", "medium", "strong")
STATISTICS = (*CODES, *(code + SPREAD for code in CODES))
SHOWN = ("loss", "accuracy", "personal_loss", "personal_accuracy")
"""What a federated run could show today, in the clear."""
EXAMPLES = "examples"
CLIENT_COLUMNS = (*STATISTICS, LOSS, ACCURACY, *SHOWN, EXAMPLES)
CLIENT_TRUTHS = tuple(f"truth.{code}" for code in CODES)
"""Columns that a federation may have besides: what is true of each client, where it was recorded,
so that some of its clients can be judged alone. The mean over clients is the truth of all."""

META: Mapping[str, str] = {
    "federation": "id, distinct",
    "tier": "fleet (text encoder) or lm (language model)",
    "scenario": "which scenario of the benchmark caused it",
    "code": "the mode that the scenario aims at",
    "dose": "none (the healthy look-alike), mild, medium or strong",
    "strength": "the dose as a number in [0, 1]",
    "clients": "enrolled clients",
    "rounds": "monitoring rounds",
    "seed": "of all its randomness",
    "split": "development (doses and plans were tuned on it) or fresh (rates are published from)",
    "personalization": "fine-tune, ditto, fedsa or local",
    "training": "plain, secure-sum, dp-fedavg:NOISE or dp-sgd:EPSILON",
    "plan": "digest of the monitoring plan that it was recorded under",
}
"""Columns of the table of federations, and what they hold."""


@dataclass(frozen=True, eq=False)
class Federation:
    """One federation with all that its clients measured.

    Attributes:
        federation … plan: As ``META`` says.
        numbers: For each of ``CLIENT_COLUMNS`` a (rounds, clients) float32 array; NaN where a
            client did not take part in a round. ``SF-n`` are statistics before clip and noise,
            ``system.*`` the changes of ``observer.SystemChange``; ``loss`` and ``accuracy`` are of
            the global adapter on the client's held-out records, which a run averages today. Any
            of ``CLIENT_TRUTHS`` may be there too, all NaN where a mode was not looked at.
        truth: (rounds, 6) effects by full access on the same clients, with independent probes, in
            the taxonomy's order; NaN where a mode was not looked at.
        truth_se: Their standard errors.

    Raises:
        InputError: A field or a shape is not as said, or a round has no client.
    """

    federation: str
    tier: Tier
    scenario: str
    code: str
    dose: Dose
    strength: float
    clients: int
    rounds: int
    seed: int
    split: Split
    personalization: str
    training: str
    plan: str
    numbers: Mapping[str, NDArray[np.float32]]
    truth: NDArray[np.float64]
    truth_se: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, known in (
            ("tier", ("fleet", "lm")),
            ("code", CODES),
            ("dose", DOSES),
            ("split", ("development", "fresh")),
        ):
            if getattr(self, name) not in known:
                raise self._fault(f"{name} {getattr(self, name)!r} is none of {', '.join(known)}")
        odds = set(CLIENT_COLUMNS) ^ (set(self.numbers) - set(CLIENT_TRUTHS))
        if odds:
            odd = min(odds)
            raise self._fault(f"column {odd!r} is missing or unknown")
        shapes = {
            **dict.fromkeys(self.numbers, (self.rounds, self.clients)),
            "truth": (self.rounds, len(CODES)),
            "truth_se": (self.rounds, len(CODES)),
        }
        for name, shape in shapes.items():
            found = self.numbers[name] if name in self.numbers else getattr(self, name)
            if np.shape(found) != shape:
                raise self._fault(f"{name} has shape {np.shape(found)}, not {shape}")
        if not self.present.any(axis=1).all():
            raise self._fault("a round has no client")

    @property
    def unshown(self) -> NDArray[np.float32]:
        """(rounds, clients) 1 where a client measured no change at all, in no number, else 0.

        That is what an adapter that is never applied looks like.
        """
        changed = [self.numbers[name] for name in (*CODES, LOSS, ACCURACY)]
        none = np.all([np.abs(np.nan_to_num(each)) == 0 for each in changed], axis=0)
        return (none & self.present).astype(np.float32)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(rounds, clients) who took part."""
        return ~np.isnan(self.numbers[EXAMPLES])

    def _fault(self, what: str) -> InputError:
        return InputError(what, where=f"federation {self.federation}")
