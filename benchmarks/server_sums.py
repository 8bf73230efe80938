"""The server's side: releases summed as they stream, judged, and a year of rounds read back.

Releases arrive as bytes, are checked, and are added to one running sum, so memory does not grow
with the clients. They are drawn for a federation of the demo's plan with that many clients.

    python benchmarks/server_sums.py --clients 100 1000 10000 100000
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import Rows, arguments, measure, median, resident_mb, show

from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plans import demo_plan
from unsilent.release import Layout, Release
from unsilent.server.monitor import Monitor

_DISTINCT = 997
"""Releases that are drawn; a stream repeats them, so that drawing them is not what is timed."""


def plan_of(clients: int, rounds: int) -> MonitoringPlan:
    """The fleet demo's plan for so many clients and monitoring rounds."""
    data = demo_plan("healthy", "fleet").to_json()
    data["federation"] |= {"clients": clients, "rounds": rounds}
    data["monitor"] |= {"rounds": "every", "min_cohort": min(clients, 100)}
    data["privacy"]["aggregation"] = "plain"
    return parse_plan(data, where="benchmark")


def drawn(layout: Layout, round_number: int, seed: int) -> list[bytes]:
    """Single clients' releases as they arrive."""
    random = np.random.default_rng([seed, round_number])
    limit = int(layout.clip * layout.scale)
    return [
        Release(
            layout.digest,
            round_number,
            1,
            random.integers(-limit // 4, limit // 4, len(layout.coordinates)),
            float(limit),
        ).to_bytes()
        for _ in range(_DISTINCT)
    ]


def stream(releases: list[bytes], clients: int) -> Iterator[Release]:
    """The releases of all clients, one after the other."""
    for number in range(clients):
        yield Release.from_bytes(releases[number % len(releases)])


def one_round(clients: int, folder: Path) -> dict[str, float]:
    """Sum and judge one round of that many clients."""
    plan = plan_of(clients, 10)
    monitor = Monitor(plan, Ledger(folder / f"{clients}.db"))
    releases = drawn(monitor.layout, 1, 0)
    monitor.spend(1)
    before = resident_mb()
    total, summed = measure(lambda: monitor.sum(1, stream(releases, clients)))
    _, judged = measure(lambda: monitor.judge(1, total))
    return {
        "clients": clients,
        "sum_s": summed.wall,
        "judge_s": judged.wall,
        "total_s": summed.wall + judged.wall,
        "us_each": 1e6 * summed.wall / clients,
        "grown_mb": resident_mb() - before,
        "resident_mb": resident_mb(),
    }


def year(rounds: int, folder: Path) -> dict[str, float]:
    """Write a ledger of that many judged rounds, and open it again.

    The first round finds boundaries; early and late are the median of a tenth of the rounds.
    """
    plan = plan_of(128, rounds)
    path = folder / "year.db"
    monitor = Monitor(plan, Ledger(path))
    written: list[float] = []
    for number in range(1, rounds + 1):
        releases = drawn(monitor.layout, number, 1)[:128]

        def one(number: int = number, releases: list[bytes] = releases) -> None:
            monitor.system(number, 0.5, 0.8)
            monitor.spend(number)
            monitor.judge(number, monitor.sum(number, stream(releases, 128)))

        written.append(measure(one)[1].wall)
    tenth = max(1, rounds // 10)
    entries, verified = measure(Ledger(path).verify)
    again, opened = measure(lambda: Monitor(plan, Ledger(path)))
    found, shown = measure(again.findings)
    if found.round != rounds:
        raise RuntimeError(f"read back round {found.round} of {rounds}")
    return {
        "rounds": rounds,
        "entries": entries,
        "first_write_s": written[0],
        "early_write_s": median(written[1 : tenth + 1] or written),
        "late_write_s": median(written[-tenth:]),
        "verify_s": verified.wall,
        "open_s": opened.wall,
        "findings_s": shown.wall,
        "mb": path.stat().st_size / 2**20,
    }


def main() -> None:
    """Time both."""
    parser = arguments(__doc__)
    parser.add_argument("--clients", nargs="+", type=int, default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=365, help="rounds of the ledger")
    given = parser.parse_args()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        for clients in given.clients:
            rows.append(one_round(clients, Path(name)))
        ledger = year(given.rounds, Path(name))
    show("A round of so many clients, summed and judged", rows, as_json=given.json, ledger=ledger)


if __name__ == "__main__":
    main()
