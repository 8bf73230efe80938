"""The commands that measure unsilent itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from unsilent.commands.common import (
    Json,
    cannot_write,
    check_place,
    console,
    print_json,
    unread,
    write,
)
from unsilent.errors import InputError
from unsilent_bench.commands.pages import (
    Seed,
    TracesFolder,
    bench_publish,
    bench_report,
    bench_tables,
)

USUAL = "fine-tune"
# As in the modules that use them, which would make every command wait for them.
Tier = Literal["fleet", "lm"]
Dose = Literal["none", "mild", "medium", "strong"]
DOSES: tuple[Dose, ...] = ("none", "mild", "medium", "strong")

_FLEET = 128

app = typer.Typer(help="Measure unsilent itself against known truth.", no_args_is_help=True)


@app.command("verdicts", epilog="Example: unsilent bench verdicts --figure verdicts.svg")
def bench_verdicts(
    as_json: Json = False,
    seed: Seed = 1,
    short: Annotated[
        bool, typer.Option("--short", help="A few worlds with few repetitions.")
    ] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Also write the figure, an SVG.", show_default=False)
    ] = None,
    adversary: Annotated[
        bool,
        typer.Option("--adversary", help="Search for the worlds with most false verdicts instead."),
    ] = False,
    worlds: Annotated[
        int | None,
        typer.Option(
            min=20,
            help="With --adversary: to try for each shipped plan (default: 2000).",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        Literal["clipping", "sampling", "missing"] | None,
        typer.Option(
            help="With --adversary: judge without what allows for it, to see what is then found.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Simulate federations with known effects and count wrong and missed verdicts.

    Beside unsilent's two boundaries: one-round tests, CUSUMs, DP-CUSUM and plain 95% intervals.
    With --adversary a search makes worlds worse and worse, under every shipped plan and variants.
    """
    check_place(figure, "--figure")
    if adversary:
        if figure is not None:
            raise InputError("the search has no figure", where="--figure", remedy="Leave it out.")
        _search(seed, worlds, without, short=short, as_json=as_json)
        return
    if worlds is not None or without is not None:
        raise InputError(
            "only the search has this option",
            where="--worlds" if without is None else "--without",
            remedy="Add --adversary.",
        )
    from rich.console import Console

    from unsilent.progress import progress_on
    from unsilent_bench import verdicts

    with progress_on(Console(stderr=True)) as progress:
        rows = verdicts.run(seed, short=short, progress=progress)
    if figure is not None:
        write(figure, verdicts.figure(rows), "--figure")
    if as_json:
        print_json({"seed": seed, "rows": [row.to_json() for row in rows]})
    else:
        console().print(verdicts.table(rows))
        console().print(verdicts.summary(rows))


