"""The report page: one HTML file that needs nothing else, made from a run folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unsilent import __version__
from unsilent.contract import contract
from unsilent.files import write_whole
from unsilent.findings import Finding
from unsilent.governance.status import status
from unsilent.inference.population import whose
from unsilent.markup import template
from unsilent.report import charts, figures, performance_table, standing, view
from unsilent.report.decision import caveats, decide
from unsilent.report.incidents import NOT_SERIOUS
from unsilent.report.source import REPORT_FILE, Run, read_run


def write_page(folder: Path) -> Path:
    """Write ``report.html`` into a run folder and return its path.

    Raises InputError or FindingsError naming the file of the folder that is missing or wrong.
    """
    path = folder / REPORT_FILE
    write_whole(path, page(read_run(folder)).encode())
    return path


def page(run: Run, now: datetime | None = None) -> str:
    """The page as HTML. Everything that is not markup of ours is escaped.

    Args:
        run: What it is made of.
        now: The time that deadlines are held against; None for the present.
    """
    found, record = run.findings, run.record
    now = datetime.now(UTC) if now is None else now
    limit = found.privacy.epsilon
    return template("unsilent.report", "page.html.j2").render(
        findings=found,
        first=decide(run.plan, found, record.known if record else None),
        plan=run.plan,
        record=record,
        timing=run.timing,
        rows=tuple(view.flat(run.plan.to_json())),
        contract=None if run.plan.absent or run.plan.earlier else contract(run.plan),
        strangers=view.strangers(found),
        population=whose(run.plan),
        tiles=[_tile(run, finding) for finding in found.findings],
        graph=charts.graph(found.findings),
        titles={each.code: view.entry(each).title for each in found.findings},
        budget=figures.budget(record.epsilons, limit) if record and limit is not None else None,
        simulated=any(finding.oracle is not None for finding in found.findings),
        reproduce=_reproduce(run),
        version=__version__,
        charts=charts,
        view=view,
        performed=performance_table.named,
        supported=performance_table.supported,
        drifted=performance_table.drifted,
        not_serious=NOT_SERIOUS,
        stands=status(run.plan, record.run, now) if record else None,
        standing=standing,
    )


def _tile(run: Run, finding: Finding) -> dict[str, Any]:
    """What the templates show of one mode."""
    spread = run.record.spreads.get(finding.code) if run.record else None
    return {
        "finding": finding,
        "entry": view.entry(finding),
        "shown": view.verdict(finding),
        "bar": charts.bar(finding),
        "figure": figures.over_rounds(run.findings, finding.code),
        "leads": view.leads(finding),
        "width": view.width(finding),
        "caveats": caveats(finding),
        "clients": view.clients(finding, run.plan, spread),
    }


def _reproduce(run: Run) -> str:
    """The command that gives the same findings again."""
    if run.findings.scenario is None:
        return "unsilent run PLAN"
    tier = " --tier fleet" if run.plan.model.kind == "encoder" else ""
    return f"unsilent demo --scenario {run.findings.scenario}{tier} --seed {run.plan.seed}"
