"""``unsilent record``: what people have to do about findings, and what they did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from unsilent.commands.common import (
    EXIT_FINDING,
    Json,
    RunFolder,
    ShowByDefault,
    console,
    print_json,
)
from unsilent.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from unsilent.governance.status import Status
    from unsilent.ledger import Entry, Ledger
    from unsilent.plan import MonitoringPlan

app = typer.Typer(
    cls=ShowByDefault,
    help="What has to follow a finding, by when, and what was done: unsilent record RUN.",
    no_args_is_help=True,
)

By = Annotated[str, typer.Option(help="Who you are.", show_default=False)]
Note = Annotated[str, typer.Option(help="In words, which stay for good.", show_default=False)]
About = Literal["wrong", "unfair", "unsafe", "private", "other"]


@app.command("show", epilog="Example: unsilent record runs/demo --fail-on overdue")
def show_record(
    run: RunFolder,
    as_json: Json = False,
    fail_on: Annotated[
        Literal["overdue", "unaware"] | None,
        typer.Option(
            help="Exit with 3 if something is overdue; with unaware, also if nobody knows of it."
        ),
    ] = None,
) -> None:
    """Show roles, duties with their deadlines, reviews, complaints and actions, as of now."""
    from datetime import UTC, datetime

    from unsilent.governance.status import status
    from unsilent.ledger.location import ledger_of
    from unsilent.ledger.run_view import RunView

    ledger = ledger_of(run)
    ledger.verify()
    view = RunView(ledger)
    found = status(view.plan, view, datetime.now(UTC))
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
    if fail_on is not None and (found.overdue or (fail_on == "unaware" and found.unheard)):
        raise typer.Exit(EXIT_FINDING)


@app.command(
    "complaint",
    epilog='Example: unsilent record complaint runs/demo --about unsafe --by "A. Person"',
)
def record_complaint(
    run: RunFolder,
    about: Annotated[About, typer.Option(help="What it is about.", show_default=False)],
    by: Annotated[
        str,
        typer.Option(help="Who writes it down: not whom it is from.", show_default=False),
    ],
    mode: Annotated[str | None, typer.Option(help="The mode it is about, as SF-1.")] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            help="A file with what it says, or - for standard input. It is kept in RUN/complaints, "
            "where it can be erased; the ledger holds a digest alone."
        ),
    ] = None,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Feedback that asks for nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Record a complaint or feedback of a person; its text stays out of the ledger."""
    from unsilent.governance.recording import complain

    _, ledger = _opened(run)
    entry = complain(
        run,
        ledger,
        about=about,
        by=by,
        text="" if text is None else _read(text),
        mode=mode,
        what="feedback" if feedback else "complaint",
    )
    _done(entry, as_json)


@app.command("answer", epilog="Example: unsilent record answer runs/demo --complaint 41 …")
def record_answer(
    run: RunFolder,
    complaint: Annotated[int, typer.Option(min=1, help="Its ledger entry.", show_default=False)],
    outcome: Annotated[
        Literal["upheld", "not-upheld", "no-answer-needed"],
        typer.Option(help="What became of it.", show_default=False),
    ],
    note: Note,
    by: By,
    as_json: Json = False,
) -> None:
    """Record what became of a complaint."""
    from unsilent.governance.recording import answer_complaint
    from unsilent.ledger.people import Outcome

    said = cast("Outcome", outcome.replace("-", " "))
    _, ledger = _opened(run)
    _done(answer_complaint(ledger, complaint, outcome=said, note=note, by=by), as_json)


@app.command("open", epilog="Example: unsilent record open runs/demo --cause 41 …")
def record_open(
    run: RunFolder,
    cause: Annotated[
        int, typer.Option(min=1, help="The ledger entry that it is for.", show_default=False)
    ],
    what: Annotated[str, typer.Option(help="What is to be done.", show_default=False)],
    owner: Annotated[str, typer.Option(help="Who does it.", show_default=False)],
    by: By,
    as_json: Json = False,
) -> None:
    """Open a corrective action."""
    from unsilent.governance.recording import open_action

    _done(open_action(_opened(run)[1], cause, what=what, owner=owner, by=by), as_json)


