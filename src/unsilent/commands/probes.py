"""The commands about probe sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from unsilent.commands.common import Json, console, naming, print_json, read_plan, unread
from unsilent.errors import InputError

ProbeRole = Literal["bias", "task", "general", "harmful", "benign"]

app = typer.Typer(help="Known probe sets, and checks of your own.", no_args_is_help=True)


@app.command("list", epilog="Example: unsilent probes list --json")
def list_sets(as_json: Json = False) -> None:
    """List the known probe sets: role, published rows, licence, citation and where from."""
    from unsilent.probes import catalog
    from unsilent.probes.show import list_table

    if as_json:
        print_json([catalog.to_json(known) for known in catalog.KNOWN.values()])
    else:
        console().print(list_table(catalog.KNOWN.values()))


@app.command("show", epilog="Example: unsilent probes show bbq --from data/bbq")
def show_set(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A known set, or a source as in a plan: known:bbq:PATH?items=200.",
            show_default=False,
        ),
    ],
    origin: Annotated[
        str | None,
        typer.Option("--from", help="A path, package, hub or hub:ID (default: its package)."),
    ] = None,
    role: Annotated[
        ProbeRole | None, typer.Option(help="What it is to probe (default: its usual role).")
    ] = None,
    first: Annotated[int, typer.Option(min=0, max=1000, help="How many items are shown.")] = 3,
    as_json: Json = False,
) -> None:
    """Read a known set and show its first items as the model sees them.

    With their number in the source (items=200), those that a plan would draw, and their pin.
    """
    from rich.console import Console

    from unsilent.probes.show import loaded_json, loaded_text
    from unsilent.probes.sources import read_known
    from unsilent.progress import progress_on

    head, mark, query = name.removeprefix("known:").partition("?")
    text = f"known:{head if origin is None else f'{head}:{origin}'}{mark}{query}"
    with progress_on(Console(stderr=True)) as progress:
        loaded = read_known(
            text, role, progress=lambda what, share: progress.update(what, share, 1.0)
        )
    if as_json:
        print_json(loaded_json(loaded, first))
    else:
        console().print(loaded_text(loaded, first), soft_wrap=True)


@app.command("check", epilog="Example: unsilent probes check own.jsonl")
def check_own(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Items in the published schema: JSONL, CSV or YAML.",
            show_default=False,
        ),
    ],
    shipped_under: Annotated[
        Path | None,
        typer.Option(
            "--shipped-under",
            metavar="PLAN",
            help="Take FILE as a server's: its items have to be those that PLAN pins.",
            show_default=False,
        ),
    ] = None,
    role: Annotated[
        ProbeRole | None,
        typer.Option(
            help="What it is to probe: it has to be fit for that (default: bias with "
            "--shipped-under, else any).",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check FILE, a probe file of your own, line by line.

    Names line and field of what is wrong, items that ask the same, the roles that it can have,
    and the pin for a plan. Exits with 2 if the file cannot be used.
    """
    from unsilent.probes.check import check_file, check_shipped
    from unsilent.probes.formats import read_bytes
    from unsilent.probes.show import check_text

    if shipped_under is not None:
        check_shipped(read_plan(shipped_under), role or "bias", read_bytes(file))
    result = check_file(file)
    if as_json:
        print_json(result.to_json())
    else:
        console().print(check_text(result), soft_wrap=True)
    if not result.passed or (role is not None and result.roles.get(role)):
        raise typer.Exit(InputError.exit_code)


@app.command(
    "score", epilog="Example: unsilent probes score lm-eval:arc_easy --items 200 --plan plan.toml"
)
def score_source(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A file of items, known:NAME:PATH, lm-eval:TASK, or counterfactuals.",
            show_default=False,
        ),
    ],
    plan: Annotated[
        Path | None,
        typer.Option(help="Whose model answers (default: the starter plan's).", show_default=False),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="An adapter file (default: none).", show_default=False)
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="How many items are drawn (default: all).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a model on SOURCE as its authors do: BBQ, StereoSet, CrowS-Pairs, accuracy.

    And how often it answers alike in other words, where items come in several wordings.
    """
    from rich.console import Console

    from unsilent.models import Adapter, load_model
    from unsilent.plans import starter_plan
    from unsilent.probes.score import read_source, score_items, scores_table
    from unsilent.progress import progress_on

    declared = starter_plan() if plan is None else read_plan(plan)
    with progress_on(Console(stderr=True)) as progress:
        asked = read_source(source, items, lambda what, share: progress.update(what, share, 1.0))
        progress.update("load model", 0, 1)
        with naming(plan or Path("starter.toml")):
            model = load_model(declared)
        given = None if adapter is None else Adapter.load(adapter, base=model.digest)
        progress.update("score", 0, 1)
        scores = score_items(model, given, asked)
    if as_json:
        print_json({"source": source, "items": len(asked), "pin": asked.digest, "scores": scores})
    else:
        console().print(scores_table(scores))


@app.command("validate", epilog="Example: unsilent probes validate --people")
def validate_refusals(
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Whose model and adapter section (default: the embedded model).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Another causal LM: a hub id or path.", show_default=False),
    ] = None,
    people: Annotated[
        bool, typer.Option("--people", help="Only the judge of answers against people.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold the refusal measure against people's judgements and against real behaviour.

    Makes adapters from safe to incoherent, lets each answer, and compares. Most of an hour on two
    cores; what is done is kept, so that an interrupted run goes on where it stopped.
    """
    from rich.console import Console

    from unsilent.probes.validation import run, summary
    from unsilent.progress import progress_on

    if people and (plan is not None or model is not None):
        raise unread("--model" if plan is None else "--plan", "with --people, which asks no model")
    declared = run.default_plan() if plan is None else read_plan(plan)
    if model is not None:
        place = declared.model.model_copy(update={"id": model})
        declared = declared.model_copy(update={"model": place})
    with progress_on(Console(stderr=True)) as progress, naming(plan or Path("starter.toml")):
        found = (
            run.Validation(tuple(run.people_part(progress)), (), {})
            if people
            else run.validate(declared, progress)
        )
    if as_json:
        print_json(found.to_json())
    else:
        console().print(summary.checks_table(found.checks, found.cases), soft_wrap=True)
