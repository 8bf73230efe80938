"""The oracle: full access to every client, so the truth itself."""

from __future__ import annotations

from unsilent_bench.replay.batch import Batch
from unsilent_bench.replay.contract import MethodVerdicts
from unsilent_bench.verdicts.baselines import tolerances


class Oracle:
    """FAILURE where the truth of a round is beyond the tolerance, HEALTHY elsewhere."""

    name = "oracle"
    private = False
    sees = "every client's model, data and labels"
    note = "what could be found at best: a cause that did not work is missed here too"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts:
        """As ``Method.judge``; no budget is spent and nothing is drawn."""
        truth = batch.truth[:, None]
        beyond = truth > tolerances(batch.plan)
        return MethodVerdicts(
            failure=beyond,
            about=truth,
            score=truth.max(axis=2),
            healthy=~beyond,
            guarded=truth,
        )
