"""Score: what a method said of one federation, against its truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unsilent_bench.replay.batch import Batch
from unsilent_bench.replay.contract import Flags, MethodVerdicts, Shown
from unsilent_bench.replay.intervals import wins
from unsilent_bench.verdicts.baselines import tolerances
from unsilent_bench.verdicts.people import Array

ALLOWED = 0.05
"""Most false alarms that a threshold in hindsight may have on the look-alikes."""
_SURE = 2.0


@dataclass(frozen=True, eq=False)
class Score:
    """What one method said of one federation in its draws, scored. Modes in the plan's order.

    Attributes:
        found: (draws, modes) whether some round's FAILURE was true of the rounds it was about.
        delay: (draws, modes) rounds from the first with the truth beyond the tolerance to the
            first true FAILURE; NaN where there was none.
        by_round: (draws, rounds, modes) whether a true FAILURE was said by that round.
        false_alarm: (draws,) whether some FAILURE in any mode was not true.
        wrong: (draws,) that, or some HEALTHY that was not true.
        clearly: (draws,) wrong by more than two standard errors of the truth.
        score: (draws, modes) for the ROC.
        last: (draws, modes) verdict of the last round: 1 failure, -1 healthy, 0 undetermined;
            None if the method does not say HEALTHY.
        visibility: (draws, modes) of a FAILURE in the last round; None if it does not say.
    """

    found: Flags
    delay: Array
    by_round: Flags
    false_alarm: Flags
    wrong: Flags
    clearly: Flags
    score: Array
    last: Array | None = None
    visibility: Array | None = None


@dataclass(frozen=True)
class Threshold:
    """A statistic that was shown, and the threshold that did best in hindsight."""

    statistic: str
    value: float


def scores(batch: Batch, said: MethodVerdicts) -> dict[str, Score]:
    """The score of each federation of a batch, by its id."""
    tolerance = tolerances(batch.plan)
    true = said.failure & (said.about > tolerance)
    untrue = _ever(said.failure & ~(said.about > tolerance))
    error = _SURE * batch.truth_se[:, None, None]
    wrong, clearly = untrue, _ever(said.failure & (said.about < tolerance - error))
    if said.healthy is not None and said.guarded is not None:
        wrong = wrong | _ever(said.healthy & (said.guarded > tolerance))
        clearly = clearly | _ever(said.healthy & (said.guarded > tolerance + error))
    last = None
    if said.healthy is not None:
        last = said.failure[:, :, -1].astype(int) - said.healthy[:, :, -1].astype(int)
    found: dict[str, Score] = {}
    for at, federation in enumerate(batch.federations):
        found[federation.federation] = Score(
            found=true[at].any(axis=1),
            delay=_delay(true[at], batch.truth[at] > tolerance),
            by_round=np.logical_or.accumulate(true[at], axis=1),
            false_alarm=untrue[at],
            wrong=wrong[at],
            clearly=clearly[at],
            score=said.score[at],
            last=None if last is None else last[at],
            visibility=None if said.visibility is None else said.visibility[at],
        )
    return found


def in_hindsight(
    dosed: Sequence[str],
    healthy: Sequence[str],
    shown: Mapping[str, Mapping[str, Array]],
    beyond: Mapping[str, Flags],
) -> tuple[dict[str, Score], Threshold]:
    """Scores under the statistic and the threshold that find most of these very federations.

    An alarm is a statistic above the threshold in any round. The threshold is the lowest with
    false alarms in at most ``ALLOWED`` of the look-alikes; among statistics the one with the most
    alarms in dosed federations wins, then the one with the larger area under its ROC.

    Args:
        dosed: Ids of the federations with a cause, at least one, and
        healthy: of their look-alikes, at least one.
        shown: Id to statistic to (rounds,).
        beyond: Id to (rounds, modes) whether the truth is beyond the tolerance. An alarm names no
            mode and counts as found in every mode that is.
    """
    ranked: list[tuple[float, float, Threshold]] = []
    for name in shown[dosed[0]]:
        high = np.array([shown[each][name].max() for each in dosed])
        low = np.sort([shown[each][name].max() for each in healthy])[::-1]
        value = float(low[int(ALLOWED * len(low))])
        area = float(wins(high[:, None], low[:, None]).mean())
        ranked.append((float((high > value).mean()), area, Threshold(name, value)))
    threshold = max(ranked, key=lambda each: each[:2])[2]
    found: dict[str, Score] = {}
    for each in (*dosed, *healthy):
        values = shown[each][threshold.statistic]
        alarm = np.broadcast_to((values > threshold.value)[:, None], beyond[each].shape)
        reached = np.logical_or.accumulate(beyond[each], axis=0)
        heard: Flags = np.logical_or.accumulate(alarm & reached, axis=0)
        false_alarm = np.array([bool(alarm.any() and not beyond[each].any())])
        found[each] = Score(
            found=heard[-1][None],
            delay=_delay((alarm & reached)[None], beyond[each]),
            by_round=heard[None],
            false_alarm=false_alarm,
            wrong=false_alarm,
            clearly=false_alarm,
            score=np.full((1, beyond[each].shape[1]), values.max()),
        )
    return found, threshold


def statistics(batch: Batch, shown: Shown) -> dict[str, dict[str, Array]]:
    """Federation id to statistic to (rounds,)."""
    return {
        each.federation: {name: values[at] for name, values in shown.statistics.items()}
        for at, each in enumerate(batch.federations)
    }


def truths(batch: Batch) -> dict[str, Flags]:
    """Federation id to (rounds, modes) whether the truth is beyond the tolerance."""
    beyond = batch.truth > tolerances(batch.plan)
    return {each.federation: beyond[at] for at, each in enumerate(batch.federations)}


def _ever(flags: Flags) -> Flags:
    """(federations, draws) whether any flag of a run is set, in any round and mode."""
    found: Flags = np.logical_or.reduce(flags, axis=(2, 3))
    return found


def _delay(true: Flags, beyond: Flags) -> Array:
    """(draws, modes) rounds from the first of ``beyond`` to the first of ``true``."""
    first = np.argmax(true, axis=1) - np.argmax(beyond, axis=0)
    return np.where(true.any(axis=1), first.astype(np.float64), np.nan)