@app.command("close", epilog="Example: unsilent record close runs/demo --action 44 …")
def record_close(
    run: RunFolder,
    action: Annotated[
        int, typer.Option(min=1, help="The ledger entry that opened it.", show_default=False)
    ],
    evidence: Annotated[
        str, typer.Option(help="What shows that it is done, and where.", show_default=False)
    ],
    by: By,
    file: Annotated[
        Path | None, typer.Option(help="A file of the evidence; its SHA-256 is recorded.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Close a corrective action with its evidence."""
    from unsilent.governance.recording import close_action

    ledger = _opened(run)[1]
    _done(close_action(ledger, action, evidence=evidence, by=by, file=file), as_json)


@app.command("review", epilog="Example: unsilent record review runs/demo --outcome go-on …")
def record_review(
    run: RunFolder,
    outcome: Annotated[
        Literal["go-on", "act", "stop"], typer.Option(help="What was decided.", show_default=False)
    ],
    note: Note,
    by: By,
    as_json: Json = False,
) -> None:
    """Record a review of all that was found so far."""
    from unsilent.governance.recording import hold_review
    from unsilent.ledger.people import Decided

    plan, ledger = _opened(run)
    said = cast("Decided", outcome.replace("-", " "))
    _done(hold_review(ledger, plan, outcome=said, note=note, by=by), as_json)


@app.command("told", epilog="Example: unsilent record told runs/demo --cause 41 --who …")
def record_told(
    run: RunFolder,
    cause: Annotated[
        int,
        typer.Option(min=1, help="The ledger entry that they were told of.", show_default=False),
    ],
    who: Annotated[str, typer.Option(help="Who was told.", show_default=False)],
    note: Note,
    by: By,
    as_json: Json = False,
) -> None:
    """Record that somebody was told of a finding, a complaint or another entry."""
    from unsilent.governance.recording import tell

    _done(tell(_opened(run)[1], cause, who=who, note=note, by=by), as_json)


@app.command("clients", epilog="Example: unsilent record clients runs/demo --left 1 --joined 1 …")
def record_clients(
    run: RunFolder,
    reason: Annotated[
        str,
        typer.Option(help="Why, in words that stay for good: name nobody.", show_default=False),
    ],
    by: By,
    left: Annotated[int, typer.Option(min=0, help="How many left for good.")] = 0,
    joined: Annotated[int, typer.Option(min=0, help="How many are new.")] = 0,
    as_json: Json = False,
) -> None:
    """Record that clients left for good, or that new ones joined, in numbers.

    It decides no verdict: until a plan follows that says how many there are, one that left and was
    not replaced counts as missing.
    """
    from unsilent.governance.membership import change_clients

    plan, ledger = _opened(run)
    entry = change_clients(ledger, plan, left=left, joined=joined, reason=reason, by=by)
    _done(entry, as_json)


def _opened(run: Path) -> tuple[MonitoringPlan, Ledger]:
    from unsilent.ledger.location import ledger_of, open_ledger
    from unsilent.ledger.run_view import RunView

    # Reading first: opening to write would make a ledger where there is none.
    plan = RunView(ledger_of(run)).plan
    return plan, open_ledger(run)


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "not a readable text file", where=str(path), remedy="Name one in UTF-8, or - for input."
        ) from None


def _done(entry: Entry, as_json: bool) -> None:
    if as_json:
        print_json({"entry": entry.index, "time": entry.time, "hash": entry.hash})
    else:
        typer.echo(f"entry {entry.index}, {entry.time}")


def _print(found: Status) -> None:
    from rich.markup import escape
    from rich.text import Text

    from unsilent.report.incidents import NOT_SERIOUS
    from unsilent.report.standing import facts, minute

    out = console()
    out.print(f"[bold]The record as of {minute(found.as_of)}[/]")
    for name, words in facts(found):
        out.print(f"[bold]{name}[/]: {escape(words)}")
    if found.duties:
        out.print(_duties(found))
    out.print(Text(NOT_SERIOUS))


def _duties(found: Status) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from unsilent.report.standing import LOOKS, asks, by_when

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "entry", "what happened", "what has to follow", "by when"):
        table.add_column(name)
    for duty in found.duties:
        look = LOOKS[found.standing(duty)]
        table.add_row(
            f"{look.symbol} {look.word}",
            str(duty.cause.entry.index),
            escape(duty.cause.words),
            asks(duty),
            escape(by_when(duty)),
        )
    return table
