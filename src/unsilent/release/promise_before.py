"""The promise as findings told it before they named what it is not about.

Published findings are checked against the ledger word by word; those of an earlier release are as
true to theirs as today's. Nothing is written in these words any more.
"""

from __future__ import annotations

from unsilent.plan import MonitoringPlan
from unsilent.release.promise import PLAIN_CAVEAT, SECURE_SUM_CAVEAT, STOPPED

_RECORD = (
    "The unit is one evaluation record, given the adapters, which have seen the training records: "
    "how well anyone can tell what one such record says. It says nothing about the training "
    "records, nor about a client as a whole, and it holds only where no evaluation record was "
    "trained on or chosen by."
)


def in_earlier_words(plan: MonitoringPlan, spent: float, releases: int, today: str) -> str:
    """A run's statement as it was told before.

    Args:
        plan: The run's.
        spent: Epsilon of its releases.
        releases: How many there were.
        today: The same statement in today's words; whether and where the budget was spent is read
            off it.
    """
    privacy = plan.privacy
    record = privacy.unit == "record"
    times = "once" if releases == 1 else f"{releases} times"
    if record:
        question = "what one given evaluation record says"
    elif privacy.adjacency == "replace-one":
        question = "which of two clients took part in a given one's place"
    else:
        question = "whether one given client took part"
    sentences = [
        f"Each client released one noised vector {times}. Whoever sees the published sums, and "
        f"knows all other {'records' if record else 'clients'}, can tell {question} only as well "
        f"as epsilon {spent:.2f} at delta {privacy.delta:g} allows.",
        *([_RECORD] if record else []),
        PLAIN_CAVEAT if privacy.aggregation == "plain" else SECURE_SUM_CAVEAT,
    ]
    _, stopped, rest = today.partition(STOPPED)
    return " ".join([*sentences, *([stopped + rest] if stopped else [])])
