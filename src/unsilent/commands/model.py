"""The commands about models under terms of their own, which nobody gets by default."""

from __future__ import annotations

from typing import Annotated

import typer

from unsilent.commands.common import Json, print_json

EXIT_NOT_ACCEPTED = 2

app = typer.Typer(
    help="Models with terms of their own, for those who accept them.", no_args_is_help=True
)


@app.command("list", epilog="Example: unsilent model list --json")
def list_models(as_json: Json = False) -> None:
    """List the models that can be fetched, their terms, and whether they are here."""
    from unsilent.assets.opt_in import OPT_IN
    from unsilent.models.recipe import NOTE

    rows = [
        {
            "name": name,
            "title": model.title,
            "terms": model.terms,
            "sha256": model.sha256,
            "download_bytes": sum(package.size for package in model.packages),
            "here": (model.folder / NOTE).is_file(),
        }
        for name, model in OPT_IN.items()
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        here = "here" if row["here"] else f"{int(row['download_bytes']) / 1e6:.0f} MB to download"
        typer.echo(f"{row['name']}  {row['title']}\n  terms: {row['terms']}\n  {here}")


@app.command("fetch", epilog="Example: unsilent model fetch gemma3-270m --accept-terms")
def fetch_model(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As `model list` names it.", show_default=False)
    ],
    accept: Annotated[
        bool,
        typer.Option("--accept-terms", help="Accept the model's terms, and get it."),
    ] = False,
) -> None:
    """Get a model that a plan may then name: model.id = NAME.

    Without --accept-terms it says where the terms are and what accepting means, and does nothing.
    """
    from unsilent.models.opt_in import fetch_accepted, opt_in_model

    model = opt_in_model(name)
    typer.echo(model.accepting())
    if not accept:
        typer.echo(
            f"Nothing was done. If you accept them: unsilent model fetch {name} --accept-terms"
        )
        raise typer.Exit(EXIT_NOT_ACCEPTED)
    from rich.console import Console

    from unsilent.progress import progress_on

    with progress_on(Console(stderr=True)) as progress:
        folder = fetch_accepted(model, lambda what, share: progress.update(what, share, 1.0))
    typer.echo(f'Ready: model.id = "{name}" ({folder})')
