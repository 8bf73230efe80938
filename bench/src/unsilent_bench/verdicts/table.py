"""The benchmark's one table, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from unsilent_bench.verdicts.rows import METHODS, OWN_METHOD, VerdictRow


def table(rows: Sequence[VerdictRow]) -> Table:
    """All parts in one table: the worst cell of each method, and ours cell by cell where it counts.

    Every share comes with its Monte-Carlo standard error, in brackets and in thousandths.
    """
    shown = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        highlight=False,
        caption="In brackets: Monte-Carlo standard error, in thousandths. ✗: less than asked.",
    )
    shown.add_column("what", overflow="fold")
    for method in METHODS:
        shown.add_column(method, justify="right", style="bold" if method in OWN_METHOD else "")
    shown.add_column("asked", justify="right")
    _errors(shown, [row for row in rows if row.part == "errors"])
    _powers(shown, [row for row in rows if row.part == "power"])
    _delays(shown, [row for row in rows if row.part == "delay"])
    _silent(shown, [row for row in rows if row.part == "silent"])
    return shown


def summary(rows: Sequence[VerdictRow]) -> Text:
    """How many rows of ours are as good as asked, and which are not."""
    judged = [row for row in rows if row.met is not None]
    missed = [row for row in judged if not row.met]
    good = len(judged) - len(missed)
    text = Text(f"{good} of {len(judged)} rows of ours are as good as asked.\n")
    for row in missed:
        text.append(f"  {_cell(row)}: {_numbers(row)}\n", "dim")
    return text


def _errors(shown: Table, rows: Sequence[VerdictRow]) -> None:
    sizes = sorted({row.clients for row in rows})
    for name, asked in (("false_alarm", "≤ .05"), ("joint_coverage", "≥ .95")):
        field = "false_alarm_rate" if name == "false_alarm" else name
        words = "false alarms" if name == "false_alarm" else "intervals that all hold"
        for clients in sizes:
            cells = [f"{words}, worst world of {clients} clients"]
            for method in METHODS:
                found = [
                    (getattr(row, field), getattr(row, f"{name}_error"))
                    for row in rows
                    if row.clients == clients
                    and row.method == method
                    and row.scenario != "shared-baseline"
                    and getattr(row, field) is not None
                ]
                worst = min if name == "joint_coverage" else max
                cells.append(_number(*worst(found)) if found else "—")
            shown.add_row(*cells, asked)
    shown.add_section()


def _powers(shown: Table, rows: Sequence[VerdictRow]) -> None:
    for cell, group in _grouped(rows).items():
        reference = next((r.power_reference for r in group if r.power_reference is not None), None)
        asked = "" if reference is None else f"≥ {_plain(reference)}"
        cells = {row.method: _marked(_number(row.power, row.power_error), row) for row in group}
        shown.add_row(f"power, {cell}", *(cells.get(m, "—") for m in METHODS), asked)
    shown.add_section()


def _delays(shown: Table, rows: Sequence[VerdictRow]) -> None:
    for cell, group in _grouped(rows).items():
        reference = next((r.delay_reference for r in group if r.delay_reference is not None), None)
        asked = "" if reference is None else f"≤ {reference:g}"
        cells: dict[str, str | Text] = {}
        for row in group:
            found = "—" if row.delay is None else f"{row.delay:.1f}"
            if row.power is not None and row.power < 1:
                found += f" ({row.power:.0%})"
            cells[row.method] = _marked(found, row)
        shown.add_row(f"delay (share found), {cell}", *(cells.get(m, "—") for m in METHODS), asked)
    shown.add_section()


def _silent(shown: Table, rows: Sequence[VerdictRow]) -> None:
    for cell, group in _grouped(rows).items():
        cells = {
            row.method: _marked(_number(row.silent_rate, row.silent_error), row) for row in group
        }
        words = f"called silent though metrics fell 6 points, {cell}"
        shown.add_row(words, *(cells.get(m, "—") for m in METHODS), "≤ .01")


def _grouped(rows: Sequence[VerdictRow]) -> dict[str, list[VerdictRow]]:
    found: dict[str, list[VerdictRow]] = {}
    for row in rows:
        found.setdefault(_where(row), []).append(row)
    return found


def _where(row: VerdictRow) -> str:
    epsilon = "no noise" if row.epsilon is None else f"ε {row.epsilon:g}"
    words = f"{row.scenario}, {row.population}, {row.clients} clients, {epsilon}"
    if row.effect is not None:
        words += f", {row.mode} +{100 * row.effect:.2g} points"
    return words


def _cell(row: VerdictRow) -> str:
    return f"{row.method}, {_where(row)}, {row.rounds} rounds"


def _numbers(row: VerdictRow) -> str:
    """What was measured and asked, for a row that is not as good as asked."""
    pairs = (
        ("false alarms", row.false_alarm_rate, row.false_alarm_error, 0.05),
        ("joint coverage", row.joint_coverage, row.joint_coverage_error, 0.95),
        ("power", row.power, row.power_error, row.power_reference),
        ("delay", row.delay, row.delay_error, row.delay_reference),
        ("silent", row.silent_rate, row.silent_error, 0.01),
    )
    words = [
        f"{name} {value:.3g} ± {error or 0.0:.2g} (asked {goal:g})"
        for name, value, error, goal in pairs
        if value is not None and goal is not None
    ]
    return "; ".join([*words, row.note] if row.note else words)


def _marked(words: str, row: VerdictRow) -> str | Text:
    """A number of ours that falls short is marked, not only by its colour."""
    return Text(f"{words} ✗", "red") if row.met is False else words


def _number(value: float | None, error: float | None) -> str:
    if value is None or error is None:
        return "—"
    return f"{_plain(value)}({1000 * error:.0f})"


def _plain(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if value < 1 else f"{value:.2f}"
