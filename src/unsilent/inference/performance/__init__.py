"""Performance from sums of counts: intervals of ratios, AUROC and calibration, and their verdicts.

All numbers are of the records of the clients in the sums, pooled: a client's records count each as
much as any other's. The ends of an interval rest on three things: the noise in each count, which is
known exactly; the choice of records, where the plan speaks of records like these; and what bins
hide.

- A ratio of two noisy sums is an interval by inversion (Fieller 1954): ``A - t B`` is linear in the
  sums, so that its noise is known for each t, and t is in the interval where that is near 0.
- What compares two of them has the ends of MOVER (Zou and Donner 2008).
- AUROC comes from two binned scores, with ties within a bin taken for the worst and for the best.

The error is the plan's ``alpha``: modes and statistics share it by their weights, the groups of a
statistic share its part, and over windows and rounds it is spent as that of the modes (``bands``).
"""

from unsilent.inference.performance.drift import drift_of
from unsilent.inference.performance.judge import judge_performance

__all__ = ["drift_of", "judge_performance"]
