"""The folder of a run: made, gone on with, or an earlier one kept beside."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from unsilent.errors import InputError, RunError, UnsilentError
from unsilent.files import write_whole
from unsilent.plan import MonitoringPlan, parse_plan

NOT_MONITORED = "not-monitored.txt"
"""Says in a run's folder why there is no run in it."""
WATCH = "watch.json"
"""Says in a run's folder that its rounds train nothing, and whether a model is sent in them."""


def open_folder(plan: MonitoringPlan, out: Path) -> None:
    """Make the folder and declare the plan in it.

    An unfinished run of the same plan goes on. A finished one, or one of another plan, is kept: its
    folder is renamed to ``OUT.1``, ``OUT.2`` and so on.

    Raises:
        InputError: It is a file, or a folder of something else, a watch by the same plan too.
    """
    declared = out / "plan.json"
    if out.exists() and not out.is_dir():
        raise InputError("not a folder", where=str(out), remedy="Name a folder for the run.")
    if out.is_dir() and any(map(_counts, out.iterdir())) and not declared.is_file():
        raise InputError(
            "the folder is not empty and holds no run",
            where=str(out),
            remedy="Name another folder for the run.",
        )
    if holds(plan, out) and (out / WATCH).is_file():
        raise InputError(
            "the folder holds a watch by this plan, which trains nothing",
            where=str(out),
            remedy="Name another folder for the run, and another plan: clients release each round "
            "of a plan once.",
        )
    text = _text(plan)
    if declared.is_file():
        same = declared.read_text(encoding="utf-8") == text
        if not same or (out / "findings.json").is_file():
            number = 1
            while (beside := out.with_name(f"{out.name}.{number}")).exists():
                number += 1
            out.rename(beside)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(declared, text.encode())


def plan_in(out: Path) -> MonitoringPlan | None:
    """The plan of the run that a folder holds; None if it holds none that can be read."""
    try:
        data: object = json.loads((out / "plan.json").read_text(encoding="utf-8"))
        return parse_plan(cast("dict[str, Any]", data), where=str(out), recorded=True)
    except (OSError, ValueError, TypeError, AttributeError, UnsilentError):
        return None


def succeed_in(plan: MonitoringPlan, out: Path, version: int) -> None:
    """Let a plan take the place of the one that it follows, whose files stay beside it.

    ``plan.json`` and ``findings.json`` of version n are kept as ``plan-n.json`` and
    ``findings-n.json``. Called again after it was cut short, it goes on.

    Args:
        plan: The one that follows.
        out: The run's folder.
        version: The number of the plan before.
    """
    for name in ("findings", "plan"):
        path, kept = out / f"{name}.json", out / f"{name}-{version}.json"
        if path.is_file() and not kept.exists():
            write_whole(kept, path.read_bytes())
    # Findings go first: those of the plan before beside this one would be another plan's.
    (out / "findings.json").unlink(missing_ok=True)
    write_whole(out / "plan.json", _text(plan).encode())


def holds(plan: MonitoringPlan, out: Path) -> bool:
    """Whether a folder holds a run of this plan, finished or not."""
    declared = out / "plan.json"
    return declared.is_file() and declared.read_text(encoding="utf-8") == _text(plan)


@contextmanager
def alone_in(out: Path) -> Generator[None, None, None]:
    """Hold a run's folder alone; the lock lies beside it, since the folder may be renamed.

    Raises:
        RunError: Another process holds it.
        InputError: The folder it is to lie in cannot be made.
    """
    # Only here: it is dear to import, and most commands hold nothing.
    from filelock import FileLock, Timeout

    note = out.with_name(f".{out.name}.lock")
    lock = FileLock(note)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        if not note.exists():
            # No file could be made there, which the lock takes for one that is held.
            raise InputError(
                "the folder cannot be made", where=str(out), remedy="Use another --out."
            ) from None
        raise RunError(
            "another process is running here", where=str(out), remedy="Use another --out."
        ) from None
    except OSError as error:
        raise InputError(
            f"the folder cannot be made ({error.strerror})",
            where=str(out),
            remedy="Use another --out.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _text(plan: MonitoringPlan) -> str:
    return json.dumps(plan.to_json(), indent=2) + "\n"


def _counts(path: Path) -> bool:
    """Whether a file makes a folder one of something else: not what a run that never began left."""
    return path.suffix != ".part" and path.name != NOT_MONITORED
