"""The search's table, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from unsilent_bench.verdicts.adversary.rows import AttackRow
from unsilent_bench.verdicts.adversary.run import Attack

COLUMNS = {
    "false_failure": "false FAILURE",
    "false_healthy": "false HEALTHY",
    "false_either": "either",
    "by_effect_false_failure": "FAILURE, drop-outs by effect",
    "by_effect_false_healthy": "HEALTHY, drop-outs by effect",
    "by_effect_false_either": "either, drop-outs by effect",
    "false_silent": "false SILENT",
    "false_loud": "false LOUD",
}


def table(rows: Sequence[AttackRow]) -> Table:
    """The worst world of each plan and word: the share of runs that say it falsely."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        highlight=False,
        caption="In brackets: Monte-Carlo standard error, in thousandths. "
        "✗: more than asked and two errors.",
    )
    shown.add_column("plan", overflow="fold")
    for words in COLUMNS.values():
        shown.add_column(words, justify="right")
    for row in rows:
        cells = [_cell(row, name) for name in COLUMNS]
        shown.add_row(_where(row), *cells, style="bold" if row.own else "")
    return shown


def summary(attack: Attack) -> Text:
    """How many plans hold, what the worst worlds of the others are, and what was left out."""
    good = sum(row.met for row in attack.rows)
    worlds = sum(row.worlds for row in attack.rows)
    text = Text(
        f"{good} of {len(attack.rows)} plans hold false FAILURE and false HEALTHY, "
        f"against {worlds:,} worlds.\n"
    )
    for row in attack.rows:
        if row.broken_worlds:
            text.append(f"  {_where(row)}: {row.broken_worlds} worlds without an interval\n", "dim")
        for name in row.shortfalls:
            world = row.worst[name.replace("false_", "")]
            text.append(
                f"  {_where(row)}: {COLUMNS[name]} {getattr(row, name):.3f}, {world['target']}, "
                f"{world['control']}, {world['attendance']}, {world['trend']}, "
                f"{len(world['shares'])} types\n",
                "dim",
            )
    if attack.skipped:
        text.append(f"{len(attack.skipped)} variants are refused and were skipped.\n")
    return text


def _cell(row: AttackRow, name: str) -> str | Text:
    rate, error = getattr(row, name), getattr(row, f"{name}_error")
    if rate is None:
        return "—"
    words = f"{rate:.3f}({1000 * error:.0f})"
    return Text(f"{words} ✗", "red") if name in row.shortfalls else words


def _where(row: AttackRow) -> str:
    words = f"{row.plan}, {row.clients} clients, {row.population}, items {row.items}"
    words = words if row.participation == 1 else f"{words}, {row.participation:.0%} a round"
    return f"{words}, {row.changed}" if row.changed else words
