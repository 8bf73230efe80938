"""Whether the clients' measured models were shown to be the personalized ones that serve.

What a client could not show it counts as cut off, so intervals speak for it already: their upper
ends rise by its whole clip. Read here is how many there are, for the reason that a finding gives,
and for the one rule that does not wait for an interval: where a fifth of it was not shown, by more
than the noise, or half of it whatever the noise, nothing is healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsilent.inference.sums import Sums
from unsilent.release.coordinate import DIFFERING, UNSHOWN
from unsilent.release.layout import Layout
from unsilent.release.release import Release

MANY, MOST = 0.2, 0.5
"""Larger shares of what training changed, not shown to act, and no mode is healthy: the first where
the noise allows to tell, the second in any case."""
_SEEN = 2.33
"""Standard normal quantile: chance alone names such clients once in a hundred times."""
_LEAST = 0.02
"""A share that is named however exactly it is known."""


@dataclass(frozen=True)
class ModelShown:
    """Over the clients of a window of rounds, as released: noise included.

    Attributes:
        unshown: Mean share of what training changed that was not shown to act.
        differing: Share of clients whose model is not what the plan expects.
        sd: Of the privacy noise in each.
    """

    unshown: float
    differing: float
    sd: float

    @property
    def reason(self) -> str | None:
        """Why nothing may rest on the numbers, if there is a reason."""
        said = [
            f"{words} at about {min(share, 1.0):.0%} of the clients ({look})"
            for share, words, look in (
                (self.unshown, NOT_SHOWN, "each finds what to look at by unsilent local"),
                (self.differing, DIFFERENT, "see model.expect in the plan"),
            )
            # Whatever the noise: such a share decides.
            if share > min(max(_SEEN * self.sd, _LEAST), MOST)
        ]
        return "; ".join(said) or None

    @property
    def trusted(self) -> bool:
        """Whether a mode may be called healthy at all."""
        most = min(max(MANY, _SEEN * self.sd), MOST)
        return self.unshown <= most and self.differing <= most


NOT_SHOWN = "the measured model could not be shown to be the personalized one"
DIFFERENT = "base, tokenizer, adapter layout or engine is not what the plan expects"


def model_shown(
    layout: Layout, totals: Sequence[Release] | Sums, first: int, last: int
) -> ModelShown | None:
    """What the sums from round ``first`` to ``last`` say of it; None where they are from before."""
    if UNSHOWN not in layout.names:
        return None
    used = Sums.of(layout, totals).between(first, last)
    clients = int(used.clients.sum())
    if not clients:
        return None
    whole = layout.decode(used.vectors.sum(axis=0), clients)
    return ModelShown(
        unshown=whole[UNSHOWN],
        differing=whole[DIFFERING],
        sd=layout.noise_sd(UNSHOWN, float(used.noise_variance.sum()), clients),
    )
