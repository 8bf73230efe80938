"""The client's own command: how it stands, from its own files only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unsilent.commands.common import Json, console, print_json


def local(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A client's own folder.", show_default=False)
    ],
    findings: Annotated[
        Path | None,
        typer.Option(help="The federation's findings.json (default: as last received)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how this client's personalized adapter changed, and where it stands.

    Run it where the client runs. It sends nothing and spends no budget; what it shows is the
    client's own, exact and private.
    """
    from unsilent.client.local import local_view

    view = local_view(folder, findings)
    if as_json:
        print_json(view.to_json())
    else:
        console().print(view.render())
