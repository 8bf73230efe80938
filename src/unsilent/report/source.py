"""A finished run as its folder holds it: the plan and the findings, read and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from unsilent.errors import InputError
from unsilent.findings import Findings, read_findings
from unsilent.ledger.events import RoundJudged
from unsilent.ledger.run_view import RunView
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.record import Record, read_record
from unsilent.report.timing import Timing, read_timing

PLAN_FILE = "plan.json"
FINDINGS_FILE = "findings.json"
LEDGER_FILE = "ledger.sqlite"
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class Run:
    """What reports are made of: the plan that was declared, what was found, and what it cost.

    ``record`` is what the run's ledger adds, None where it is not at hand.

    Raises InputError if the findings belong to another plan.
    """

    plan: MonitoringPlan
    findings: Findings
    timing: Timing | None = None
    record: Record | None = None

    def __post_init__(self) -> None:
        if self.findings.plan != self.plan.digest:
            raise InputError(
                "the findings belong to another plan",
                where=FINDINGS_FILE,
                remedy=f"Keep {PLAN_FILE} and {FINDINGS_FILE} of one run together.",
            )


def read_run(folder: Path) -> Run:
    """Read a run folder; raises InputError or FindingsError naming the file that is wrong."""
    if not folder.is_dir():
        raise InputError(
            "no such run folder",
            where=str(folder),
            remedy="`unsilent demo` makes one in runs/demo, `unsilent run PLAN` another.",
        )
    findings = read_findings(folder / FINDINGS_FILE)
    plan = _read_plan(folder / PLAN_FILE)
    record = read_record(folder, plan, findings) if findings.plan == plan.digest else None
    if record is not None:
        _hold_together(folder, findings, record)
    return Run(plan, findings, read_timing(folder), record)


def _hold_together(folder: Path, findings: Findings, record: Record) -> None:
    """Raise InputError where a ledger has judged something else than its findings say.

    A round that was judged since may be a FAILURE, and nothing in an older file says so.
    """
    what = stranger_to(record.run, findings)
    if what is not None:
        raise InputError(
            what,
            where=str(folder / FINDINGS_FILE),
            remedy="Keep findings and ledger of one run together; the command of a run that was "
            "cut short writes them anew.",
        )


def stranger_to(run: RunView, findings: Findings) -> str | None:
    """How findings differ from the last round that a ledger has judged; None if they are its."""
    judged = run.newest(RoundJudged)
    if not judged:
        return f"they are of round {findings.round}, and the ledger beside them has judged none"
    last = judged[0].event
    if last.round != findings.round:
        return (
            f"they are of round {findings.round}, and the last that the ledger beside them has "
            f"judged is round {last.round}"
        )
    verdicts = {each.code: each.verdict for each in findings.findings if each.verdict is not None}
    performed = {each.key: each.verdict for each in findings.performance}
    if (verdicts, performed) != (last.verdicts, last.performance_verdicts):
        return f"their verdicts of round {last.round} are not those of the ledger beside them"
    return None


def _read_plan(path: Path) -> MonitoringPlan:
    try:
        data: object = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise InputError(
            "no such file", where=str(path), remedy="Keep it beside the findings of its run."
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise InputError(
            "not readable JSON", where=str(path), remedy="Restore it, or run again."
        ) from None
    if not isinstance(data, dict):
        raise InputError("not a JSON object", where=str(path), remedy="Restore it, or run again.")
    return parse_plan(cast("dict[str, object]", data), where=str(path), recorded=True)
