"""The command line: parse, call, print.

Heavy imports wait until a command needs them, so that ``--help`` and the checks of a plan stay
quick. Data goes to standard output, progress and errors to standard error. Exit codes: 0 fine,
1 error, 2 bad usage or input, 3 a finding that ``--fail-on`` names, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import click
import typer

from unsilent import __version__
from unsilent.commands import alerts as alerting
from unsilent.commands import bench, category, evidence, gate, landscape, privacy, probes
from unsilent.commands import local as own
from unsilent.commands import serve as dashboard
from unsilent.commands.common import (
    Json,
    LedgerUrl,
    PlanFile,
    RunFolder,
    Underpowered,
    console,
    naming,
    print_json,
    read_plan,
)
from unsilent.errors import InputError, UnsilentError

if TYPE_CHECKING:
    from unsilent.findings import Findings
    from unsilent.plan import MonitoringPlan
    from unsilent.report.timing import Timing

Scenario = Literal["skewed", "healthy"]
Tier = Literal["lm", "fleet"]
GateAction = Literal["observe", "hold", "rollback"]
FailOn = Literal["failure", "undetermined"]

EXIT_FINDING = 3
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="unsilent",
    help="Hear the silent failures of federated personalization of foundation models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
plans = typer.Typer(help="Write or check a monitoring plan.", no_args_is_help=True)
app.add_typer(plans, name="plan")
app.add_typer(privacy.app, name="privacy")
app.add_typer(probes.app, name="probes")
app.add_typer(bench.app, name="bench")
app.add_typer(gate.app, name="gate")
app.add_typer(alerting.app, name="alerts")
app.command(epilog="Example: unsilent serve runs")(dashboard.serve)
app.command(epilog="Example: unsilent local store/client-3 --json")(own.local)
app.command(epilog="Example: unsilent landscape --format html --out landscape.html")(
    landscape.landscape
)
app.command(epilog="Example: unsilent evidence runs/demo")(evidence.evidence)
app.command(epilog="Example: unsilent verify runs/demo/evidence.zip")(evidence.verify)
app.command(
    epilog='Example: unsilent aware runs/demo --by "A. Person" --note "informed the clinic"'
)(evidence.aware)
app.command(epilog="Example: unsilent export runs/demo --format model-card")(category.export)
app.command(epilog="Example: unsilent schema findings")(category.schema)
app.command(epilog="Example: unsilent modes SF-1")(category.modes)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unsilent {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
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
    as_json: Json = False,
) -> None:
    """Run the embedded federation and judge it.

    The same --out continues a run that was cut short.
    """
    from unsilent.plans import demo_plan

    _federation(demo_plan(scenario, tier, seed, gate_action), out, scenario, as_json)


@app.command(epilog="Example: unsilent run plan.toml --out runs/ward")
def run(
    plan: PlanFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the run is kept (default: runs/ and the plan's name)."),
    ] = None,
    ledger: LedgerUrl = None,
    alerts: alerting.AlertsPath = None,
    accept_underpowered: Underpowered = False,
    as_json: Json = False,
) -> None:
    """Run a federation as planned in PLAN, a TOML file.

    The same --out continues a run that was cut short. A plan that can reach no verdict in any mode
    is refused.
    """
    declared = read_plan(plan)
    if not accept_underpowered:
        from unsilent.inference.advice import refuse_underpowered

        with naming(plan):
            refuse_underpowered(declared)
    kept = out or Path("runs") / declared.name
    _federation(declared, kept, None, as_json, ledger=ledger, alerts=alerts)


@plans.command("init", epilog="Example: unsilent plan init plan.toml")
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
    from importlib.resources import files

    text = (files("unsilent") / "plans" / "starter.toml").read_bytes()
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


@plans.command("check", epilog="Example: unsilent plan check plan.toml --json")
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
    from unsilent.report.foresight import foresee

    declared = read_plan(plan)
    with naming(plan):
        seen = foresee(declared)
        if as_json:
            print_json(seen.to_json())
        else:
            console().print(seen.render())
        if not accept_underpowered:
            seen.refuse_underpowered()


@app.command(epilog="Example: unsilent contract plan.toml")
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


@app.command(epilog="Example: unsilent findings runs/demo --fail-on failure")
def findings(
    run: RunFolder,
    as_json: Json = False,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            help="Exit with 3 if a mode is a FAILURE; with undetermined, also if one is open."
        ),
    ] = None,
) -> None:
    """Show the findings in RUN, a run folder such as runs/demo."""
    from unsilent.report.source import read_run

    read = read_run(run)
    found = read.findings
    _print_findings(found, as_json=as_json, timing=read.timing)
    bad = {"failure": {"failure"}, "undetermined": {"failure", "undetermined"}}
    if fail_on and any(finding.verdict in bad[fail_on] for finding in found.findings):
        raise typer.Exit(EXIT_FINDING)


@app.command(epilog="Example: unsilent report runs/demo")
def report(run: RunFolder) -> None:
    """Write the report page of RUN, a run folder.

    One file without outside references, RUN/report.html; its path is printed.
    """
    from unsilent.report.page import write_page

    typer.echo(write_page(run))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors of ours are one line on standard error."""
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with command.make_context("unsilent", given) as context:
            command.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
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
    return 0


def _federation(
    plan: MonitoringPlan,
    out: Path,
    scenario: str | None,
    as_json: bool,
    *,
    ledger: str | None = None,
    alerts: Path | None = None,
) -> None:
    """Run a federation, print what was found and where it lies."""
    from rich.console import Console

    from unsilent.progress import progress_on

    # Read by Flower when it is imported: nothing is reported to anyone.
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
    from unsilent.flower.run import run_plan
    from unsilent.report.page import write_page
    from unsilent.report.timing import read_timing

    with progress_on(Console(stderr=True)) as progress:
        found = run_plan(
            plan, out, scenario=scenario, progress=progress, ledger=ledger, alerts=alerts
        )
    page = write_page(out)
    _print_findings(found, as_json=as_json, timing=read_timing(out))
    if not as_json:
        if plan.gate.action != "observe":
            from unsilent.report.gating import gating

            console().print("", gating(out).render())
        typer.echo(f"\nReport: {page}\nFindings: {out / 'findings.json'}")


def _print_findings(found: Findings, *, as_json: bool, timing: Timing | None) -> None:
    if as_json:
        typer.echo(found.text(), nl=False)
        return
    from unsilent.report.terminal import show

    show(found, console(), timing)


if __name__ == "__main__":
    sys.exit(main())
