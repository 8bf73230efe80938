"""``unsilent watch``: an app's clients, simulated here or behind a SuperLink, and no training."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flwr.serverapp import Grid

from unsilent.alerts.deliver import alerting
from unsilent.engines.flower.app_folder import ClientOf, with_server
from unsilent.engines.flower.run import explained
from unsilent.engines.flower.simulation import simulate
from unsilent.engines.flower.transport import GridTransport
from unsilent.engines.flower.watch import model_of, open_watch, present
from unsilent.errors import RunError
from unsilent.keeper import Keeper
from unsilent.plan import MonitoringPlan
from unsilent.progress import Progress
from unsilent.server.run_folder import alone_in
from unsilent.server.watch import Watch, wait_until

_MODULE = "unsilent_watch"
_BEGAN = re.compile(r"started run (\d+)")
"""What ``flwr run`` says of a run that it began."""
_COMPLETED = "finished:completed"
_ASKED = 10
"""How often a SuperLink is asked how a run ended whose log is at its end."""


def watch_simulated(
    plan: MonitoringPlan,
    app: Path,
    out: Path,
    *,
    model: Path | None,
    rounds: int | None,
    every: float | None,
    progress: Progress,
    told: Callable[[Watch], None],
    ledger: str | None = None,
    alerts: Path | None = None,
    accept_underpowered: bool = False,
    gpus: float | None = None,
) -> None:
    """Rounds of a watch with an app's clients, simulated on this machine.

    Between two rounds nothing runs but this process. The clients' folders are in ``out``.

    Args:
        plan: As for ``Watch``.
        app: The app's folder.
        out: The run's folder.
        model: A file of arrays that is sent; None for none.
        rounds: How many at most; None for all that are left.
        every: Seconds between two.
        progress: Told the stage and how many clients have answered.
        told: Called after each round.
        ledger: As for ``Watch``.
        alerts: An alerts file.
        accept_underpowered: As for ``Watch``.
        gpus: Each client's share of a GPU; by default they use none.

    Raises:
        UnsilentError: As ``Watch`` and ``Watch.round``; or the folder holds no app.
    """
    client = ClientOf(app)
    if gpus is not None:
        from unsilent.models.gpus import checked_share

        checked_share(gpus)
    with alone_in(out):
        watched = open_watch(
            plan,
            out,
            sends=model is not None,
            ledger=ledger,
            accept_underpowered=accept_underpowered,
        )
        federation = plan.federation

        def main(grid: Grid) -> None:
            nodes = present(grid, federation.clients)
            sent = model_of(model)
            watched.round(
                GridTransport(grid), nodes, sent, progress.update, on_time=every is not None
            )

        with alerting(alerts, watched.ledger, out):
            for _ in range(federation.rounds if rounds is None else rounds):
                number = watched.next
                if number is None:
                    return
                due = 0.0 if every is None else watched.due(every)
                if due > time.time():
                    progress.update(f"round {number}: due {_when(due)}", 0, 1)
                wait_until(due)
                began = time.time()
                try:
                    simulate(main, client, federation.clients, federation.workers, out, gpus or 0.0)
                except BaseException as fault:
                    raise explained(fault, out, began) from None
                told(watched)


def watch_deployed(
    plan: Path,
    app: Path,
    superlink: str,
    *,
    out: Path | None,
    model: str | None,
    rounds: int | None,
    every: str | None,
    accept_underpowered: bool = False,
) -> None:
    """The same behind a SuperLink, by ``flwr run``: the app with a server that watches.

    Its log goes to standard output. The run's folder is where the SuperLink's ServerApps run.

    Args:
        plan: The plan's file; it travels with the app.
        app: The app's folder.
        superlink: The name of its connection, as ``flwr run`` takes it.
        out: The run's folder there.
        model: A file there.
        rounds: As ``watch_app`` takes it.
        every: As there.
        accept_underpowered: As there.

    Raises:
        InputError: The folder holds no app, or one whose server cannot be replaced.
        RunError: ``flwr run`` failed, or its run did.
    """
    given = {
        "model": model,
        "rounds": rounds,
        "every": every,
        "out": None if out is None else str(out),
        "accept_underpowered": accept_underpowered,
    }
    code = (
        f'"""Written by `unsilent watch`."""\n\nfrom unsilent.flower import watch_app\n\n'
        f"app = watch_app({f'{_MODULE}.toml'!r}, **{given!r})\n"
    )
    with tempfile.TemporaryDirectory(prefix="unsilent-watch-") as folder, Keeper() as keeper:
        copy = Path(folder) / app.absolute().name
        with_server(app, copy, _MODULE, code, plan)
        tool = Path(sys.executable).with_name("flwr")
        code, run = _streamed([str(tool), "run", str(copy), superlink, "--stream"], keeper.env)
        if code or run is None:
            raise RunError(
                f"flwr run ended with {code}" if code else "flwr run began no run",
                where=superlink,
                remedy="What it printed above says why.",
            )
        # Whose ServerApp fails is streamed to its end all the same.
        status = _status([str(tool), "list", superlink, "--run-id", run], keeper.env)
    if status != _COMPLETED:
        raise RunError(
            f"run {run} ended as {status or 'nobody knows'}",
            where=superlink,
            remedy=f"What it printed above says why; `flwr log {run} {superlink}` prints it again.",
        )


def _streamed(command: list[str], env: Mapping[str, str]) -> tuple[int, str | None]:
    """Run a command whose output is shown as it comes; its exit code, and the run that it began."""
    run: str | None = None
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            began = _BEGAN.search(line)
            run = began.group(1) if began and run is None else run
    return process.returncode, run


def _status(command: list[str], env: Mapping[str, str]) -> str | None:
    """How a run ended, as the SuperLink says; None if it does not. Its log may end a little sooner.

    Args:
        command: That lists the run.
        env: Of the command.
    """
    status: str | None = None
    for _ in range(_ASKED):
        done = subprocess.run([*command, "--format", "json"], env=env, capture_output=True)
        try:
            (found,) = json.loads(done.stdout)["runs"]
            status = str(found["status"])
        except (ValueError, KeyError, TypeError):
            status = None
        if status is not None and status.startswith("finished"):
            break
        time.sleep(1)
    return status


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
