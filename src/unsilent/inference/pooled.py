"""Pooled: what a window of rounds says of one mode, and what each end of its interval rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unsilent.inference.sampling import Numbers


@dataclass(frozen=True, eq=False)
class Side:
    """What one end of an interval is reckoned from. Fields broadcast over leading axes.

    An end may rest on more than the effect: what clipping may have added is taken off the lower
    end, what it may have taken off is added to the upper one, and clients who were asked and are
    not in the sum count with the least, or the most, that they could have released (Manski 1989).
    The amounts are numbers of the same release, so their noise is the end's as well.

    Attributes:
        centre: The effect with all of this.
        sampling_sd: Upper bound on the sd of the part of the centre that stays over rounds.
        privacy_sd: Sd of the noise in the centre and in the slack; exact.
        degrees_of_freedom: Of the whole variance; infinite where no part was estimated.
        slack: Largest error that no sd counts; see ``Estimate.truncation``.
    """

    centre: Numbers
    sampling_sd: Numbers
    privacy_sd: Numbers
    degrees_of_freedom: Numbers
    slack: Numbers

    @property
    def sd(self) -> Numbers:
        """Sd of the centre: sampling and privacy are independent."""
        return np.hypot(self.sampling_sd, self.privacy_sd)

    def at(self, place: int) -> Side:
        """Of several windows, along the first axis, one."""
        return Side(
            self.centre[place],
            self.sampling_sd[place],
            self.privacy_sd[place],
            self.degrees_of_freedom[place],
            self.slack[place],
        )


@dataclass(frozen=True, eq=False)
class Pooled:
    """One mode over a window, client-rounds pooled. Fields broadcast over leading axes.

    Or over several windows, which are the first axis of every field then.

    Attributes:
        effect: Sum of the rounds' sums over the number of client-rounds.
        sampling_sd: Upper bound on the sd of the part that stays over rounds.
        shared_sd: The part of it that the choice of probes adds.
        privacy_sd: Sd of the noise, that in ``slack`` included.
        clipped: Mean share that clipping cut off, as released.
        spread: Mean of ``.spread``.
        clients: Mean cohort of the window.
        share: Client-rounds in the sums as a share of those that were asked for.
        slack: Largest error of the effect that no sd counts; see ``Estimate.truncation``.
        below, above: What the lower and the upper end are reckoned from.
    """

    effect: Numbers
    sampling_sd: Numbers
    shared_sd: Numbers
    privacy_sd: Numbers
    clipped: Numbers
    spread: Numbers
    clients: float | Numbers
    share: float | Numbers
    slack: Numbers
    below: Side
    above: Side

    @property
    def sd(self) -> Numbers:
        """Sd of the effect: sampling and privacy are independent."""
        return np.hypot(self.sampling_sd, self.privacy_sd)

    def at(self, place: int) -> Pooled:
        """Of several windows one."""
        return Pooled(
            effect=self.effect[place],
            sampling_sd=self.sampling_sd[place],
            shared_sd=self.shared_sd[place],
            privacy_sd=self.privacy_sd[place],
            clipped=self.clipped[place],
            spread=self.spread[place],
            clients=float(np.ravel(self.clients)[place]),
            share=float(np.ravel(self.share)[place]),
            slack=self.slack[place],
            below=self.below.at(place),
            above=self.above.at(place),
        )
