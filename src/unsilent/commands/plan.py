"""The commands before a run: plans, what leaves a client, and models that a plan may name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unsilent.commands.common import (
    Json,
    PlanFile,
    Underpowered,
    console,
    naming,
    print_json,
    read_plan,
)
from unsilent.errors import InputError

EXIT_NOT_ACCEPTED = 2

app = typer.Typer(help="Write or check a monitoring plan.", no_args_is_help=True)
models = typer.Typer(
    help="Models with terms of their own, for those who accept them.", no_args_is_help=True
)


@app.command("init", epilog="Example: unsilent plan init plan.toml")
def plan_init(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[PATH]", help="The file to write (default: plan.toml).", show_default=False
        ),
    ] = Path("plan.toml"),
) -> None:
    """Write a short commented plan.

    It is valid as it is, and never written over a file that is there.
    """
    from unsilent.plans import starter_text

    text = starter_text().encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(
            "the file is there already", where=str(path), remedy="Name another path."
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", where=str(path), remedy="Name another path."
        ) from None
    typer.echo(f"Wrote {path}. Next: unsilent plan check {path}")


@app.command("check", epilog="Example: unsilent plan check plan.toml --json")
def plan_check(
    plan: PlanFile,
    accept_underpowered: Underpowered = False,
    as_json: Json = False,
) -> None:
    """Validate PLAN, a TOML file, and say what it can show.

    For each mode the minimal detectable effect, the rounds until a failure is found, the verdicts
    that can never be reached and the cheapest change that would; and how often the plan errs. A
    plan that can reach no verdict in any mode is refused.
    """
    from unsilent.probes.held import held_sizes
    from unsilent.report.power_report import foresee

    declared = read_plan(plan)
    with naming(plan):
        declared.refuse_earlier()
        seen = foresee(declared, held_sizes(declared))
        if as_json:
            print_json(seen.to_json())
        else:
            console().print(seen.render())
        if not accept_underpowered:
            seen.refuse_underpowered()


@app.command("model", epilog="Example: unsilent plan model plan.toml >> plan.toml")
def plan_model(plan: PlanFile, as_json: Json = False) -> None:
    """Print the content hashes of PLAN's model, as the table that expects them.

    With [model.expect] in a plan each client compares them with those of what it measures; how many
    differ is released with the rest, and no failure mode is healthy where most do.
    """
    from unsilent.models import load_model
    from unsilent.models.hashes import layout_hash

    declared = read_plan(plan)
    with naming(plan):
        model = load_model(declared)
        adapter = model.new_adapter(declared.seed).tensors
        found = {**model.hashes, **({"layout": layout_hash(adapter)} if adapter else {})}
    if as_json:
        print_json(found)
    else:
        typer.echo("\n".join(["[model.expect]", *(f'{k} = "{v}"' for k, v in found.items())]))


def contract(plan: PlanFile, as_json: Json = False) -> None:
    """Print what leaves a client under PLAN, a TOML file.

    Each number with its range, who sees it under which assumption, and what it costs.
    """
    from unsilent.contract import contract as contract_of

    with naming(plan):
        terms = contract_of(read_plan(plan))
    if as_json:
        print_json(terms.to_json())
    else:
        typer.echo(terms.text())


@models.command("list", epilog="Example: unsilent model list --json")
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


@models.command("fetch", epilog="Example: unsilent model fetch gemma3-270m --accept-terms")
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
