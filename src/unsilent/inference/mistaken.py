"""Mistaken: how many clients finite records put on the wrong side of a threshold, at most.

What is released of it is each client's spread ``sqrt(q (1 - q))``, q its chance to be in the tail
as estimated from its own records. The ratio of the clients on the wrong side to the mean of their
spreads is largest for clients at the threshold itself. With many records it is 4 / pi there. With
n of them a net loss is a whole number, and the threshold between two of these: of clients whose
true loss is just beyond 12 points of 25 records only 35% lose more than 3 and are counted.
"""

from __future__ import annotations

_LARGEST = (
    (4, 1.87),
    (5, 1.85),
    (6, 1.83),
    (8, 1.78),
    (10, 1.71),
    (18, 1.66),
    (26, 1.59),
    (27, 1.57),
    (35, 1.56),
    (43, 1.55),
    (51, 1.51),
    (76, 1.48),
    (101, 1.46),
    (126, 1.44),
)
"""Records, and the largest ratio with so many or more: exact sums over all counts of lost and
gained answers, over all shares of gained ones, a hundredth added."""


def mistaken_ratio(records: int) -> float:
    """Clients on the wrong side to the mean of their spreads, at most.

    Args:
        records: How many a client holds out, at least; at least 4.
    """
    return next(
        (ratio for fewest, ratio in reversed(_LARGEST) if records >= fewest), _LARGEST[0][1]
    )
