"""Commands about probe sets that hold them against published scores and against people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from unsilent.commands.common import (
    Json,
    check_place,
    console,
    naming,
    print_json,
    read_plan,
    unread,
    write,
)

app = typer.Typer()


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
    from unsilent.progress import progress_on
    from unsilent_bench.scoring.source import read_source, score_items, scores_table

    declared = starter_plan() if plan is None else read_plan(plan)
    with progress_on(Console(stderr=True)) as progress:
        asked = read_source(source, items, lambda what, share: progress.update(what, share, 1.0))
        progress.update("load model", 0, 1)
        with naming(plan or Path("starter.toml")):
            model = load_model(declared)
        given = None if adapter is None else Adapter.load(adapter, base=model.digest)
        progress.update("score", 0, 1)
        scores = score_items(
            model, given, asked, lambda share: progress.update("score", share, 1.0)
        )
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
        typer.Option(
            metavar="ID",
            help="Another causal LM: a name of `unsilent model list`, a hub id or a path.",
            show_default=False,
        ),
    ] = None,
    harmful: Annotated[
        int | None,
        typer.Option(min=8, help="How many harmful probe prompts are asked (default: 150)."),
    ] = None,
    benign: Annotated[
        int | None,
        typer.Option(min=8, help="How many harmless probe prompts are asked (default: 80)."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, max=20, help="How often alignment and adapters are made anew (default: 1)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the JSON there too.", show_default=False),
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

    from unsilent.progress import progress_on
    from unsilent_bench.validation import run, summary

    check_place(out)
    given = {"--plan": plan, "--model": model, "--harmful": harmful, "--benign": benign,
             "--seeds": seeds}  # fmt: skip
    idle = [name for name, value in given.items() if value is not None]
    if people and idle:
        raise unread(idle[0], "with --people, which asks no model")
    declared = run.default_plan(model or "embedded") if plan is None else read_plan(plan)
    if model is not None:
        place = declared.model.model_copy(update={"id": model})
        declared = declared.model_copy(update={"model": place})
    with progress_on(Console(stderr=True)) as progress, naming(plan or Path("starter.toml")):
        found = (
            run.RefusalValidation(tuple(run.people_part(progress)), (), {})
            if people
            else run.validate(
                declared,
                progress,
                harmful=harmful or run.HARMFUL,
                benign=benign or run.BENIGN,
                seeds=seeds or 1,
            )
        )
    if out is not None:
        write(out, json.dumps(found.to_json(), indent=1, ensure_ascii=False) + "\n")
    if as_json:
        print_json(found.to_json())
    else:
        console().print(summary.checks_table(found.checks, found.cases), soft_wrap=True)
