"""The commands about who is told: Prometheus, OpenTelemetry, MLflow, webhooks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from unsilent.commands.common import RunFolder, unread

app = typer.Typer(
    help="Tell Prometheus, OpenTelemetry, MLflow and webhooks what a run finds.",
    no_args_is_help=True,
)
_POLL_S = 2.0

AlertsPath = Annotated[
    Path | None,
    typer.Option(
        "--alerts",
        envvar="UNSILENT_ALERTS",
        help="An alerts file: who is told as the run goes on (see: unsilent alerts check).",
    ),
]


def check_file(path: Path) -> None:
    """Read an alerts file and open its channels, before a run begins. Raises InputError."""
    from unsilent.alerts.config import read_alerts
    from unsilent.alerts.deliver import channels_of

    channels_of(read_alerts(path))


@app.command("check", epilog="Example: unsilent alerts check alerts.toml")
def check_alerts(
    config: Annotated[
        Path, typer.Argument(metavar="FILE", help="An alerts file in TOML.", show_default=False)
    ],
) -> None:
    """Check an alerts file, the packages it needs and the secrets it names; tell nobody.

    The file may have tables [[webhook]] (name, url or url_env, secret_env, on), [prometheus]
    (textfile), [opentelemetry] (endpoint) and [mlflow] (tracking_uri, experiment).
    """
    from unsilent.alerts.config import read_alerts
    from unsilent.alerts.deliver import channels_of

    for channel in channels_of(read_alerts(config)):
        typer.echo(f"{channel.name}: {', '.join(channel.on)}")


@app.command("send", epilog="Example: unsilent alerts send runs/demo --config alerts.toml --follow")
def send_alerts(
    run: RunFolder,
    config: Annotated[
        Path, typer.Option("--config", help="An alerts file in TOML.", show_default=False)
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as the run goes on, until interrupted.")
    ] = False,
) -> None:
    """Tell each channel what it has not been told of RUN, also while the run goes on.

    What a channel does not take is noted in the ledger.
    """
    from unsilent.alerts.config import read_alerts
    from unsilent.alerts.deliver import Delivery, channels_of
    from unsilent.ledger.location import ledger_of, open_ledger

    channels = channels_of(read_alerts(config))
    ledger_of(run)
    delivery = Delivery(open_ledger(run), run, channels)
    typer.echo(f"told: {delivery.deliver()}")
    while follow:
        time.sleep(_POLL_S)
        told = delivery.deliver()
        if told:
            typer.echo(f"told: {told}")


@app.command("metrics", epilog="Example: unsilent alerts metrics runs/demo --port 9464")
def show_metrics(
    run: RunFolder,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Serve them for Prometheus, until interrupted."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Where --port listens (default: 127.0.0.1).")
    ] = None,
) -> None:
    """Print how RUN stands as Prometheus metrics, or serve them with --port."""
    from unsilent.alerts.prometheus import exposition, serve
    from unsilent.alerts.state import read_state
    from unsilent.ledger.location import ledger_of

    if port is None and address is not None:
        raise unread("--address", "without --port")
    ledger = ledger_of(run)
    if port is None:
        typer.echo(exposition(read_state(ledger)).decode(), nl=False)
        return
    with serve(lambda: read_state(ledger), port, address or "127.0.0.1") as url:
        typer.echo(f"Serving {url}")
        while True:
            time.sleep(_POLL_S)
