"""``unsilent serve``: the dashboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from unsilent.errors import InputError

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
        raise InputError("a certificate and its key go together", where="--tls-certificate")
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
