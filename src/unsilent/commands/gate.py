"""The commands about which adapter clients use: what the gate decided, and a person's word."""

from __future__ import annotations

from typing import Annotated

import click
import typer
from typer.core import TyperGroup

from unsilent.commands.common import Json, RunFolder, console, print_json


class _ShowByDefault(TyperGroup):
    """``unsilent gate RUN`` shows: a first word that names no command is the run's folder."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowByDefault,
    help="Show which adapter is in use and why, or override that: unsilent gate RUN.",
    no_args_is_help=True,
)


@app.command("show", epilog="Example: unsilent gate runs/demo --json")
def show_gate(run: RunFolder, as_json: Json = False) -> None:
    """Show what the gate of RUN decided, with what caused it; also while the run goes on."""
    from unsilent.report.gating import gating

    found = gating(run)
    if as_json:
        print_json(found.to_json())
    else:
        console().print(found.render())


@app.command(
    "override",
    epilog="Example: unsilent gate override runs/demo --round 3 "
    '--reason "names in the probes were wrong" --by "Ada Lovelace"',
)
@app.command("overrule", hidden=True)
def override_gate(
    run: RunFolder,
    round_number: Annotated[
        int,
        typer.Option(
            "--round",
            min=0,
            help="Whose adapter is to be used; 0 is the one that round 1 started from.",
            show_default=False,
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    by: Annotated[str, typer.Option(help="Who you are.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Let clients use the adapter of a round, whatever the gate of RUN decided.

    Name and reason go into the ledger. It takes effect when the next round begins; in a run that
    has ended, at once.
    """
    from unsilent.report.gating import gating, override_run

    said = override_run(run, round_number, reason=reason, by=by)
    found = gating(run)
    if as_json:
        print_json(found.to_json())
        return
    waits = any(each.entry == said.entry for each in found.pending)
    when = "from the next round on" if waits else "from now on"
    typer.echo(f"Clients use the adapter of round {said.round} {when}.")
