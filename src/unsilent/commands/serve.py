"""The commands that stay: ``unsilent serve``, the dashboard, and ``unsilent watch``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unsilent.commands.alerts import AlertsPath
from unsilent.commands.common import (
    Gpus,
    Json,
    LedgerUrl,
    PlanFile,
    Underpowered,
    console,
    naming,
    read_plan,
    unread,
)
from unsilent.errors import InputError

if TYPE_CHECKING:
    from unsilent.server.watch import Watch

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a port that is free.")]


def serve(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Run folders, or folders of them (default: runs).",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen at; others than your own need a token.")
    ] = "127.0.0.1",
    port: Port = 8642,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name it is reached by, if not the address. May be repeated."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Ask for the token in this file, which is made if it is not there."),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Speak TLS with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")] = None,
) -> None:
    """Show runs in a browser, as they happen.

    Rounds appear as they are written. Two runs can be compared, the ledger searched, and a gate
    overridden with a reason. Where others share this machine, give --token-file too.
    """
    if (tls_certificate is None) != (tls_key is None):
        raise InputError(
            "a certificate and its key go together",
            where="--tls-certificate" if tls_certificate else "--tls-key",
            remedy="Give --tls-certificate and --tls-key, or neither.",
        )
    try:
        from unsilent.serve.launch import serve as start
        from unsilent.serve.places import Places
    except ModuleNotFoundError as error:
        raise InputError(
            f"the dashboard needs {error.name}", remedy="pip install 'unsilent[serve]'."
        ) from None

    def announce(address: str) -> None:
        ask = f" Sign in with the token in {token_file}." if token_file else ""
        sys.stderr.write(f"unsilent: {address} until you press Ctrl+C.{ask}\n")
        sys.stderr.flush()

    pair = (tls_certificate, tls_key) if tls_certificate and tls_key else None
    start(
        Places(runs or [Path("runs")]),
        host=host,
        port=port,
        names=name or [],
        token_file=token_file,
        certificate=pair,
        announce=announce,
    )


def watch(
    plan: PlanFile,
    app: Annotated[
        Path,
        typer.Option(
            help="Folder of the Flower app whose clients are asked (default: here).",
            show_default=False,
        ),
    ] = Path(),
    superlink: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Ask the nodes of this SuperLink, as `flwr run` names it, not simulated ones.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Send this file of arrays to the clients (default: each has its own).",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Rounds at most (default: one; with --every, all that the plan has)."
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Time between two rounds, as 7d or 12h: wait for each."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the run is kept (default: runs/ and the plan's name)."),
    ] = None,
    ledger: LedgerUrl = None,
    alerts: AlertsPath = None,
    gpus: Gpus = None,
    accept_underpowered: Underpowered = False,
    as_json: Json = False,
) -> None:
    """Do the next monitoring round of PLAN, a TOML file, and train nothing.

    Measured is what each client has already: its own adapter, or what it makes of the --model that
    is sent. Called again in the same --out it goes on; federation.rounds of the plan are the rounds
    there will be, and each of them costs its part of the budget.
    """
    declared = read_plan(plan)
    count = rounds if rounds is not None or every is not None else 1
    # Read by Flower when it is imported: nothing is reported to anyone.
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
    try:
        from unsilent.engines.flower.watch_run import watch_deployed, watch_simulated
    except ModuleNotFoundError as error:
        raise InputError(
            f"a federation runs in Flower, and {error.name} is not installed",
            remedy="pip install 'unsilent[flower]'.",
        ) from None
    from unsilent.server.watch import refuse_unwatchable, seconds_of

    seconds = None if every is None else seconds_of(every)
    with naming(plan):
        declared.refuse_earlier()
        refuse_unwatchable(declared, sends=model is not None)
    if superlink is not None:
        where = "with --superlink, whose server keeps the run"
        for option, given in (
            ("--ledger", ledger),
            ("--alerts", alerts),
            ("--gpus-per-client", gpus),
            ("--json", as_json),
        ):
            if given:
                raise unread(option, where)
        watch_deployed(
            plan,
            app,
            superlink,
            out=out,
            model=None if model is None else str(model),
            rounds=count,
            every=every,
            accept_underpowered=accept_underpowered,
        )
        return
    from rich.console import Console

    from unsilent.progress import progress_on

    missed: list[str] = []

    def told(watched: Watch) -> None:
        _show(watched, missed, as_json=as_json)

    with naming(plan), progress_on(Console(stderr=True)) as progress:
        watch_simulated(
            declared,
            app,
            (out or Path("runs") / declared.name).absolute(),
            model=model,
            rounds=count,
            every=seconds,
            progress=progress,
            told=told,
            ledger=ledger,
            alerts=alerts,
            accept_underpowered=accept_underpowered,
            gpus=gpus,
        )
    if missed:
        raise typer.Exit(1)


def _show(watched: Watch, missed: list[str], *, as_json: bool) -> None:
    """Print what the last round found, or why it was missed."""
    why = watched.missed()
    if why is not None:
        missed.append(why)
        typer.echo(f"unsilent: the round was missed: {why}", err=True)
        return
    found = watched.monitor.findings()
    if as_json:
        typer.echo(found.text(), nl=False)
        return
    from unsilent.report.terminal import show

    show(found, console(), None)
    left = watched.plan.federation.rounds - found.round
    typer.echo(f"\nRound {found.round}; {left} of this plan are left. Run: {watched.out}")
