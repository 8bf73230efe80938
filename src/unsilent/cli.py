"""The command line: parse, call, print.

Heavy imports wait until a command needs them, so that ``--help`` and the checks of a plan stay
quick. Data goes to standard output, progress and errors to standard error. Exit codes: 0 fine,
1 error, 2 bad usage or input, 3 a finding that ``--fail-on`` names, 130 interrupted.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import click
import typer

from unsilent.commands import alerts as alerting
from unsilent.commands import category, evidence, gate, landscape, privacy, probes, record
from unsilent.commands import plan as plans
from unsilent.commands import serve as dashboard
from unsilent.commands.common import (
    EXIT_FINDING,
    Gpus,
    Json,
    LedgerUrl,
    PlanFile,
    RunFolder,
    Underpowered,
    check_place,
    console,
    naming,
    read_plan,
)
from unsilent.commands.extensions import add_installed
from unsilent.errors import InputError, UnsilentError

if TYPE_CHECKING:
    from unsilent.plan import MonitoringPlan
    from unsilent.report.source import Run

Scenario = Literal["skewed", "healthy"]
Tier = Literal["lm", "fleet"]
GateAction = Literal["observe", "hold", "rollback"]
FailOn = Literal["failure", "undetermined"]
Shell = Literal["bash", "zsh", "fish"]

EXIT_INTERRUPTED = 130
_ESCAPED = "unsilent-escaped"
_OUTPUT_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Of a write to no file that has a name: standard output, as on a disk that is full."""
COMPLETE = "_UNSILENT_COMPLETE"
"""Environment variable by which a shell asks for completions."""

app = typer.Typer(
    name="unsilent",
    help="Hear the silent failures of federated personalization of foundation models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from unsilent.commands.version import described

        typer.echo(f"unsilent {described()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version, and the commit.",
        ),
    ] = False,
) -> None:
    """Hear the silent failures of federated personalization of foundation models."""


