"""The landscape as CSV, JSON and one HTML page."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from unsilent import __version__
from unsilent.landscape.coverage import counted, coverage
from unsilent.landscape.figure import divide
from unsilent.landscape.matrix import MODES, Benchmark
from unsilent.markup import template
from unsilent.taxonomy import SILENT_FAILURES

LEGEND = {
    "direct": "the official output reports it",
    "proxy": "derivable with little work, or for part of it only",
    "none": "nothing",
}


def as_csv(rows: Sequence[Benchmark]) -> str:
    """The rows in the columns of the authors' file, further modes behind them."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    modes = list(dict.fromkeys(mode for row in rows for mode in row.cells))
    writer.writerow(["category", "benchmark", "primary_focus", *modes])
    for row in rows:
        writer.writerow([row.paradigm, row.name, row.focus, *(row.cell(m).rating for m in modes)])
    return text.getvalue()


def as_json(
    authors: Sequence[Benchmark], reading: Sequence[Benchmark], own: Benchmark
) -> dict[str, Any]:
    """Both matrices, our row, and the coverage of our reading by paradigm and mode."""
    return {
        "source": "arXiv:2606.00947",
        "authors": [asdict(row) for row in authors],
        "reading": [asdict(row) for row in reading],
        "own": asdict(own),
        "coverage": [asdict(each) for each in coverage(reading)],
    }


def as_html(authors: Sequence[Benchmark], reading: Sequence[Benchmark], own: Benchmark) -> str:
    """One page that needs nothing else. Everything that is not markup of ours is escaped."""
    rated = {(row.name, mode): row.cells[mode].rating for row in authors for mode in MODES}
    notes: list[tuple[str, str, str, str, str]] = []
    for row in reading:
        for mode in MODES:
            cell = row.cells[mode]
            if cell.evidence:
                notes.append((row.name, mode, rated[row.name, mode], cell.evidence, cell.where))
    return template("unsilent.landscape", "landscape.html.j2").render(
        rows=reading,
        own=own,
        notes=notes,
        modes=SILENT_FAILURES,
        unrated=[each for each in SILENT_FAILURES if each.mode not in MODES],
        divide=divide(reading),
        direct=counted(reading, "direct"),
        blind=counted(reading, "none"),
        pairs=Counter(row.paradigm for row in reading for _ in MODES),
        legend=LEGEND,
        version=__version__,
    )
