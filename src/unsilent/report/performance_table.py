"""Performance on clients' own records in a report, and what of the records has changed."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.findings import Drift, Findings, PerformanceFinding
from unsilent.report.view import VERDICTS, points, span

STYLES = {"failure": "bold red", "healthy": "green", "undetermined": "yellow"}


def performance_parts(findings: Findings) -> Iterator[RenderableType]:
    """A table, the reasons of those that are open, and the drift; nothing where none is planned."""
    if not findings.performance:
        return
    yield _table(findings)
    for each in findings.performance:
        if each.reason is not None:
            yield Text(f"{each.key}: {each.reason}")
    for each in findings.drift:
        yield Text(drifted(each))


def _table(findings: Findings) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("on clients' records", min_width=15, max_width=30)
    table.add_column("verdict", min_width=14, no_wrap=True)
    for name in ("value", "shortfall", "interval", "tolerance", "records"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in findings.performance:
        table.add_row(
            escape(named(each)),
            Text(
                f"{VERDICTS[each.verdict].symbol} {VERDICTS[each.verdict].word}",
                STYLES[each.verdict],
            ),
            points(each.value),
            points(each.effect, sign=True),
            escape(span(each.interval)),
            points(each.tolerance),
            supported(each),
        )
    return table


def markdown(findings: Findings) -> str:
    """The same as a Markdown section, with what of the records has changed; empty without any."""
    if not findings.performance:
        return ""
    rows = "\n".join(
        f"| {named(each)} | {VERDICTS[each.verdict].symbol} {VERDICTS[each.verdict].word} | "
        f"{points(each.effect, sign=True)} {span(each.interval)} | {points(each.tolerance)} | "
        f"{each.reason or ''} |"
        for each in findings.performance
    )
    changed = "".join(f"- {drifted(each)}\n" for each in findings.drift)
    return (
        "| on clients' records | verdict | shortfall and interval | tolerance | why it is open |\n"
        f"| --- | --- | --- | --- | --- |\n{rows}\n\n"
        f"{changed}{chr(10) if changed else ''}"
    )


def supported(found: PerformanceFinding) -> str:
    """On how many records it rests, noise included."""
    return "–" if found.support is None else str(max(round(found.support), 0))


def named(found: PerformanceFinding) -> str:
    """The statistic, of which class and in which group."""
    of = "" if found.of is None or found.of == found.group else f" of {found.of}"
    group = "" if found.group is None else f", {found.by} {found.group}"
    return f"{found.statistic}{of}{group}"


def drifted(drift: Drift) -> str:
    """How far records have changed since the first rounds, in words."""
    low, high = (100 * end for end in drift.interval)
    moved = "have changed" if drift.shifted else "no change is seen"
    return (
        f"Drift of {drift.what} among {drift.records} records: {100 * drift.distance:.1f} points "
        f"[{low:.1f}, {high:.1f}], {moved}"
    )
