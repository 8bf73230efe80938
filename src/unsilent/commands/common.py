"""What commands have in common: arguments that several take, and how they print."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer
from typer.core import TyperGroup

from unsilent.errors import InputError, PlanError

if TYPE_CHECKING:
    from unsilent.plan import MonitoringPlan

EXIT_FINDING = 3
"""Exit code of a command that found what ``--fail-on`` names."""

NARROWEST = 80
"""Columns that each table fits with no figure cut: what is printed on a terminal of fewer, too."""

TABLE_WIDTH = 100
"""Columns of what is printed where there is no terminal, unless a table needs more."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="A plan in TOML.", show_default=False)
]
Underpowered = Annotated[
    bool,
    typer.Option(
        "--accept-underpowered",
        help="Go on with a plan for which only UNDETERMINED is within reach.",
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder, as runs/demo.", show_default=False)
]

LedgerUrl = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        envvar="UNSILENT_LEDGER",
        help="Keep the ledger in a database: postgresql://HOST/DATABASE?schema=NAME, the password "
        "in ~/.pgpass or PGPASSWORD (default: a file in the run's folder).",
        show_default=False,
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-client",
        metavar="SHARE",
        help="Each simulated client's share of a GPU, as 0.25.",
        show_default=False,
    ),
]


class ShowByDefault(TyperGroup):
    """``unsilent gate RUN`` shows: a first word that names no command is the run's folder."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with the command put in that was left out."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let faults that show only when a plan is used name its file, as those of reading do."""
    try:
        yield
    except PlanError as error:
        if error.where.startswith(str(path)):
            raise
        spot = f"{path}: {error.where}" if error.where else str(path)
        raise PlanError(error.what, where=spot, remedy=error.remedy) from None


def unread(option: str, why: str) -> InputError:
    """What is said of an option that the others given leave without a reader.

    Passed over in silence it would be taken for done.
    """
    return InputError(f"nothing reads it {why}", where=option, remedy="Leave one of them out.")


def read_plan(path: Path) -> MonitoringPlan:
    """A plan from its file, without loading what reads it before a command needs it."""
    from unsilent import plan

    return plan.read_plan(path)


def console() -> Any:
    """A console for results on standard output."""
    from rich.console import Console
    from rich.measure import Measurement

    class Whole(Console):
        """No figure may be cut: where there is no terminal there is no width to keep to.

        A terminal that is too narrow for a table breaks its lines itself; a figure that lost its
        last digits would be read as another.
        """

        def print(self, *objects: Any, **given: Any) -> None:
            free = self.options.update(max_width=10 * TABLE_WIDTH)
            needed = [Measurement.get(self, free, each) for each in objects]
            if self.is_terminal:
                self.width = max(columns, NARROWEST, *(least for least, _ in needed), 0)
            else:
                wide = [most for least, most in needed if least > TABLE_WIDTH]
                self.width = max(TABLE_WIDTH, *wide, 0)
            super().print(*objects, **given)

    found = Whole(highlight=False)
    columns = found.width
    return found


def print_json(data: object) -> None:
    """Print data as JSON."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def check_place(path: Path | None, option: str = "--out", *, folder: bool = False) -> None:
    """Refuse a place at which nothing can be written, and write nothing.

    What cannot be seen beforehand, as of a tree that is read-only for root too, `write` says.

    Args:
        path: The file to be written; None is fine.
        option: What names it on the command line.
        folder: It is to be a folder, with files in it.

    Raises:
        InputError: It is of the wrong kind, or lies below a file, or may not be written.
    """
    if path is None:
        return
    if path.is_dir() and not folder:
        raise _refused(path, "is a folder", option, "Name a file in it.")
    if path.exists() and folder and not path.is_dir():
        raise _refused(path, "is a file", option, "Name a folder.")
    above = path if folder and path.is_dir() else path.absolute().parent
    while not _there(above):
        above = above.parent
    if not above.is_dir():
        raise _refused(path, f"{above.name} is a file, not a folder", option)
    if not os.access(above, os.W_OK | os.X_OK):
        raise _refused(path, f"{above} may not be written in", option)


def write(path: Path, text: str, option: str = "--out") -> None:
    """Write what was asked for as a file, whole. Raises InputError if that is not possible."""
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, data: bytes, option: str = "--out") -> None:
    """As `write`, of bytes."""
    from unsilent.files import write_whole

    check_place(path, option)
    try:
        write_whole(path, data)
    except OSError as error:
        raise cannot_write(path, error, option) from None


def cannot_write(path: Path, error: OSError, option: str = "--out") -> InputError:
    """What is said where the system refuses to write."""
    return _refused(path, f"cannot be written ({error.strerror or 'refused'})", option)


def _there(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError:
        return False


def _refused(path: Path, what: str, option: str, remedy: str = "Name another path.") -> InputError:
    return InputError(what, where=f"{option} {path}", remedy=remedy)
