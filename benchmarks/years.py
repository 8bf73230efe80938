"""Years: does one ledger keep its promises over 260 weekly rounds and five plans?

    python benchmarks/years.py --json
    python benchmarks/years.py --quick

``ledger``: one run of 260 weekly rounds, in which each year a quarter of the clients leaves for
good and as many join, a plan follows the one before it, and the server is begun anew once more. Its
ledger is one chain, its pack is verified by a process that has the file and the public key alone.

``verdicts``: seeds of the same five years, judged at each round by the judge's own intervals.
``at`` puts the truth on the tolerance, where every verdict is false; in ``moving`` the clients that
come and go move it around the tolerance. Whatever is false at any round of any year in any mode
counts, and so does an interval of any window that misses the mean of that window. Promised is
``versions.alpha`` for verdicts and for either side of all intervals, with its exact interval.
``anew`` are plans with a last round, each with its part of the error. ``goes on`` are plans
without one that ask the same question.

``drift``: a point a month from the middle of the first year on, beside the delay that
``plan check`` said before the first round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from common import Rows, arguments, measure, show
from numpy.typing import NDArray
from scipy.stats import beta

from unsilent.evidence import container
from unsilent.evidence.keys import public_hex
from unsilent.evidence.pack import write_pack
from unsilent.findings import write_findings
from unsilent.governance.membership import change_clients, membership
from unsilent.inference.bands import bands, decide
from unsilent.inference.delay import Course, delays, monthly
from unsilent.inference.series import Series, series_of
from unsilent.inference.sums import Sums
from unsilent.ledger import GENESIS, Entry, Ledger
from unsilent.ledger.run_view import RunView, Version
from unsilent.ledger.succession import judged_as
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.coordinate import RAISED
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release
from unsilent.server.monitor import Monitor
from unsilent.server.run_folder import succeed_in

YEARS, WEEKS, CLIENTS, SEEDS = 5, 52, 160, 400
MODES = ("amplified_bias", "out_of_domain_degradation")
CODES = ("SF-1", "SF-5")
TOLERANCE, CLIP, ALPHA, EPSILON = 0.06, 0.15, 0.05, 12.0
_Numbers = NDArray[np.float64]


def plans(years: int, weeks: int, control: str) -> list[MonitoringPlan]:
    """A plan for each year; with a last round version k has 1 / (k (k + 1)) of the error."""
    found: list[MonitoringPlan] = []
    for year in range(1, years + 1):
        before = {"follows": found[-1].digest, "last": (year - 1) * weeks} if found else {}
        part = ALPHA / (year * (year + 1)) if control == "horizon" else ALPHA
        data = {
            "name": f"year-{year}",
            "federation": {"clients": CLIENTS, "rounds": year * weeks},
            "monitor": {"alpha": part, "control": control, "items": "these"},
            "probes": {"sampling": "same"},
            # Weekly rounds: the first and the last of 53 are 364 days apart.
            "privacy": {"epsilon": 4.0, "year": {"epsilon": 4.0, "rounds": weeks + 1}},
            "modes": {name: {"tolerance": TOLERANCE, "clip": CLIP} for name in MODES},
            "versions": {"alpha": ALPHA, "epsilon": EPSILON, **before},
        }
        found.append(parse_plan(data))
    return found


def stages(all_plans: Sequence[MonitoringPlan], goes_on: bool) -> Iterator[MonitoringPlan]:
    """What each year's sums are judged by."""
    entry = Entry(1, "", "plan", {}, GENESIS, GENESIS)
    versions: list[Version] = []
    for number, plan in enumerate(all_plans, start=1):
        if versions:
            versions[-1] = replace(versions[-1], last=plan.first_round - 1)
        versions.append(Version(number, plan, entry, None, goes_on and number > 1))
        yield judged_as(versions)


@dataclass(frozen=True)
class World:
    """Personal effects of the clients of each year, (years, seeds, clients, modes)."""

    people: _Numbers

    @classmethod
    def drawn(cls, years: int, seeds: int, spread: float, rng: np.random.Generator) -> World:
        """Each year a quarter of the clients leaves for good, and as many join."""
        shape = (seeds, CLIENTS, len(CODES))
        people = [TOLERANCE + spread * rng.standard_normal(shape)]
        for year in range(1, years):
            left = people[-1].copy()
            gone = np.arange(CLIENTS) % 4 == year % 4
            left[:, gone] = TOLERANCE + spread * rng.standard_normal(shape)[:, gone]
            people.append(left)
        return cls(np.clip(np.stack(people), -CLIP, CLIP))

    def means(self, weeks: int) -> _Numbers:
        """(seeds, rounds, modes) true mean of each week's clients."""
        return np.repeat(self.people.mean(axis=2).swapaxes(0, 1), weeks, axis=1)


