"""What ``unsilent bench run`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from unsilent_bench.fleet.check import AGREEMENT, Agreement, agreement
from unsilent_bench.traces import Federation, read
from unsilent_bench.traces.federation import CODES

SCHEMA = "unsilent/bench-run/1"


def compared(found: Sequence[Federation], traces: Path | None) -> tuple[Agreement, ...]:
    """How far each is from its recorded trace; None for the traces that ship."""
    recorded = read(traces).federations
    return tuple(agreement(each, recorded) for each in found)


def to_json(found: Sequence[Federation], agreed: Sequence[Agreement]) -> dict[str, Any]:
    """Truth and mean statistic of every round of each federation."""
    apart = {each.federation: each for each in agreed}
    rows: list[dict[str, Any]] = []
    for each in found:
        row: dict[str, Any] = {
            "federation": each.federation,
            "modes": {
                code: {
                    "truth": [round(float(value), 5) for value in each.truth[:, place]],
                    "se": [round(float(value), 5) for value in each.truth_se[:, place]],
                    "statistic": [round(float(value), 5) for value in _means(each, code)],
                }
                for place, code in enumerate(CODES)
            },
            "accuracy": [round(float(value), 5) for value in _means(each, "accuracy")],
        }
        if each.federation in apart:
            found_apart = apart[each.federation]
            row["check"] = {
                "statistic": found_apart.statistic,
                "truth": found_apart.truth,
                "tolerance": AGREEMENT,
                "holds": found_apart.holds,
            }
        rows.append(row)
    return {"schema": SCHEMA, "federations": rows}


def table(found: Sequence[Federation], agreed: Sequence[Agreement]) -> Table:
    """Truth (and mean statistic) of the last round, and how far a recorded run is from it."""
    apart = {each.federation: each for each in agreed}
    shown = Table(title="Last round: truth (mean statistic)")
    shown.add_column("federation", no_wrap=True)
    for code in CODES:
        shown.add_column(code, justify="right")
    shown.add_column("accuracy", justify="right")
    if agreed:
        shown.add_column("apart", justify="right")
    for each in found:
        cells = [
            f"{each.truth[-1, place]:+.3f} ({_means(each, code)[-1]:+.3f})"
            for place, code in enumerate(CODES)
        ]
        cells.append(f"{_means(each, 'accuracy')[-1]:.3f}")
        if agreed:
            check = apart[each.federation]
            cells.append(f"{max(check.statistic, check.truth):.4f}")
        shown.add_row(each.federation, *cells)
    return shown


def _means(federation: Federation, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.nanmean(federation.numbers[name].astype(np.float64), axis=1)
