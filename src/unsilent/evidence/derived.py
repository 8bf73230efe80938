"""The documents of a pack that follow from plan, findings and ledger, and from nothing else.

A verifier makes them again and compares, so none of them can say what the record does not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from unsilent.evidence.field_map import field_map, field_map_words
from unsilent.findings import Finding, Findings
from unsilent.governance.duties import moment
from unsilent.governance.status import Status, status
from unsilent.ledger.events import RoundJudged, RoundMissed
from unsilent.ledger.run_view import RunView
from unsilent.modes import FIRST
from unsilent.plan import MonitoringPlan
from unsilent.report import view
from unsilent.report.incidents import NOT_SERIOUS, Incident, incidents
from unsilent.report.performance_table import markdown
from unsilent.report.standing import LOOKS, asks, by_when, facts, minute


def derived(
    plan: MonitoringPlan, findings: Findings, run: RunView, made: datetime
) -> dict[str, bytes]:
    """Name to content: privacy, cohort, incidents, decisions, the record, the map, the summary.

    Args:
        plan: What was declared.
        findings: What was found.
        run: What was recorded.
        made: When the pack was made: deadlines are held against it.
    """
    found = incidents(findings, run)
    stands = status(plan, run, as_of(run, made))
    privacy = plan.privacy
    return {
        "privacy.json": as_json(
            {
                "events": [cost.to_json() for cost in run.costs],
                "running_epsilon": [
                    round(spent, 6) if privacy.private else None
                    for spent in run.running_epsilon(privacy.delta, plan.privacy.rounds_per_client)
                ],
                "epsilon": plan.whole_epsilon if privacy.private else None,
                "delta": privacy.delta if privacy.private else None,
                "unit": privacy.unit,
                "adjacency": privacy.adjacency if privacy.private else None,
                "statement": findings.privacy.statement,
            }
        ),
        "cohort.json": as_json(_cohort(plan, run, stands)),
        "incidents.json": as_json([each.to_json() for each in found]),
        "decisions.json": as_json(run.actions()),
        "governance.json": as_json(stands.to_json()),
        "field_map.json": as_json(field_map(plan)),
        **({"versions.json": as_json(_versions(run))} if plan.versions is not None else {}),
        "summary.md": _summary(plan, findings, run, found, stands).encode(),
    }


def as_of(run: RunView, made: datetime) -> datetime:
    """The time that a pack's deadlines are held against: when it was made, as far as that can be.

    Not before its newest entry: a pack that is dated back must not make a deadline young again.
    """
    newest = run.last_entry
    return made if newest is None else max(made, moment(newest))


def as_json(data: object) -> bytes:
    """JSON as the pack holds it."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return f"{text}\n".encode()


def _cohort(plan: MonitoringPlan, run: RunView, stands: Status) -> dict[str, Any]:
    """Who was asked and how many came, round by round; no client is named anywhere."""
    return {
        "enrolled": plan.federation.clients,
        "asked_each_round": plan.taking_part,
        "min_cohort": plan.monitor.min_cohort,
        "planned_rounds": list(plan.monitoring_rounds),
        "rounds": [asdict(each) for each in run.attendance()],
        **({} if stands.clients is None else {"clients": stands.clients.to_json()}),
    }


def _versions(run: RunView) -> list[dict[str, Any]]:
    """The plans that followed one another, each whole, and what each has of what all share."""
    return [
        {
            "number": each.number,
            "entry": each.entry.index,
            "plan": each.plan.to_json(),
            "digest": each.plan.digest,
            "first_round": each.first,
            "last_round": each.last,
            "goes_on": each.goes_on,
        }
        for each in run.versions
    ]


def _summary(
    plan: MonitoringPlan,
    findings: Findings,
    run: RunView,
    found: Sequence[Incident],
    stands: Status,
) -> str:
    rows = "\n".join(
        view.markdown_row(_named(each), each, each.reason or "") for each in findings.findings
    )
    by_code = {each.code: each for each in findings.findings}
    told = "\n".join(
        f"- **{_named(by_code[each.code])}**\n"
        + "\n".join(
            f"  - {m.what}{f', {m.time}' if m.time else ''}"
            f"{f' (ledger entry {m.entry})' if m.entry else ''}: {m.words}"
            for m in each.moments
        )
        for each in found
    )
    missed = run.count(RoundMissed)
    return (
        f"# Evidence of monitoring: {findings.name}\n\n"
        f"Plan `{findings.plan}`. Last judged round {findings.round} of "
        f"{plan.federation.rounds}, {findings.clients} clients; "
        f"{run.count(RoundJudged)} monitoring rounds judged, {missed} missed.\n\n"
        f"{view.headline(findings)}\n\n"
        f"{_told_versions(plan, findings)}"
        "Effects in points (hundredths), positive is worse; all intervals of a run hold at once, "
        f"with an error of at most {plan.monitor.alpha:g} over all modes and monitoring rounds.\n\n"
        "| mode | verdict | effect and interval | tolerance | why, or what would settle it |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n{markdown(findings)}{view.meanings()}\n\n"
        f"What the run itself showed: {view.metrics_line(findings)}\n\n"
        f"## Privacy\n\n{findings.privacy.statement}\n\n"
        f"## Incidents\n\n{NOT_SERIOUS}\n\n"
        f"{told or 'No mode was a failure in any judged round.'}\n\n"
        f"{_record_words(stands)}"
        f"## Where each part belongs\n\n{field_map_words(plan)}"
    )


def _told_versions(plan: MonitoringPlan, findings: Findings) -> str:
    if plan.versions is None:
        return ""
    told = "".join(f"- {each}\n" for each in view.versions(findings))
    return (
        "This plan may be followed by others in one ledger; over all of them together the error is "
        f"at most {plan.versions.alpha:g}.\n\n{told}{chr(10) if told else ''}"
    )


def _record_words(stands: Status) -> str:
    """Roles, duties, reviews and complaints, with what is overdue first."""
    told = "\n".join(f"- {name}: {words}" for name, words in facts(stands))
    due = "\n".join(
        f"- **{LOOKS[stands.standing(duty)].symbol} {LOOKS[stands.standing(duty)].word}** "
        f"{duty.cause.words} (ledger entry {duty.cause.entry.index}): {asks(duty)}; {by_when(duty)}"
        for duty in stands.pressing
    )
    waiting = f"{due}\n\n" if due else ""
    return f"## What people had to do, as of {minute(stands.as_of)}\n\n{waiting}{told}\n\n"


def _named(finding: Finding) -> str:
    """Code and title, the same wherever it is made: a later mode may not be installed there."""
    return view.named(finding) if finding.code in FIRST else f"{finding.code} {finding.mode}"
