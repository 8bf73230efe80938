"""Silent failures as a diagnostic category: the schemas, the modes, and exports of a run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from unsilent.commands.common import RunFolder, check_place, unread
from unsilent.commands.common import write as write_file

Form = Literal["model-card", "every-eval-ever"]
Schema = Literal["findings", "findings-1", "findings-2", "item"]
_SCHEMAS = {
    "findings": "findings-3",
    "findings-1": "findings-1",
    "findings-2": "findings-2",
    "item": "item-1",
}


def export(
    run: RunFolder,
    form: Annotated[
        Form,
        typer.Option(
            "--format", help="model-card (default) or every-eval-ever.", show_default=False
        ),
    ] = "model-card",
    organization: Annotated[
        str | None,
        typer.Option(help="Who answers for the model, for every-eval-ever (default: not named)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """A finished run as a model card's section or as a record of Every Eval Ever."""
    from unsilent.report.export import every_eval_ever, model_card
    from unsilent.report.source import read_run

    if form == "model-card" and organization is not None:
        raise unread("--organization", "with --format model-card")
    check_place(out)
    found = read_run(run)
    if form == "model-card":
        text = model_card(found)
    else:
        record = every_eval_ever(
            found, retrieved=int(time.time()), organization=organization or "not named"
        )
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_file(out, text)


def schema(
    name: Annotated[
        Schema,
        typer.Argument(
            help="findings, findings-1 (six modes), findings-2 (any, with an epsilon), or item."
        ),
    ] = "findings",
) -> None:
    """The published JSON Schema of findings.json, or of a line of a probe file."""
    from importlib.resources import files

    text = (files("unsilent.schema") / f"{_SCHEMAS[name]}.json").read_text(encoding="utf-8")
    typer.echo(text, nl=False)


def modes(
    code: Annotated[
        str | None, typer.Argument(metavar="[SF-n]", help="One mode; all without it.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write a Markdown page for each mode into this folder.")
    ] = None,
) -> None:
    """What each silent failure is, how it is measured, and what it leads to."""
    from unsilent.errors import InputError
    from unsilent.report.modes import mode_pages

    check_place(write, "--write", folder=True)
    pages = mode_pages()
    if code is not None and code.upper() not in pages:
        raise InputError(f"no mode {code!r}", where="SF-n", remedy=f"Modes are {', '.join(pages)}.")
    chosen = pages if code is None else {code.upper(): pages[code.upper()]}
    if write is None:
        typer.echo("\n".join(chosen.values()), nl=False)
        return
    for each, text in chosen.items():
        write_file(write / f"{each}.md", text, "--write")
