"""Onset: in which rounds a failure may have begun.

A confidence set of rounds by inversion: each round is tried as the onset, and stays unless an
e-process against it has grown to 1 / level. The e-process of the true round reaches that at any
time with at most that probability (Ville 1939), so the set holds at all rounds jointly, and so at
the round of an alarm, whatever made it stop. Only the true round's test can err, so that trying
many rounds costs nothing. What is told of the set are its ends, so that only the rounds near them
are tried in full: see ``refuted``.
"""

from __future__ import annotations

import numpy as np

from unsilent.errors import FindingsError
from unsilent.findings import Onset
from unsilent.inference.refuted import Crossing, Jump
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series
from unsilent.inference.slope import precisions


def onset_of(series: Series, tolerance: float, level: float) -> Onset | None:
    """The rounds in which the failure of a mode may have begun; asked after an alarm.

    *Anything that stays* (``first``, ``last``). Under the hypothesis that it began in round k, the
    mean of each round before k is at most the tolerance and that of each later one above. For the
    rounds from a to k - 1 a one-sided normal mixture (``eprocess.log_evalue``) bets against the
    first part, for the rounds from k to b one against the second; starts a and ends b are mixed
    with weights 1 / (n (n + 1)) in the number n of rounds, which add up to at most 1 and cost
    little where few rounds say enough. The e-process of k is the mean of both sides. Truncation,
    what clipping may hide and the lasting error of sampled clients or records, at half the level,
    are given to the hypothesis.

    *One jump* (``sudden``). Under the hypothesis of a jump before round k the rounds before it
    share one unknown mean and those from k on another. Each side is split at every round, and
    the difference of the two means is tested against none, one-sided, with the same mixture.
    That is a ratio of densities of the differences, which know nothing of the two levels, and so
    an e-process in their filtration (Perez-Ortiz, Lardy, de Heide and Gruenwald 2024, translation
    invariance). The lasting error is in all rounds alike and cancels;
    what each round draws anew counts as noise. A jump beyond the tolerance
    is in both sets. It is offered only where some jump fits the rounds at least as well as any
    drift from a level, for else a reader would be misled who knows of no jump; this can only
    withhold a set, never make one wrong.

    Each of the two sets has half of the level.

    Args:
        series: The mode's rounds, without leading axes.
        tolerance: The mode's.
        level: Error of both sets together, over all rounds at once. It is that of the set, not
            that of the set given an alarm: of the few false alarms no onset is right.

    Returns:
        The smallest interval around the set, or None if no round is left: the rounds contradict
        a failure that began and stayed.

    Raises:
        FindingsError: The level is not in (0, 0.5).
    """
    if not 0 < level < 0.5:
        raise FindingsError(f"level {level:g} is not in (0, 0.5)", where=series.code)
    crossing = Crossing.of(series, tolerance, level / 2)
    first = crossing.first()
    if first is None:
        return None
    last, rounds = crossing.last(), series.rounds
    jump = Jump.of(series, level / 2)
    found = jump.first(first, last, also=crossing.holds)
    # A failure from the first round on has shown neither a jump nor a drift.
    if found is None or (found > 0 and not _looks_sudden(series)):
        return Onset(int(rounds[first]), int(rounds[last]))
    end = jump.last(found, last, also=crossing.holds)
    return Onset(int(rounds[first]), int(rounds[last]), (int(rounds[found]), int(rounds[end])))


def _looks_sudden(series: Series) -> bool:
    """Whether some jump explains the effects at least as well as any drift from a level.

    Either is a shape beside a level, and how well it does is how many weighted squares it explains
    with a positive size. All jumps and all drifts are tried, from running sums that start at the
    last round: a drift from a round is the one from the round after it, and as much more for each
    round since as the two lie apart.
    """
    weights, times = precisions(series.privacy_sd), series.rounds.astype(np.float64)
    total = float(weights.sum())
    beyond = weights * (series.effects - float(weights @ series.effects) / total)

    def after(values: Numbers) -> Numbers:
        """(m,) sums over the rounds from each to the last."""
        return np.cumsum(values[::-1])[::-1]

    def explained(size: Numbers, mean: Numbers, squares: Numbers) -> float:
        norms = squares - mean**2 / total
        return float(np.max(np.maximum(size, 0.0) ** 2 / np.maximum(norms, 1e-300), initial=0.0))

    mass, excess = after(weights), after(beyond)
    gaps = np.diff(times)
    # From the rounds before the last: of the distances to the later ones.
    distance = after(gaps * mass[1:])
    squares = after(2 * gaps * np.append(distance[1:], 0.0) + gaps**2 * mass[1:])
    drift = explained(after(gaps * excess[1:]), distance, squares)
    return explained(excess[1:], mass[1:], mass[1:]) >= drift * (1 - 1e-9)