@app.command(epilog="Example: unsilent demo --scenario healthy --out runs/healthy")
def demo(
    scenario: Annotated[
        Scenario,
        typer.Option(
            help="Local data skewed by group (default), or the same data balanced.",
            show_default=False,
        ),
    ] = "skewed",
    tier: Annotated[
        Tier,
        typer.Option(
            help="lm: a real language model (default); fleet: an encoder, 128 clients.",
            show_default=False,
        ),
    ] = "lm",
    out: Annotated[
        Path,
        typer.Option(help="Where the run is kept (default: runs/demo).", show_default=False),
    ] = Path("runs/demo"),
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Another seed than the plan's.")
    ] = None,
    gate_action: Annotated[
        GateAction,
        typer.Option(
            "--gate",
            help="What a failure does: nothing (default), hold the adapter back, or roll back.",
            show_default=False,
        ),
    ] = "observe",
    first_look: Annotated[
        bool,
        typer.Option(
            help="Show a small federation first, kept in OUT-first-look (default).",
            show_default=False,
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Run the embedded federation and judge it.

    The same --out continues a run that was cut short.
    """
    from unsilent.plans import demo_plan

    plan = demo_plan(scenario, tier, seed, gate_action)
    check_place(out, folder=True)
    if first_look and _installed("flwr"):
        from unsilent.commands.first_look import show_first_look

        show_first_look(out)
    _federation(plan, out, scenario, as_json)


@app.command(epilog="Example: unsilent run plan.toml --out runs/ward")
def run(
    plan: PlanFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the run is kept (default: runs/ and the plan's name)."),
    ] = None,
    ledger: LedgerUrl = None,
    alerts: alerting.AlertsPath = None,
    gpus: Gpus = None,
    accept_underpowered: Underpowered = False,
    as_json: Json = False,
) -> None:
    """Run a federation as planned in PLAN, a TOML file.

    The same --out continues a run that was cut short. A plan that can reach no verdict in any mode
    is refused.
    """
    declared = read_plan(plan)
    if alerts is not None:
        alerting.check_file(alerts)
    if ledger is not None:
        from unsilent.ledger.location import check_url

        check_url(ledger)
    with naming(plan):
        declared.refuse_earlier()
        if not accept_underpowered:
            from unsilent.inference.advice import refuse_underpowered

            refuse_underpowered(declared)
    kept = out or Path("runs") / declared.name
    _federation(declared, kept, None, as_json, ledger=ledger, alerts=alerts, gpus=gpus)


app.command(epilog="Example: unsilent watch plan.toml --app . --every 7d")(dashboard.watch)


@app.command(epilog="Example: unsilent findings runs/demo --fail-on failure")
def findings(
    run: RunFolder,
    as_json: Json = False,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            help="Exit with 3 if a mode, or a statistic of performance on records, is a FAILURE; "
            "with undetermined, also if one is open."
        ),
    ] = None,
) -> None:
    """Show the findings in RUN, a run folder such as runs/demo."""
    from unsilent.report.source import read_run

    read = read_run(run)
    found = read.findings
    _print_findings(read, as_json=as_json)
    bad = {"failure": {"failure"}, "undetermined": {"failure", "undetermined"}}
    verdicts = [each.verdict for each in (*found.findings, *found.performance)]
    if fail_on and any(verdict in bad[fail_on] for verdict in verdicts):
        raise typer.Exit(EXIT_FINDING)


@app.command(epilog="Example: unsilent report runs/demo")
def report(run: RunFolder) -> None:
    """Write the report page of RUN, a run folder.

    One file without outside references, RUN/report.html; its path is printed.
    """
    from unsilent.report.page import write_page

    typer.echo(write_page(run))


@app.command(epilog="Example: unsilent completion bash")
def completion(
    shell: Annotated[
        Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
    ],
) -> None:
    """Print the completion of a shell, to be read by it when it starts.

    bash: unsilent completion bash > ~/.local/share/bash-completion/completions/unsilent.
    zsh: unsilent completion zsh > FOLDER/_unsilent, in a folder of fpath.
    fish: unsilent completion fish > ~/.config/fish/completions/unsilent.fish.
    """
    from unsilent.commands.completion import script

    typer.echo(script(shell, typer.main.get_command(app)))


# After those above, as --help lists them in this order; groups come last by themselves.
app.add_typer(plans.app, name="plan")
app.add_typer(privacy.app, name="privacy")
app.add_typer(probes.app, name="probes")
app.add_typer(plans.models, name="model")
app.add_typer(gate.app, name="gate")
app.add_typer(record.app, name="record")
app.add_typer(alerting.app, name="alerts")
app.command(epilog="Example: unsilent contract plan.toml")(plans.contract)
app.command(epilog="Example: unsilent serve runs")(dashboard.serve)
app.command(epilog="Example: unsilent parity plan.toml --at http://127.0.0.1:8000/v1 --model base")(
    probes.parity
)
app.command(epilog="Example: unsilent local store/client-3 --json")(privacy.local)
app.command(epilog="Example: unsilent landscape --format html --out landscape.html")(
    landscape.landscape
)
app.command(epilog="Example: unsilent evidence runs/demo")(evidence.evidence)
app.command(epilog='Example: unsilent key --name "Ward 3, Ada Lovelace"')(evidence.key)
app.command(epilog="Example: unsilent verify runs/demo/evidence.zip --key ada.pub")(evidence.verify)
app.command(
    epilog='Example: unsilent aware runs/demo --by "A. Person" --note "informed the clinic"'
)(evidence.aware)
app.command(epilog="Example: unsilent export runs/demo --format model-card")(category.export)
app.command(epilog="Example: unsilent schema findings")(category.schema)
app.command(epilog="Example: unsilent modes SF-1")(category.modes)
# Last, so that no command of another distribution takes the place of one of these.
add_installed(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors of ours are one line on standard error."""
    command = _tree()
    _write_any_sign()
    if os.environ.get(COMPLETE) and arguments is None:
        from unsilent.commands.completion import answer

        return answer(command)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            with command.make_context("unsilent", given) as context:
                command.invoke(context)
        finally:
            # Here, where what goes wrong with it still has an exit code and a line.
            _flush(sys.stdout)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        from unsilent.commands.faults import usage_line

        sys.stderr.write(usage_line(error))
        return error.exit_code
    except UnsilentError as error:
        sys.stderr.write(f"unsilent: {error.line()}\n")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("unsilent: interrupted; the same command goes on from here\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UnsilentError.exit_code
    except OSError as error:
        if error.filename is None and error.errno in _OUTPUT_FAULTS:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.stderr.write(f"unsilent: the output cannot be written ({error.strerror})\n")
            return UnsilentError.exit_code
        if error.filename is None:
            raise
        from unsilent.commands.faults import os_fault

        fault = os_fault(error)
        sys.stderr.write(f"unsilent: {fault.line()}\n")
        return fault.exit_code
    return 0


@cache
def _tree() -> click.Command:
    """All commands: made of their signatures, which takes longer than most of them do."""
    return typer.main.get_command(app)


def _flush(output: TextIO | None) -> None:
    """Write what is still to be written; an output that was closed from the beginning is None."""
    if output is not None:
        output.flush()


def _write_any_sign() -> None:
    r"""Write what an output's encoding has no sign for as JSON would: ``\u2716`` for a cross.

    An output in ASCII, in that of Windows, or of a path that is no text would else end the command
    in the middle, and what is JSON stays JSON.
    """
    codecs.register_error(_ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors=_ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    units = (signs[place : place + 2] for place in range(0, len(signs), 2))
    return "".join(f"\\u{unit.hex()}" for unit in units), error.end


def _installed(name: str) -> bool:
    """Whether a package can be imported, found out without doing so."""
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _federation(
    plan: MonitoringPlan,
    out: Path,
    scenario: str | None,
    as_json: bool,
    *,
    ledger: str | None = None,
    alerts: Path | None = None,
    gpus: float | None = None,
) -> None:
    """Run a federation, print what was found and where it lies."""
    from rich.console import Console

    from unsilent.progress import RoundsLeft, progress_on

    check_place(out, folder=True)
    # Read by Flower when it is imported: nothing is reported to anyone.
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
    try:
        from unsilent.engines.flower.run import run_plan
    except ModuleNotFoundError as error:
        raise InputError(
            f"a federation runs in Flower, and {error.name} is not installed",
            remedy="pip install 'unsilent[flower]'.",
        ) from None
    from unsilent.report.page import write_page
    from unsilent.report.source import read_run

    with progress_on(Console(stderr=True)) as progress:
        run_plan(
            plan,
            out,
            scenario=scenario,
            progress=RoundsLeft(progress, plan.federation.rounds),
            ledger=ledger,
            alerts=alerts,
            gpus=gpus,
        )
    page = write_page(out)
    _print_findings(read_run(out), as_json=as_json)
    if not as_json:
        if plan.gate.action != "observe":
            from unsilent.report.gating import gating

            console().print("", gating(out).render())
        typer.echo(f"\nReport: {page}\nFindings: {out / 'findings.json'}")


def _print_findings(run: Run, *, as_json: bool) -> None:
    if as_json:
        typer.echo(run.findings.text(), nl=False)
        return
    from unsilent.report.decision import decide
    from unsilent.report.terminal import show

    first = decide(run.plan, run.findings, run.record.known if run.record else None)
    show(run.findings, console(), run.timing, first)


if __name__ == "__main__":
    sys.exit(main())
