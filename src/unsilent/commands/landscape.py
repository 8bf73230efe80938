"""``unsilent landscape``: what each benchmark shows of the modes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unsilent.commands.common import check_place, console, print_json, unread, write

if TYPE_CHECKING:
    from unsilent.landscape import Benchmark

Format = Literal["table", "csv", "json", "html"]

_STYLES = {"direct": "green", "proxy": "yellow", "none": "dim"}


def landscape(
    form: Annotated[
        Format,
        typer.Option("--format", help="How to print it (default: table).", show_default=False),
    ] = "table",
    authors: Annotated[
        bool, typer.Option("--authors", help="The authors' matrix alone, unchanged.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """What each benchmark shows of the silent failures, and unsilent's own row.

    The matrix is that of Oh and Bui (arXiv:2606.00947). Cells that we read otherwise have a star
    and their evidence; unsilent's row is computed from its benchmark's results.
    """
    from unsilent.landscape import authors_matrix, our_reading, own_row
    from unsilent.landscape.show import as_csv, as_html, as_json

    if authors and form in ("html", "json"):
        raise unread("--authors", f"with --format {form}, which holds their matrix beside ours")
    check_place(out)
    published, own = authors_matrix(), own_row()
    reading = published if authors else our_reading()
    shown = list(reading) if authors else [*reading, own]
    if form == "table" and out is None:
        _table(shown)
    elif form == "json" and out is None:
        print_json(as_json(published, reading, own))
    else:
        import json

        text = {
            "csv": lambda: as_csv(shown),
            "html": lambda: as_html(published, reading, own),
            "json": lambda: json.dumps(as_json(published, reading, own), indent=2) + "\n",
            "table": lambda: as_csv(shown),
        }[form]()
        if out is None:
            typer.echo(text, nl=False)
        else:
            write(out, text)


def _table(rows: list[Benchmark]) -> None:
    from rich.table import Table

    from unsilent.landscape.matrix import MODES
    from unsilent.taxonomy import SILENT_FAILURES

    table = Table("paradigm", "benchmark", *(failure.code for failure in SILENT_FAILURES))
    for row in rows:
        cells = [row.cell(failure.mode) for failure in SILENT_FAILURES]
        table.add_row(
            row.paradigm,
            row.name,
            *(
                f"[{_STYLES[cell.rating]}]{cell.rating}{'*' if cell.evidence else ''}[/]"
                for cell in cells
            ),
        )
    console().print(table)
    for failure in SILENT_FAILURES:
        if failure.mode not in MODES:
            console().print(f"{failure.code} came later: nobody rated the twelve for it.")
    for row in rows:
        for mode, cell in row.cells.items():
            if cell.evidence:
                console().print(f"* {row.name}, {mode.replace('_', ' ')}: {cell.evidence}")
