"""The commands that show a replay: the benchmark's page, and the tables of documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unsilent.commands.common import check_place, unread, write
from unsilent.errors import InputError

TracesFolder = Annotated[
    Path | None,
    typer.Option(
        "--traces", metavar="DIR", help="Other traces than those shipped.", show_default=False
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of all randomness.")]


def bench_report(
    replayed: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            metavar="FILE",
            help="JSON of a replay, as `unsilent bench replay --out` writes it; else it is run.",
            show_default=False,
        ),
    ] = None,
    traces: TracesFolder = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**31 - 1, help="Of all randomness (default: 1).", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("bench.html"),
) -> None:
    """Write the benchmark's page: one HTML file with every number, its seeds and its interval."""
    if replayed is not None and (traces is not None or seed is not None):
        raise unread("--seed" if traces is None else "--traces", "with --replay, which has them")
    check_place(out)
    given = None if replayed is None else _replayed(replayed)
    # Only now: they are dear to import.
    from rich.console import Console

    from unsilent.progress import progress_on
    from unsilent_bench.page import page
    from unsilent_bench.replay import replay
    from unsilent_bench.traces import read

    if given is None:
        with progress_on(Console(stderr=True)) as progress:
            found = replay(
                read(traces), seed=1 if seed is None else seed, progress=progress
            ).to_json()
    else:
        found = given
    write(out, page(found))
    typer.echo(f"Wrote {out}")


def bench_tables(
    replayed: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            metavar="FILE",
            help="JSON of a replay, as `unsilent bench replay --out` writes it; else the shipped "
            "one.",
            show_default=False,
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="DOCUMENT",
            help="Write them where a Markdown file marks them, instead of printing all.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the replay's tables in Markdown, or write them into a document.

    A document marks a table's place by `<!-- table: NAME -->` and `<!-- end of table -->`.
    """
    from unsilent_bench.page import filled, tables

    check_place(into, "--into")
    found = _replayed(replayed or _replay_of_traces())
    if into is None:
        for name, table in tables(found).items():
            typer.echo(f"<!-- table: {name} -->\n{table}<!-- end of table -->\n")
        return
    try:
        text = into.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            "no such file", where=f"--into {into}", remedy="Name a Markdown file."
        ) from None
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "cannot be read as text", where=f"--into {into}", remedy="Name a Markdown file."
        ) from None
    write(into, filled(text, found), "--into")
    typer.echo(f"Wrote {into}")


def bench_publish(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write them.", show_default=False)
    ],
    replayed: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Of another replay than the shipped one."),
    ] = None,
    validated: Annotated[
        list[Path] | None,
        typer.Option(
            "--validation",
            metavar="FILE",
            help="Of other validations of the refusal measure than the shipped ones; may be "
            "repeated.",
        ),
    ] = None,
) -> None:
    """Write the results that the package cites: its row of the landscape, and its validations."""
    from unsilent_bench.publish import published, text
    from unsilent_bench.validation.shipped import read, shipped

    check_place(out, "FILE")
    validations = [read(path) for path in validated] if validated else list(shipped().values())
    path = replayed or _replay_of_traces()
    _replayed(path)
    content = path.read_bytes()
    write(out, text(published(content, validations)), "FILE")
    typer.echo(f"Wrote {out}")


def _replay_of_traces() -> Path:
    """The replay that lies beside the shipped traces. Raises InputError if there are none."""
    from unsilent_bench.traces.shipped import REPLAY, shipped

    return shipped() / REPLAY


def _replayed(path: Path) -> dict[str, Any]:
    """A replay that was written as JSON."""
    import json

    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            "no such file",
            where=f"--replay {path}",
            remedy="`unsilent bench replay --out FILE` writes one.",
        ) from None
    except (OSError, ValueError):
        found = None
    # Only here: it is dear to import.
    from unsilent_bench.replay import SCHEMA

    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise InputError(
            "is not the JSON of a replay",
            where=f"--replay {path}",
            remedy="`unsilent bench replay --out FILE` writes one.",
        )
    return found