@app.command(
    "run", epilog="Example: unsilent bench run --scenario group-skew --dose strong --check"
)
def bench_run(
    tier: Annotated[
        Tier, typer.Option(help="fleet (text encoder, seconds) or lm (language model, minutes).")
    ] = "fleet",
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Its name; may be repeated. Else the six main ones.", show_default=False),
    ] = None,
    dose: Annotated[
        list[str] | None,
        typer.Option(
            help="none, mild, medium or strong; may be repeated. Else none and strong.",
            show_default=False,
        ),
    ] = None,
    clients: Annotated[
        int, typer.Option(min=16, max=256, help="Enrolled clients, of the fleet.")
    ] = _FLEET,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            max=2**31 - 1,
            help="May be repeated. Else the tier's first fresh one.",
            show_default=False,
        ),
    ] = None,
    personalization: Annotated[
        str,
        typer.Option(
            help="How the global adapter becomes a client's own: fine-tune, ditto, fedsa, local, "
            "fedper, or one that is installed."
        ),
    ] = USUAL,
    training: Annotated[
        str,
        typer.Option(help="Of the fleet: plain, secure-sum, dp-fedavg:NOISE or dp-sgd:EPSILON."),
    ] = "plain",
    items: Annotated[
        float,
        typer.Option(
            min=0.02, max=1.0, help="Of the fleet: share of the plan's items that a client answers."
        ),
    ] = 1.0,
    device: Annotated[
        str, typer.Option(help="Where the language model lies, such as cuda.")
    ] = "cpu",
    everything: Annotated[
        bool, typer.Option("--everything", help="All of the fleet that ships, needed first.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Compare with the recorded ones; exit 1 if they differ."),
    ] = False,
    traces: TracesFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Record into this folder, one federation after the other; goes on where it was.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run federations from nothing: texts, training, statistics, truth.

    The fleet's first run computes embeddings, which takes minutes; then a federation takes
    seconds. One of the language model takes some minutes on a processor; its clients, rounds and
    training are those of its plan.
    """
    from rich.console import Console

    from unsilent_bench.scenarios import MAIN, SCENARIOS

    check_place(out, folder=True)
    doses = _doses(dose or ("none", "strong"))
    for name in scenario or ():
        if name not in SCENARIOS or tier not in SCENARIOS[name].tiers:
            raise InputError(
                f"the tier {tier} has no scenario {name!r}",
                where="--scenario",
                remedy=f"Known: {', '.join(n for n, s in SCENARIOS.items() if tier in s.tiers)}.",
            )
    # Only now: they load a model library.
    from unsilent.models.personalization import known
    from unsilent.progress import progress_on
    from unsilent_bench.fleet import recording as fleet
    from unsilent_bench.fleet import running
    from unsilent_bench.lm import recording as lm

    if personalization not in known():
        raise InputError(
            f"no personalization is called {personalization!r}",
            where="--personalization",
            remedy=f"Known here: {', '.join(known())}.",
        )
    unusual = (clients, training, items) != (_FLEET, "plain", 1.0)
    if (unusual or everything) if tier == "lm" else device != "cpu":
        raise InputError(
            "an option is of the other tier alone",
            where=f"--tier {tier}",
            remedy="--clients, --training, --items and --everything are of the fleet; "
            "--device is of lm.",
        )
    if everything and (scenario or dose or seed or unusual or personalization != USUAL):
        raise unread("--everything", "beside --scenario, --dose, --seed or what changes the fleet")
    if traces is not None and not check:
        raise unread("--traces", "without --check")
    chosen: list[tuple[str, Dose, int]] = [
        (name, strength, number)
        for number in seed or [(lm if tier == "lm" else fleet).FRESH]
        for name in scenario or MAIN
        for strength in doses
    ]
    with progress_on(Console(stderr=True)) as progress:
        if tier == "lm":
            tuned = [lm.LmJob(n, d, s, personalization) for n, d, s in chosen]
            found = lm.record(tuned, out, progress, device=device)
        else:
            jobs = [fleet.Job(n, d, clients, s, personalization, training) for n, d, s in chosen]
            jobs = list(fleet.shipped()) if everything else jobs
            found = fleet.record(jobs, out, progress, fleet.fleet_plan(items))
    agreed = running.compared(found, traces) if check else ()
    if as_json:
        print_json(running.to_json(found, agreed))
    else:
        console().print(running.table(found, agreed))
    if not all(each.holds for each in agreed):
        raise typer.Exit(1)


@app.command("gather", epilog="Example: unsilent bench gather parts lm-parts --out traces")
def bench_gather(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="As `unsilent bench run --out` left them."),
    ],
    out: Annotated[Path, typer.Option(help="Holds the traces; those in it are replaced.")],
) -> None:
    """Put recorded federations together into one folder of traces, as they ship.

    Three tables, a data card and checksums. `replay` also takes what `run` left as it is.
    """
    from unsilent_bench.traces import together
    from unsilent_bench.traces import write as write_traces

    check_place(out, folder=True)
    found = together(folders).federations
    try:
        write_traces(out, found)
    except OSError as error:
        raise cannot_write(out, error) from None
    typer.echo(f"Wrote {len(found)} federations to {out}")


@app.command("replay", epilog="Example: unsilent bench replay --epsilon 8 --epsilon 2")
def bench_replay(
    traces: TracesFolder = None,
    as_json: Json = False,
    epsilon: Annotated[
        list[str] | None,
        typer.Option(help="A budget, or `inf` for no noise; may be repeated.", show_default=False),
    ] = None,
    clients: Annotated[
        list[int] | None,
        typer.Option(help="Only federations of this size; may be repeated.", show_default=False),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Who judges, such as unsilent or oracle; may be repeated. Else all.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        Literal["fresh", "development", "all"],
        typer.Option(help="Rates are published from the fresh one; doses were tuned on the other."),
    ] = "fresh",
    items: Annotated[
        float,
        typer.Option(
            min=0.02, max=1.0, help="Of the fleet: as it was recorded, see `bench run --items`."
        ),
    ] = 1.0,
    seed: Seed = 1,
    out: Annotated[
        Path | None, typer.Option(help="Also write the JSON to a file.", show_default=False)
    ] = None,
) -> None:
    """Score every method on recorded federations, against their truth.

    Beside unsilent: what federated systems show today with the best threshold in hindsight, local
    DP, noise on means, one-round tests, DP-CUSUM, and the oracle.
    """
    import json

    from rich.console import Console

    from unsilent.progress import progress_on
    from unsilent_bench import replay
    from unsilent_bench.fleet.recording import fleet_plan
    from unsilent_bench.replay.batch import shipped_plans
    from unsilent_bench.traces import read

    check_place(out)
    budgets = replay.EPSILONS if not epsilon else tuple(_budget(each) for each in epsilon)
    judges = {each.name: each for each in replay.METHODS}
    unknown = sorted(set(method or ()) - set(judges))
    if unknown:
        raise InputError(
            f"no method {unknown[0]!r}", where="--method", remedy=f"Known: {', '.join(judges)}."
        )
    recorded = read(traces)
    fewer = None if items == 1.0 else shipped_plans() | {"fleet": fleet_plan(items)}
    with progress_on(Console(stderr=True)) as progress:
        found = replay.replay(
            recorded,
            epsilons=budgets,
            clients=clients,
            split=split,
            seed=seed,
            plans=fewer,
            methods=[each for name, each in judges.items() if name in (method or judges)],
            progress=progress,
        )
    others = [e for e in recorded.federations if e.plan != found.plans.get(e.tier, e.plan)]
    if others:
        # Another tolerance or budget may be tried; of other items the intervals' width is wrong.
        typer.echo(
            f"{len(others)} federations, {others[0].federation} first, were recorded under another "
            "plan than the one that judged them. That is right only where clients were asked as "
            "many items: see --items.",
            err=True,
        )
    if out is not None:
        write(out, json.dumps(found.to_json(), allow_nan=False, separators=(",", ":")) + "\n")
    if as_json:
        print_json(found.to_json())
    else:
        console().print(replay.table(found.rows))
        console().print(replay.summary(found.rows))


def _search(
    seed: int,
    worlds: int | None,
    without: Literal["clipping", "sampling", "missing"] | None,
    *,
    short: bool,
    as_json: bool,
) -> None:
    """`unsilent bench verdicts --adversary`."""
    from rich.console import Console

    from unsilent.progress import progress_on
    from unsilent_bench.verdicts import adversary

    with progress_on(Console(stderr=True)) as progress:
        found = adversary.attack(seed, worlds, short=short, strip=without, progress=progress)
    if as_json:
        print_json(found.to_json())
    else:
        console().print(adversary.table(found.rows))
        console().print(adversary.summary(found))


def _doses(names: Sequence[str]) -> list[Dose]:
    """Doses by their names, rising."""
    unknown = sorted(set(names) - set(DOSES))
    if unknown:
        raise InputError(
            f"no dose {unknown[0]!r}", where="--dose", remedy=f"Known: {', '.join(DOSES)}."
        )
    return [dose for dose in DOSES if dose in names]


def _budget(text: str) -> float | None:
    """An epsilon above 0; None for ``inf``."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise InputError(
            f"{text!r} is no budget", where="--epsilon", remedy="Give a number above 0, or inf."
        )
    return None if value == float("inf") else value


app.command("report", epilog="Example: unsilent bench report --replay replay.json")(bench_report)
app.command("tables", epilog="Example: unsilent bench tables --into docs/benchmark.md")(
    bench_tables
)
app.command(
    "publish", epilog="Example: unsilent bench publish src/unsilent/published/results.json"
)(bench_publish)
