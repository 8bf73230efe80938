"""The replay's table, for people: the headline at the strong dose, and what misses."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from unsilent.plan.personalization import USUAL
from unsilent_bench.replay.power import ENOUGH
from unsilent_bench.replay.rows import ALL, ReplayRow
from unsilent_bench.replay.score import ALLOWED

_WRONG = 0.01


def table(rows: Sequence[ReplayRow], dose: str = "strong") -> Table:
    """Detection with its interval, false alarms, delay and area, a line for each row of a dose."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        highlight=False,
        caption=f"Dose {dose}. Intervals: 95%, by federations.",
    )
    for name in ("cell", "method", "ε"):
        shown.add_column(name, overflow="fold")
    for name in ("found", "false alarms", "wrong", "delay", "area", "open", "needs", "seeds"):
        shown.add_column(name, justify="right")
    before = None
    for row in sorted(
        (row for row in rows if row.dose == dose),
        key=lambda row: (row.tier, row.mode, row.scenario, row.personalization, row.clients),
    ):
        cell = f"{row.mode} {row.scenario}, {row.clients} {row.tier}"
        if row.personalization not in (USUAL, ALL):
            cell += f", {row.personalization}"
        if before not in (None, cell):
            shown.add_section()
        shown.add_row(
            "" if cell == before else cell,
            row.method,
            _budget(row),
            _share(row.detection, row.interval),
            _share(row.false_alarms),
            _share(row.wrong),
            "—" if row.delay is None else f"{row.delay:.1f}",
            "—" if row.auc is None else f"{row.auc:.2f}",
            _share(row.undetermined),
            "" if row.needed is None else str(row.needed),
            str(row.federations),
        )
        before = cell
    return shown


def summary(rows: Sequence[ReplayRow]) -> Text:
    """Which cells of ours are not as good as asked, and the false alarms of all look-alikes."""
    ours = [row for row in rows if row.method == "unsilent" and row.unit == "client"]
    asked = [
        row
        for row in ours
        if row.dose == "strong"
        and row.tier == "fleet"
        and row.main
        and row.personalization == USUAL
        and row.detection is not None
        and row.epsilon in (8.0, 2.0)
    ]
    missed = [row for row in asked if (row.detection or 0.0) < ENOUGH]
    text = Text()
    if asked:
        text.append(f"{len(asked) - len(missed)} of {len(asked)} strong cells found as asked.\n")
    for row in missed:
        text.append(f"  {row.mode} {row.scenario}, {row.clients} clients, ε {row.epsilon:g}: ")
        text.append(f"found {_share(row.detection, row.interval)}")
        text.append(f", truth beyond in {_share(row.beyond)}")
        text.append("\n" if row.needed is None else f", {row.needed} clients would do\n")
    for row in ours:
        if row.mode == ALL:
            which = "look-alikes" if row.dose == "none" else "runs"
            number, limit = (
                (row.false_alarms, ALLOWED) if row.dose == "none" else (row.wrong, _WRONG)
            )
            what = "false alarms" if row.dose == "none" else "wrong verdicts"
            mark = "" if number is None or number <= limit else " ✗"
            epsilon = "no noise" if row.epsilon is None else f"ε {row.epsilon:g}"
            text.append(
                f"{what} in {_share(number)} of {row.federations} {which}, {row.tier}, "
                f"{row.clients} clients, {epsilon}{mark}\n",
                "red" if mark else "",
            )
    return text


def _budget(row: ReplayRow) -> str:
    epsilon = "" if row.epsilon is None else f"{row.epsilon:g}"
    return epsilon if row.unit == "client" else f"{epsilon} {row.unit}".strip()


def _share(value: float | None, interval: tuple[float, float] | None = None) -> str:
    if value is None:
        return "—"
    text = f"{100 * value:.3g}%"
    return (
        text if interval is None else f"{text} [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"
    )
