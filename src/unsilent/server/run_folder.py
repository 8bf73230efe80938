"""The folder of a run: made, gone on with, or an earlier one kept beside."""

from __future__ import annotations

import json
from pathlib import Path

from unsilent.errors import InputError
from unsilent.files import write_whole
from unsilent.plan import MonitoringPlan

NOT_MONITORED = "not-monitored.txt"
"""Says in a run's folder why there is no run in it."""


def open_folder(plan: MonitoringPlan, out: Path) -> None:
    """Make the folder and declare the plan in it.

    An unfinished run of the same plan goes on. A finished one, or one of another plan, is kept: its
    folder is renamed to ``OUT.1``, ``OUT.2`` and so on.

    Raises:
        InputError: It is a file, or a folder of something else.
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
    text = json.dumps(plan.to_json(), indent=2) + "\n"
    if declared.is_file():
        same = declared.read_text(encoding="utf-8") == text
        if not same or (out / "findings.json").is_file():
            number = 1
            while (beside := out.with_name(f"{out.name}.{number}")).exists():
                number += 1
            out.rename(beside)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(declared, text.encode())


def _counts(path: Path) -> bool:
    """Whether a file makes a folder one of something else: not what a run that never began left."""
    return path.suffix != ".part" and path.name != NOT_MONITORED
