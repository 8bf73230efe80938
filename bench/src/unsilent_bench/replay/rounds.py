"""Tests that are in use elsewhere, on the same sums: one test a round, and DP-CUSUM."""

from __future__ import annotations

import math

import numpy as np

from unsilent_bench.replay.batch import Batch, noise_generator
from unsilent_bench.replay.contract import MethodVerdicts
from unsilent_bench.verdicts.baselines import Flags, dp_cusum, per_round, readings
from unsilent_bench.verdicts.cells import ALPHA
from unsilent_bench.verdicts.people import CLIENT_SD, Array


class PerRound:
    """A one-sided 5% test of our sums in every round and mode, as if it were the only one."""

    name = "per-round"
    private = True
    sees = "one noised sum of all clients a round"
    note = "our release; no correction for modes and rounds"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts:
        """As ``Method.judge``."""
        draws = 1 if epsilon is None else batch.draws
        seen = readings(batch.simulation(epsilon, draws, seed))
        distance = np.nan_to_num(seen.effect - seen.tolerance, nan=-np.inf)
        score = (distance / np.maximum(seen.sd, 1e-12)).max(axis=1)
        return _about_rounds(batch, draws, per_round(seen).failure, score)


class DPCusum:
    """DP-CUSUM (Xie and Zhang 2025) on clean means at a trusted server; see ``dp_cusum``."""

    name = "dp-cusum"
    private = True
    sees = "each client's numbers in the clear, at a trusted server"
    note = "arXiv:2509.02768, protecting one client in all rounds and modes as ours does"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts:
        """As ``Method.judge``."""
        draws = 1 if epsilon is None else batch.draws
        plan = batch.plan
        spread = np.array([CLIENT_SD[code] for code in plan.planned])
        judged = dp_cusum(
            batch.simulation(epsilon, draws, seed),
            epsilon,
            shift=spread / 2,
            spread=spread / math.sqrt(plan.federation.clients),
            alpha=ALPHA,
            generator=noise_generator(batch.federations[0], seed + 1, epsilon or 0.0, 0),
        )
        score = judged.failure if judged.score is None else judged.score
        return _about_rounds(batch, draws, judged.failure, score.max(axis=1))


def _about_rounds(batch: Batch, draws: int, failure: Flags, score: Array) -> MethodVerdicts:
    """Alarms that are each about their own round, from flat repetitions."""
    shape = (len(batch.federations), draws)
    return MethodVerdicts(
        failure=failure.reshape(*shape, *failure.shape[1:]),
        about=np.repeat(batch.truth[:, None], draws, axis=1),
        score=score.reshape(*shape, -1),
    )
