"""The commands about which adapter clients use: what the gate decided, and a person's word."""

from __future__ import annotations

from typing import Annotated

import typer

from unsilent.commands.common import Json, RunFolder, ShowByDefault, console, print_json

app = typer.Typer(
    cls=ShowByDefault,
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

    Where the plan asks for four eyes ([governance]), see `ask` and `answer`.

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


@app.command(
    "ask",
    epilog="Example: unsilent gate ask runs/demo --round 3 "
    '--reason "names in the probes were wrong" --by "Ada Lovelace"',
)
def ask_gate(
    run: RunFolder,
    round_number: Annotated[
        int, typer.Option("--round", min=0, help="Whose adapter is to be used.", show_default=False)
    ],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    by: Annotated[str, typer.Option(help="Who you are.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Ask for an override that another person has to approve.

    For runs whose plan asks for four eyes. Nothing changes before somebody else has answered.
    """
    from unsilent.report.gating import ask_run

    said = ask_run(run, round_number, reason=reason, by=by)
    if as_json:
        print_json({"entry": said.entry.index, **said.event.to_payload()})
        return
    typer.echo(
        f"Asked for in ledger entry {said.entry.index}. Another person answers: "
        f"unsilent gate answer RUN --asked {said.entry.index} --by NAME --note TEXT"
    )


@app.command(
    "answer",
    epilog='Example: unsilent gate answer runs/demo --asked 41 --by "Grace Hopper" --note "agreed"',
)
def answer_gate(
    run: RunFolder,
    asked: Annotated[
        int, typer.Option(min=1, help="The ledger entry that asks for it.", show_default=False)
    ],
    note: Annotated[str, typer.Option(help="Why.", show_default=False)],
    by: Annotated[str, typer.Option(help="Who you are: not who asked.", show_default=False)],
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse it instead.")] = False,
    as_json: Json = False,
) -> None:
    """Approve an override that another person asked for, or refuse it."""
    from unsilent.report.gating import answer_run, gating

    said = answer_run(run, asked, approved=not refuse, note=note, by=by)
    if as_json:
        print_json({"entry": said.entry.index, **said.event.to_payload()})
        return
    if refuse:
        typer.echo("Refused. Nothing changes.")
        return
    waits = any(each.entry == said.entry.hash for each in gating(run).pending)
    typer.echo(f"Approved: in use {'from the next round on' if waits else 'from now on'}.")
