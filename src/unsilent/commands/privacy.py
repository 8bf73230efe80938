"""The commands about what releases cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from unsilent.commands.common import (
    Json,
    RunFolder,
    console,
    naming,
    print_json,
    read_plan,
    unread,
)

app = typer.Typer(
    help="What releases cost, what may be spent, and whether the code keeps to it.",
    no_args_is_help=True,
)


@app.command("audit", epilog="Example: unsilent privacy audit plan.toml --json")
def audit_releases(
    plan: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PLAN]", help="A plan in TOML (default: the starter plan).", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the attack's seeded draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Attack the code that releases, and the same code with known bugs planted in it.

    Exits with 1 if more is lost than the plan claims, or if a planted bug is not caught.
    """
    from rich.console import Console

    from unsilent.audit.audit import audit
    from unsilent.audit.mutants import attack_mutants
    from unsilent.plans import starter_plan
    from unsilent.progress import progress_on
    from unsilent.report.auditing import audit_table

    with naming(plan or Path("starter.toml")), progress_on(Console(stderr=True)) as progress:
        declared = starter_plan() if plan is None else read_plan(plan)
        progress.update("attack the release", 0, 1)
        result = audit(declared, seed=seed)
        mutants = attack_mutants(
            declared,
            seed=seed,
            report=lambda n, total: progress.update("plant known bugs", n, total),
        )
    if as_json:
        print_json({"plan": declared.digest, **result.to_json(), "mutants": mutants})
    else:
        console().print(audit_table(result, mutants))
    if not result.passed or not all(found["caught"] for found in mutants.values()):
        raise typer.Exit(1)


@app.command("limit", epilog="Example: unsilent privacy limit store/client-3 --epsilon 4")
def own_limit(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A client's own folder.", show_default=False)
    ],
    epsilon: Annotated[
        float | None, typer.Option(min=0, help="What all releases may cost, all plans together.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(min=0, max=1, help="Its delta (default: as it was, or 1e-5).")
    ] = None,
    aggregation: Annotated[
        Literal["secure-sum", "plain"] | None,
        typer.Option(help="The weakest to take part in (default: as it was, or secure-sum)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a client's own limit, which no server can raise; set it with --epsilon.

    Run it where the client runs. Set before the first release it binds the first plan too.
    """
    from unsilent.client.limit import set_limit, show_limit

    if epsilon is None and (delta is not None or aggregation is not None):
        raise unread("--aggregation" if delta is None else "--delta", "without --epsilon")
    if epsilon is None:
        limit = show_limit(folder)
    else:
        limit = set_limit(folder, epsilon, delta, aggregation)
    if as_json:
        print_json(limit.to_json())
    else:
        typer.echo(limit.text())


@app.command("retire", epilog="Example: unsilent privacy retire store/client-3")
def retire_client(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A client's own folder.", show_default=False)
    ],
) -> None:
    """Let a client leave for good: from now on it answers no monitoring, of any plan or server.

    Run it where the client runs, and keep the folder: it holds what was spent. `unsilent record
    clients` says at the server that it left.
    """
    from unsilent.client.retired import retire

    new = retire(folder)
    typer.echo("Retired for good." if new else "It was retired before.")


@app.command("key", epilog="Example: unsilent privacy key store/client-3")
def public_key(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A client's own folder.", show_default=False)
    ],
) -> None:
    """Print a client's public signing key, for privacy.secure_sum.keys in the plan.

    Run it where the client runs; the key is made the first time and stays.
    """
    from unsilent.release.secure_sum.identity import public_key_of

    typer.echo(public_key_of(folder))


@app.command("spent", epilog="Example: unsilent privacy spent runs/demo")
def spent_by(run: RunFolder, as_json: Json = False) -> None:
    """List the privacy events in RUN's ledger, the epsilon they add up to, and what it means."""
    from unsilent.report.spending import spending, spending_table

    spent = spending(run)
    if as_json:
        print_json(spent.to_json())
    else:
        console().print(spending_table(spent))


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
