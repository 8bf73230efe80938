"""The authors' matrix, unchanged, and our reading of it with the evidence for each difference.

``authors.csv`` is the rating matrix that Oh and Bui publish with their paper (arXiv:2606.00947,
MIT licence), byte for byte. It rates what a benchmark releases today: ``direct``, its official
output reports the mode; ``proxy``, derivable from that with little work, or for a part of it only;
``none``.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from io import StringIO
from typing import Literal, cast, get_args

from unsilent.errors import InputError
from unsilent.modes import FIRST
from unsilent.published import results
from unsilent.taxonomy import SILENT_FAILURES, by_code

OWN = "unsilent"
Rating = Literal["direct", "proxy", "none"]
RATINGS: tuple[Rating, ...] = get_args(Rating)
MODES: tuple[str, ...] = tuple(by_code(code).mode for code in FIRST)
"""Those that the authors rate. Of a further mode no benchmark is known to show anything."""


@dataclass(frozen=True)
class Cell:
    """What one benchmark shows of one mode.

    Attributes:
        rating: On the authors' scale.
        evidence: Why, where it is not the authors' own rating; else empty.
        where: Where the evidence can be seen, such as a file at a commit.
    """

    rating: Rating
    evidence: str = ""
    where: str = ""


UNKNOWN = "it is reported, and no benchmark run shows that it is found"
WHERE = "unsilent bench replay"
UNRATED = Cell("none")
"""Of a mode that was not there to be rated."""


@dataclass(frozen=True)
class Benchmark:
    """A row: a benchmark, its paradigm (``Federated`` or ``Centralized``), a cell for each mode."""

    name: str
    paradigm: str
    focus: str
    cells: Mapping[str, Cell]

    def cell(self, mode: str) -> Cell:
        """What it shows of a mode, rated or not."""
        return self.cells.get(mode, UNRATED)


def authors_matrix() -> tuple[Benchmark, ...]:
    """The twelve benchmarks as the authors rate them, in their order.

    Raises InputError if the file that ships with the package was damaged.
    """
    return parse_matrix((files("unsilent.landscape") / "authors.csv").read_text(encoding="utf-8"))


def our_reading() -> tuple[Benchmark, ...]:
    """The same benchmarks with the cells that we read otherwise, each with its evidence."""
    text = (files("unsilent.landscape") / "reading.toml").read_text(encoding="utf-8")
    return with_reading(authors_matrix(), tomllib.loads(text)["cell"])


def parse_matrix(text: str) -> tuple[Benchmark, ...]:
    """Read a matrix in the authors' format. Raises InputError naming the row and the column."""
    rows: list[Benchmark] = []
    for number, row in enumerate(csv.DictReader(StringIO(text)), start=2):
        columns = ("category", "benchmark", "primary_focus", *MODES)
        missing = [column for column in columns if not row.get(column)]
        if missing:
            raise InputError(
                f"no {missing[0]}",
                where=f"landscape matrix, line {number}",
                remedy="Restore the file that ships with the package.",
            )
        cells = {mode: Cell(_rating(row[mode], f"line {number}, {mode}")) for mode in MODES}
        rows.append(Benchmark(row["benchmark"], row["category"], row["primary_focus"], cells))
    return tuple(rows)


def with_reading(
    matrix: Sequence[Benchmark], differences: Sequence[Mapping[str, str]]
) -> tuple[Benchmark, ...]:
    """The matrix with other cells in some places.

    Args:
        matrix: Rows to start from; not changed.
        differences: For each cell that differs its benchmark, mode, rating, evidence and where.

    Raises:
        InputError: An unknown benchmark, mode or rating, no evidence, or no difference.
    """
    rows = {row.name: row for row in matrix}
    for entry in differences:
        name, mode = entry.get("benchmark", ""), entry.get("mode", "")
        where = f"landscape reading, {name or 'an entry'} {mode}".strip()
        if name not in rows or mode not in MODES:
            raise InputError("no such benchmark or mode in the matrix", where=where)
        rating = _rating(entry.get("rating", ""), where)
        if not entry.get("evidence") or not entry.get("where"):
            raise InputError("a cell that differs needs its evidence and where it is", where=where)
        if rows[name].cells[mode].rating == rating:
            raise InputError("this cell does not differ from the authors' rating", where=where)
        cell = Cell(rating, entry["evidence"], entry["where"])
        rows[name] = replace(rows[name], cells={**rows[name].cells, mode: cell})
    return tuple(rows.values())


def _rating(value: str, where: str) -> Rating:
    if value not in RATINGS:
        raise InputError(
            f"no rating {value!r}", where=where, remedy=f"Use one of {', '.join(RATINGS)}."
        )
    return cast("Rating", value)


def own_row() -> Benchmark:
    """unsilent's own row: what its published results give, never typed in.

    A mode that they know nothing of is measured, and that is all that is known of it.
    """
    cells = {failure.mode: Cell("none", UNKNOWN, WHERE) for failure in SILENT_FAILURES} | {
        mode: Cell(cast("Rating", cell["rating"]), cell["evidence"], cell["where"])
        for mode, cell in results().own_row.items()
    }
    return Benchmark(OWN, "Federated", "Behaviour under privacy", cells)
