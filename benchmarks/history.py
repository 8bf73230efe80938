"""How the cost of a round grows with the rounds before it: judging, opening, and what is kept.

Each row is one length of history, in a plan of a hundred rounds more than the longest. ``ratio`` is
to the first row of its kind, ``exponent`` the slope of the logarithms. Seconds of the processor, so
that what else runs counts for little; the median of a few rounds.

    python benchmarks/history.py
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import Rows, arguments, measure, median, show
from large_ledger import enlarge

from unsilent.inference import judge_rounds, looks
from unsilent.ledger import Ledger
from unsilent.ledger.events import RoundJudged, RoundSummed
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, Release
from unsilent.release.noise import share_variance
from unsilent.server.monitor import Monitor

CLIENTS = 200
_ROUNDS_MEASURED = 3
_MODES = (
    "amplified_bias",
    "confidence_miscalibration",
    "adaptation_misalignment",
    "out_of_domain_degradation",
    "alignment_erosion",
)


def plan_of(rounds: int, control: str) -> MonitoringPlan:
    """Six modes, two subgroups, items like these; every round is monitored."""
    modes: dict[str, Any] = {name: {"tolerance": 0.1, "clip": 0.3} for name in _MODES}
    modes["fairness_collapse"] = {"tolerance": 0.05}
    modes["amplified_bias"]["subgroups"] = ["news", "tweets"]
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": rounds},
            "monitor": {"control": control},
            "privacy": {"epsilon": 8.0},
            "modes": modes,
        }
    )


def sums_of(plan: MonitoringPlan, count: int, effect: float, seed: int = 0) -> Iterator[Release]:
    """The sums of the first rounds, with the same effect in all modes."""
    layout, rng = Layout.from_plan(plan), np.random.default_rng(seed)
    variance = float(share_variance(plan)) * CLIENTS
    limits = layout.limits
    values = {
        name: 0.05 if name.endswith(".spread") else effect * min(1.0, limits[name] / 0.3)
        for name in layout.inputs
        if name.startswith("SF")
    }
    one = layout.encode({**dict.fromkeys(layout.inputs, 0.0), **values})
    for number in range(1, count + 1):
        noise = np.rint(rng.normal(0, variance**0.5, len(one))).astype(np.int64)
        yield Release(layout.digest, number, CLIENTS, CLIENTS * one + noise, variance)


def rounds_judged(
    folder: Path, control: str, effect: float, lengths: Sequence[int], longest: int
) -> Rows:
    """One more round after so many, in a process that judged them and in one that was restarted."""
    rows: Rows = []
    plan = plan_of(longest + 100, control)
    layout = Layout.from_plan(plan)
    more = 2 * _ROUNDS_MEASURED
    totals = list(sums_of(plan, longest + more + 1, effect))
    for length in lengths:
        path = folder / f"{control}-{effect}-{length}.sqlite"
        ledger = Ledger(path)
        Monitor(plan, ledger, accept_underpowered=True)
        found = [f.to_json() for f in judge_rounds(plan, layout, totals[:1])]
        for total in totals[:length]:
            ledger.record(RoundSummed.of(total))
            ledger.record(RoundJudged(total.round, total.clients, found))
        looks.forget()
        monitor = Monitor(plan, ledger, accept_underpowered=True)
        # What comes to a round after a history that nobody judged is not measured.
        monitor.judge(length + 1, totals[length])
        numbers = range(length + 2, length + more + 2)
        for kind, chosen in (
            ("one more round", list(numbers)[:_ROUNDS_MEASURED]),
            ("one more round, restarted", list(numbers)[_ROUNDS_MEASURED:]),
        ):
            spent, failing = list[float](), 0
            for number in chosen:
                if "restarted" in kind:
                    looks.forget()
                    monitor = Monitor(plan, Ledger(path), accept_underpowered=True)
                judged, took = measure(partial(monitor.judge, number, totals[number - 1]))
                spent.append(took.cpu)
                failing = sum(finding.verdict == "failure" for finding in judged)
            rows.append(_row(f"{kind}, {control}, {effect:g}", length, spent, failing=failing))
    return rows


def ledgers_opened(folder: Path, lengths: Sequence[int]) -> Rows:
    """Opening a ledger of so many rounds, checking all of it, and going on with its run."""
    rows: Rows = []
    plan = plan_of(max([*lengths, 1]) + 100, "open-ended")
    monitor = Monitor(plan, Ledger(folder / "seed.sqlite"), accept_underpowered=True)
    monitor.system(1, 0.5, 0.5)
    monitor.spend(1)
    monitor.judge(1, next(sums_of(plan, 1, 0.0)))
    for length in lengths:
        path = folder / f"rounds-{length}.sqlite"
        shutil.copy(folder / "seed.sqlite", path)
        enlarge(Ledger(path), 4 * length)
        ways: dict[str, Callable[[], object]] = {
            "ledger opened to write": lambda p=path: Ledger(p),
            "ledger opened to read": lambda p=path: Ledger(p, read_only=True),
            "ledger verified": lambda p=path: Ledger(p, read_only=True).verify(),
            "run gone on with": lambda p=path: Monitor(plan, Ledger(p), accept_underpowered=True),
        }
        for kind, way in ways.items():
            rows.append(_row(kind, length, [measure(way)[1].cpu for _ in range(3)]))
    return rows


def _row(kind: str, length: int, spent: Sequence[float], **more: Any) -> dict[str, Any]:
    return {"scaled": kind, "number": length, "s": median(spent), **more}


def with_growth(rows: Rows) -> Rows:
    """The rows with what each is to the first of its kind."""
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        base = first.setdefault(row["scaled"], row)
        if base is row:
            continue
        row["ratio"] = row["s"] / base["s"]
        row["exponent"] = math.log(row["ratio"]) / math.log(row["number"] / base["number"])
    return rows


def main() -> None:
    """Measure one kind of row after the other."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", nargs="*", type=int, default=[100, 500, 1000, 2000])
    parser.add_argument("--ledgers", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--controls", nargs="*", default=["open-ended", "horizon"])
    parser.add_argument("--effects", nargs="*", type=float, default=[0.0, 0.3])
    given = parser.parse_args()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        for control in given.controls:
            for effect in given.effects:
                longest = max(given.rounds, default=0)
                rows += rounds_judged(Path(name), control, effect, given.rounds, longest)
        rows += ledgers_opened(Path(name), given.ledgers)
    show("How a round grows with the rounds before it", with_growth(rows), as_json=given.json)


if __name__ == "__main__":
    main()
