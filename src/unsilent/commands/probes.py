"""The commands about probe sets, and about what a served model says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from unsilent.commands.common import (
    EXIT_FINDING,
    Json,
    PlanFile,
    check_place,
    console,
    naming,
    print_json,
    read_plan,
    unread,
    write_bytes,
)
from unsilent.commands.extensions import add_installed
from unsilent.errors import InputError

ProbeRole = Literal["bias", "task", "general", "harmful", "benign"]
CheckedRole = Literal[
    "bias",
    "task",
    "general",
    "harmful",
    "benign",
    "open_refusal",
    "open_persona",
    "open_regard",
    "open_help",
    "open_facts",
    "labelled_refusal",
    "labelled_persona",
    "labelled_regard",
    "labelled_help",
    "labelled_facts",
]
Form = Literal["openai", "llama.cpp"]
NotSame = Literal["different", "undetermined"]

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
        CheckedRole | None,
        typer.Option(
            help="What it is to probe: it has to be fit for that (default: bias with "
            "--shipped-under, else any of the first five). Prompts and labelled answers of open "
            "text are read as such.",
            show_default=False,
        ),
    ] = None,
    items: Annotated[
        int, typer.Option(min=8, max=2000, help="How many of it each client would answer.")
    ] = 64,
    as_json: Json = False,
) -> None:
    """Check FILE, a probe file of your own, line by line.

    Names line and field of what is wrong, items that ask the same, the roles that it can have,
    the pin for a plan, and what it is as a bank: units, strata, and what two clients' draws have
    in common. Exits with 2 if the file cannot be used.
    """
    from unsilent.probes.check import check_file, check_shipped
    from unsilent.probes.formats import read_bytes
    from unsilent.probes.show import check_text

    if shipped_under is not None:
        check_shipped(read_plan(shipped_under), role or "bias", read_bytes(file))
    result = check_file(file, items, role)
    if as_json:
        print_json(result.to_json())
    else:
        console().print(check_text(result), soft_wrap=True)
    if not result.passed or (role is not None and result.roles.get(role)):
        raise typer.Exit(InputError.exit_code)


@app.command("answers", epilog="Example: unsilent probes answers plan.toml --out base.answers")
def bank_answers(
    plan: PlanFile,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file to write.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Write the base model's answers to all of PLAN's banks, once for all clients.

    Prints the line that lets clients look their items up there instead of scoring the reference.
    Each client holds some of them against what it computes, and uses none of another model.
    """
    import hashlib

    from rich.console import Console

    from unsilent.progress import progress_on
    from unsilent.reference.bank_answers import bank_answers as made_of

    check_place(out)
    declared = read_plan(plan)
    with progress_on(Console(stderr=True)) as progress, naming(plan):
        found = made_of(declared, progress)
    data = found.to_bytes()
    write_bytes(out, data)
    source = f"{out}#sha256={hashlib.sha256(data).hexdigest()}"
    if as_json:
        told = {"answers": source, "items": len(found.rows), "bytes": len(data)}
        print_json({**told, "bases": list(found.bases), "likelihood": found.likelihood})
    else:
        typer.echo(f"{len(found.rows)} answers, {len(data)} bytes. In the plan:")
        typer.echo(f'[probes]\nanswers = "{source}"')


def parity(
    plan: PlanFile,
    at: Annotated[
        str,
        typer.Option(
            help="The endpoint, as http://HOST:PORT/v1, or hook:MODULE:FUNCTION. Its key, if it "
            "wants one, in UNSILENT_ENDPOINT_KEY.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model's name there.")
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The adapter that is served, for the reference."),
    ] = None,
    served_adapter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The adapter's name at the endpoint, where its base is served beside it.",
        ),
    ] = None,
    probes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Public items to ask instead of the plan's: they are sent."
        ),
    ] = None,
    items: Annotated[int, typer.Option(min=1, max=10_000, help="How many are asked.")] = 40,
    tolerance: Annotated[
        float, typer.Option(min=1e-6, max=100, help="Nats that a choice may differ by.")
    ] = 1.0,
    form: Annotated[
        Form,
        typer.Option(help="openai: vLLM, SGLang, llama-cpp-python; llama.cpp: its own server."),
    ] = "openai",
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, max=3600, help="Seconds for one answer (default: 60)."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Write the result into this run's ledger."),
    ] = None,
    fail_on: Annotated[
        NotSame | None,
        typer.Option(help="Exit with 3 if it is different; with undetermined, also if open."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether a served model is the one that PLAN measures, in numbers.

    Public items are scored by the endpoint and by the plan's model, with the adapter and without.
    """
    from rich.console import Console

    from unsilent.parity.command import Options, check_endpoint
    from unsilent.progress import progress_on

    if served_adapter is not None and adapter is None:
        raise InputError(
            "the endpoint's adapter needs one to be held against",
            where="--served-adapter",
            remedy="Give its file by --adapter.",
        )
    hook = at.startswith("hook:")
    if hook and (timeout is not None or form != "openai"):
        raise unread("--form" if timeout is None else "--timeout", "with a hook")
    unnamed = hook or form == "llama.cpp"
    if unnamed and (model or served_adapter):
        raise unread(
            "--model" if model else "--served-adapter", "with a hook, or with --form llama.cpp"
        )
    if not unnamed and not (model or served_adapter):
        raise InputError("it has to be named", where="--model", remedy="Give the served name.")
    declared = read_plan(plan)
    options = Options(
        at, form, model, served_adapter, adapter, probes, items, tolerance, timeout, run
    )
    with progress_on(Console(stderr=True)) as progress, naming(plan):
        found = check_endpoint(declared, options, progress)
    if as_json:
        print_json(found.to_json())
    else:
        from unsilent.parity.show import shown

        console().print(shown(found))
    bad = {"different": {"different"}, "undetermined": {"different", "undetermined"}}
    if fail_on and found.verdict in bad[fail_on]:
        raise typer.Exit(EXIT_FINDING)


add_installed(app, "probes")
