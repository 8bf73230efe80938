"""unsilent's own row of the landscape, computed from what its benchmark shows and never typed in.

The scale is the authors': ``direct`` where the output reports the mode *and* the benchmark's fresh
runs show that it finds it; ``proxy`` where it reports it and finds it less often than it should;
``none`` where nothing of that was shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unsilent.landscape.matrix import UNKNOWN, WHERE, Benchmark, Cell, Rating
from unsilent.taxonomy import SILENT_FAILURES

NAME = "unsilent"
METHOD = "unsilent"
DOSE = "strong"
ENOUGH = 0.95
FALSE_ALARMS = 0.05


def own_row(rows: Sequence[Mapping[str, Any]] | None) -> Benchmark:
    """The row that the benchmark's rows give.

    A mode is judged at the strong dose, at the smallest epsilon of at least 2 and the fewest
    clients that were tried on the fleet: the hardest setting that the benchmark asks for.

    Args:
        rows: As ``unsilent bench replay --json`` prints them; None if there are no traces.
    """
    cells = {failure.mode: _cell(failure.code, rows or ()) for failure in SILENT_FAILURES}
    return Benchmark(NAME, "Federated", "Behaviour under privacy", cells)


def _cell(code: str, rows: Sequence[Mapping[str, Any]]) -> Cell:
    asked = [
        row
        for row in rows
        if (row["method"], row["tier"], row["mode"], row["dose"]) == (METHOD, "fleet", code, DOSE)
        and row.get("main", True)
        and row["detection"] is not None
        and row["epsilon"] is not None
        and row["epsilon"] >= 2
    ]
    if not asked:
        return Cell("none", UNKNOWN, WHERE)
    row = min(asked, key=lambda row: (row["epsilon"], row["clients"]))
    rating: Rating = "proxy"
    if row["detection"] >= ENOUGH and row["false_alarms"] <= FALSE_ALARMS:
        rating = "direct"
    low, high = row["interval"]
    evidence = (
        f"found in {100 * row['detection']:.1f}% [{100 * low:.1f}, {100 * high:.1f}] of runs with "
        f"the injected failure, false alarms {100 * row['false_alarms']:.1f}% of look-alikes, "
        f"{row['clients']} clients, epsilon {row['epsilon']:g}, {row['seeds']} fresh seeds"
    )
    return Cell(rating, evidence, WHERE)