def noisy(plan: MonitoringPlan, code: str, true: _Numbers, rng: np.random.Generator) -> Series:
    """A series of the plan's rounds as sums give it, seeds before rounds: (seeds, m)."""
    layout, rounds = Layout.from_plan(plan), np.array(plan.monitoring_rounds)
    variance = float(share_variance(plan)) * CLIENTS
    vectors = np.zeros((len(rounds), len(layout.names)), dtype=np.int64)
    clients = np.full(len(rounds), CLIENTS)
    sums = Sums(rounds, clients, np.full(len(rounds), variance), vectors)
    series = series_of(plan, layout, sums, code)

    def drawn(name: str, shape: tuple[int, ...]) -> _Numbers:
        if name not in layout.names:
            return np.zeros(shape)
        place = layout.index(name)
        sd = variance**0.5 / CLIENTS / layout.unit(name) * layout.coordinates[place].clip
        return sd * rng.standard_normal(shape)

    return replace(
        series,
        effects=true + drawn(code, true.shape),
        cut=drawn(layout.report_of(code), true.shape),
        raised=drawn(RAISED, true.shape),
    )


@dataclass
class Outcome:
    """(seeds,) whether anything was false so far, and when a FAILURE first stood."""

    failed: NDArray[np.bool_]
    healthy: NDArray[np.bool_]
    below: NDArray[np.bool_]
    above: NDArray[np.bool_]
    alarm: _Numbers

    @classmethod
    def none(cls, seeds: int) -> Outcome:
        """Nothing yet."""
        first, second, third, fourth = (np.zeros(seeds, dtype=bool) for _ in range(4))
        return cls(first, second, third, fourth, np.full(seeds, np.inf))


def judge(
    judging: Sequence[MonitoringPlan],
    all_plans: Sequence[MonitoringPlan],
    true: _Numbers,
    rng: np.random.Generator,
) -> Outcome:
    """All rounds of all years at every round, in all modes: (seeds, rounds, modes) truths."""
    outcome = Outcome.none(len(true))
    for number, code in enumerate(CODES):
        kept: Series | None = None
        for plan, by in zip(all_plans, judging, strict=True):
            rounds = np.array(plan.monitoring_rounds)
            year = noisy(plan, code, true[:, rounds - 1, number], rng)
            one = by.monitoring_rounds[0] < plan.first_round
            kept = year if kept is None or not one else joined(kept, year)
            for last in rounds:
                seen = kept.until(int(last))
                _look(by, seen, true[..., number], outcome)
    return outcome


def joined(first: Series, then: Series) -> Series:
    """Two series of one mode as one."""
    names = ("rounds", "clients", "asked", "noise_variance", "effects", "spreads", "squares")
    return replace(
        then,
        **{
            name: np.concatenate([getattr(first, name), getattr(then, name)], axis=-1)
            for name in (*names, "cut", "raised")
        },
    )


def _look(by: MonitoringPlan, seen: Series, true: _Numbers, outcome: Outcome) -> None:
    found = bands(by, seen)
    sign, place = decide(found, TOLERANCE)
    # Client-rounds weigh the same, and as many clients are in each round.
    truths = np.stack([true[:, band.first - 1 : band.last].mean(axis=1) for band in found])
    at = np.take_along_axis(truths, place[None], axis=0)[0]
    outcome.failed |= (sign == 1) & (at <= TOLERANCE + 1e-12)
    outcome.healthy |= (sign == -1) & (truths[:2].max(axis=0) >= TOLERANCE - 1e-12)
    for band, truth in zip(found, truths, strict=True):
        outcome.below |= np.asarray(band.lower > truth)
        outcome.above |= np.asarray(band.upper < truth)
    last = float(seen.rounds[-1])
    outcome.alarm = np.where((sign == 1) & np.isinf(outcome.alarm), last, outcome.alarm)


def exact(hits: int, of: int) -> list[float]:
    """The 95% interval of a share by Clopper and Pearson."""
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return [round(low, 4), round(high, 4)]


def verdicts(years: int, weeks: int, seeds: int) -> Rows:
    """How often anything is false in five years, beside what was promised."""
    rows: Rows = []
    for control in ("horizon", "open-ended"):
        declared = plans(years, weeks, control)
        judging = list(stages(declared, goes_on=control == "open-ended"))
        for world, spread in (("at", 0.0), ("moving", 0.03)):
            rng = np.random.default_rng([2026, years, weeks, int(1000 * spread)])
            true = World.drawn(years, seeds, spread, rng).means(weeks)
            outcome = judge(judging, declared, true, rng)
            told = {
                "false_failure": outcome.failed,
                "false_healthy": outcome.healthy,
                "lower_end_missed": outcome.below,
                "upper_end_missed": outcome.above,
            }
            row: dict[str, Any] = {
                "part": "verdicts",
                "plans": "anew" if control == "horizon" else "goes on",
                "world": world,
                "seeds": seeds,
                "rounds": years * weeks,
                "promised": ALPHA,
            }
            for name, happened in told.items():
                hits = int(happened.sum())
                row[name] = hits / seeds
                row[f"{name}_interval"] = exact(hits, seeds)
            row["kept"] = all(row[f"{name}_interval"][0] <= ALPHA for name in told)
            rows.append(row)
    return rows


