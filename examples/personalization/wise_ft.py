"""A personalization for unsilent: between the global model and the tuned one.

Wortsman et al. 2022, Robust fine-tuning of zero-shot models: weights on the line from a model to
its fine-tuned self keep more of what it could do elsewhere. Here it starts at the global model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unsilent.models.arrays import Arrays
from unsilent.models.personalization import Personalization, Tune


@dataclass(frozen=True)
class WiseFt(Personalization):
    """Everything is shared; the client's own model lies ``share`` of the way to the tuned one.

    Attributes:
        share: 0 is the global model, 1 is fine-tuning.
    """

    share: float = 0.5

    def personal(self, aggregated: Arrays, own: Arrays, tune: Tune) -> Arrays:
        """A point on the line, array by array."""
        tuned = tune(aggregated)
        return {
            name: array + np.float32(self.share) * (tuned[name] - array)
            for name, array in aggregated.items()
        }
