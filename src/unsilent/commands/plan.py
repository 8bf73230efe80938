"""The commands about a plan before its run: write one, what it can show, what leaves a client."""

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

app = typer.Typer(help="Write or check a monitoring plan.", no_args_is_help=True)


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