def drift(weeks: int, seeds: int) -> Rows:
    """A point a month: the delay that was said, and how many seeds were found within it."""
    rows: Rows = []
    for control in ("horizon", "open-ended"):
        declared = plans(2, weeks, control)
        judging = list(stages(declared, goes_on=control == "open-ended"))
        course = cast("Course", monthly(declared[0]))
        (said,) = delays(declared[0], courses=[course], repetitions=1000)[:1]
        first, rounds = said.onset, np.arange(1, 2 * weeks + 1)
        effects = np.minimum(course.effects(rounds, first, TOLERANCE), CLIP)
        true = np.zeros((seeds, len(rounds), len(CODES)))
        true[..., 0] = effects
        rng = np.random.default_rng([7, weeks])
        alarm = judge(judging, declared, true, rng).alarm - first + 1
        found = None if said.rounds is None else int((alarm <= said.rounds).sum())
        rows.append(
            {
                "part": "drift",
                "plans": "anew" if control == "horizon" else "goes on",
                "points_a_round": 100 * course.size,
                "said_rounds": said.rounds,
                "said_found_by_the_end": said.found,
                "seeds": seeds,
                "median_rounds": float(np.median(alarm)),
                "found_within": None if found is None else found / seeds,
                "found_within_interval": None if found is None else exact(found, seeds),
                "found_by_the_end": float((alarm <= weeks - first + 1).mean()),
            }
        )
    return rows


def ledger(years: int, weeks: int) -> Rows:
    """One run through all plans, with a restart in the middle of each year, packed and verified."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        folder.mkdir()
        _, spent = measure(lambda: _lived(folder, years, weeks))
        pack = Path(name) / "evidence.zip"
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        write_pack(folder, pack, key)
        chain = Ledger(folder / "ledger.sqlite", read_only=True)
        run = RunView(chain)
        members = set(container.from_bytes(pack.read_bytes()))
        told = json.loads(container.from_bytes(pack.read_bytes())["field_map.json"])["entries"]
        named = {each.partition(":")[0] for entry in told for each in entry["evidence"]}
        # A process of its own, with nothing but the file and the public key.
        command = [sys.executable, "-m", "unsilent", "verify", str(pack), "--key", public_hex(key)]
        done, checked = measure(
            lambda: subprocess.run(
                [*command, "--json"], cwd=name, env={**os.environ}, capture_output=True, check=False
            )
        )
        if not done.stdout:
            raise SystemExit(done.stderr.decode())
        seen = json.loads(done.stdout)
        return [
            {
                "part": "ledger",
                "rounds": years * weeks,
                "plans": len(run.versions),
                "entries": chain.verify(),
                "judged": len(run.totals),
                "clients_ever": known.ever if (known := membership(run)) else CLIENTS,
                "epsilon": run.running_epsilon(1e-5)[-1],
                "epsilon_of_all": EPSILON,
                "verified": seen["verified"] and done.returncode == 0,
                "rounds_judged_again": seen["rounds"],
                "map_members_missing": sorted(named - members),
                "seconds": spent.wall,
                "verify_seconds": checked.wall,
            }
        ]


def _lived(folder: Path, years: int, weeks: int) -> None:
    rng = np.random.default_rng(11)
    people = World.drawn(years, 1, 0.03, rng).people[:, 0] - TOLERANCE / 2
    for year, plan in enumerate(plans(years, weeks, "horizon")):
        layout = Layout.from_plan(plan)
        total = np.zeros(len(layout.names), dtype=np.int64)
        for values in people[year]:
            own = dict(zip(CODES, values.tolist(), strict=True))
            total += layout.encode({**dict.fromkeys(layout.inputs, 0.0), **own})
        variance = float(share_variance(plan)) * CLIENTS
        monitor = _opened(plan, folder)
        succeed_in(plan, folder, year)
        if year:
            moved, why = CLIENTS // 4, "a quarter moves each year"
            change_clients(monitor.ledger, plan, left=moved, joined=moved, reason=why, by="Dan")
        for week, number in enumerate(plan.monitoring_rounds):
            if week == weeks // 2:
                monitor = _opened(plan, folder)
            noise = np.rint(variance**0.5 * rng.standard_normal(len(total))).astype(np.int64)
            monitor.spend(number)
            monitor.judge(number, Release(layout.digest, number, CLIENTS, total + noise, variance))
        write_findings(folder / "findings.json", monitor.findings())


def _opened(plan: MonitoringPlan, folder: Path) -> Monitor:
    return Monitor(plan, Ledger(folder / "ledger.sqlite"), accept_underpowered=True)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--quick", action="store_true", help="five years of eight rounds")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--part", choices=("ledger", "verdicts", "drift"))
    given = parser.parse_args()
    weeks, seeds = (8, min(given.seeds, 200)) if given.quick else (WEEKS, given.seeds)
    parts = {
        "ledger": lambda: ledger(YEARS, weeks),
        "verdicts": lambda: verdicts(YEARS, weeks, seeds),
        "drift": lambda: drift(weeks, seeds),
    }
    rows: Rows = []
    for name, work in parts.items():
        if given.part in (None, name):
            rows += work()
    show("Years", rows, as_json=given.json, alpha=ALPHA, clients=CLIENTS)


if __name__ == "__main__":
    main()
