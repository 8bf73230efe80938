"""Performance on real records: is a group that loses found, and other patients told from a loss?

    python benchmarks/real_records.py --json
    python benchmarks/real_records.py --worlds medmcqa --seeds 3

``sentiment``: the packaged texts of four domains, rated by people; the statistics are sensitivity
and specificity by domain. ``medmcqa``: MedMCQA's validation questions, which a linear model sends
to the ward of their specialty; the statistic is the sensitivity to each ward. A model is trained
before (the reference) and anew (the personalized one). ``group``: the new one is trained on more
texts, but so many of one group with another label that its sensitivity falls there by 25 points,
while the mean rises. ``mix``: nothing is wrong, and from the third round on most texts that come in
are of one group. Verdicts, drift and ledger are those of the monitor, at epsilon 8 with one record
as unit; the mode that the plan needs beside is told nothing. ``auroc`` and ``calibration``: records
are drawn anew, and scikit-learn asked of the same ones. Each federation is told on standard error
when it is done.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, show
from numpy.typing import NDArray
from real_worlds import WORLDS, Places, Table, World, train
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score

from unsilent.errors import AssetError
from unsilent.findings.performance import PerformanceFinding
from unsilent.inference.performance.pool import Pool, Reach, Sampled
from unsilent.inference.performance.statistic import effect_of
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.ledger import Ledger
from unsilent.performance import questions_of
from unsilent.performance.tally import Answered, tally
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.performance import PerformancePlan
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release
from unsilent.release.vector import privatize
from unsilent.server.monitor import Monitor

ROUNDS = 4
REDRAWS = 400
CHOICES = ("negative", "positive")


def plan_of(world: World, records: str) -> MonitoringPlan:
    """Sensitivity by group and accuracy over all, against the reference."""
    return parse_plan(
        {
            "name": "real-records",
            "federation": {
                "clients": world.clients,
                "rounds": ROUNDS,
                "held_out": world.count,
            },
            "privacy": {"unit": "record", "epsilon": 8.0},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "performance": {
                "count": world.count,
                "classes": list(world.choices),
                **world.statistics(records),
            },
        }
    )


def run(world: World, scenario: str, seed: int) -> dict[str, Any]:
    """One federation, from training to findings."""
    random = np.random.default_rng([seed, len(scenario)])
    harmed = world.groups[seed % len(world.groups)]
    made = train(world, harmed if scenario == "group" else None, random)
    scores, own = made.scores, made.own
    plan = plan_of(world, "held-out" if scenario == "group" else "live")
    before = own[random.permutation(len(own))]
    held = [before[at :: world.clients][: world.count] for at in range(world.clients)]
    totals: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        monitor = Monitor(plan, Ledger(Path(folder) / "ledger.sqlite"), accept_underpowered=True)
        for number in range(1, ROUNDS + 1):
            rows = held
            if scenario == "mix":
                shifted = number > 2
                rows = [came_in(world, own, harmed, shifted, random) for _ in held]
            total, exact = released(plan, world, rows, scores, number, seed)
            totals.append(exact)
            monitor.judge(number, total)
        found = monitor.findings()
        monitor.ledger.verify()
    truth = pooled(plan, totals)
    told = [f.with_oracle(truth[f"{f.key}:{f.window}"], world.clients) for f in found.performance]
    group = next(f for f in told if f.key == f"sensitivity/{harmed}")
    rest = [f for f in told if f is not group]
    failures = [f.key for f in rest if f.verdict == "failure"]
    failures += [f.code for f in found.findings if f.verdict == "failure"]
    allowed = asked(plan).statistics
    within = [f for f in rest if truth[f"{f.key}:{f.window}"] <= allowed[f.name].tolerance]
    mean = next(f for f in told if f.key == "accuracy")
    return {
        "scenario": scenario,
        "records": world.name,
        "seed": seed,
        "group": harmed,
        "wrong_labels": made.wrong,
        "dealt": made.drawn,
        "group_verdict": group.verdict,
        "group_effect": group.effect,
        "group_interval": group.interval,
        "group_truth": truth[f"{group.key}:{group.window}"],
        "support": group.support,
        "other_failures": failures,
        "others_within": len(within),
        "mean_loss": truth[f"accuracy:{mean.window}"],
        "mean_verdict": mean.verdict,
        "healthy": sum(f.verdict == "healthy" for f in told),
        "verdicts": len(told),
        "false": [f.key for f in told if f.oracle is not None and not f.oracle.agrees],
        "outside": [f.key for f in told if not _holds(f, truth[f"{f.key}:{f.window}"])],
        "drift": {each.what: [each.distance, each.shifted] for each in found.drift},
    }


def _holds(found: PerformanceFinding, truth: float) -> bool:
    return found.interval is None or found.interval[0] <= truth <= found.interval[1]


def came_in(
    world: World, own: Places, group: str, shifted: bool, random: np.random.Generator
) -> Places:
    """The texts that came in at a client: as many of each group, or most of one."""
    if shifted:
        weight = world.shifted(group)[own]
    else:
        sizes = {each: np.sum(world.members[own] == each) for each in world.groups}
        weight = np.array([1 / sizes[each] for each in world.members[own].tolist()])
    return random.choice(own, world.count, replace=False, p=weight / weight.sum())


def released(
    plan: MonitoringPlan,
    world: World,
    rows: list[Places],
    scores: tuple[Table, Table],
    number: int,
    seed: int,
) -> tuple[Release, dict[str, float]]:
    """The sum of all clients' releases, and the exact sum of their counts."""
    layout, variance = Layout.from_plan(plan), share_variance(plan)
    noise = SeededNoise([seed, number])
    (source,) = asked(plan).sources
    zeros = dict.fromkeys(layout.inputs, 0.0)
    total, exact = Release.zero(layout, number), dict[str, float]()
    for own in rows:
        counts = tally(plan.performance, {source: world.answered(own, scores)})
        exact = {name: exact.get(name, 0.0) + count for name, count in counts.items()}
        vector = privatize(layout, zeros | counts, variance, noise)
        total = total + Release(layout.digest, number, 1, vector, float(variance))
    return total, exact


def asked(plan: MonitoringPlan) -> PerformancePlan:
    """What is asked of records."""
    if plan.performance is None:
        raise SystemExit("the plan asks nothing of records")
    return plan.performance


def pooled(plan: MonitoringPlan, totals: list[dict[str, float]]) -> dict[str, float]:
    """The truth of each finding in each window: the exact counts of its rounds together."""
    found: dict[str, float] = {}
    for first in range(1, ROUNDS + 1):
        for last in range(first, ROUNDS + 1):
            inside = totals[first - 1 : last]
            counts = {name: sum(each[name] for each in inside) for name in totals[0]}
            rounds = last - first + 1
            pool = Pool(
                first,
                last,
                rounds,
                plan.taking_part * rounds,
                0,
                counts,
                0.0,
                0.0,
                asked(plan).count,
            )
            for each in questions_of(asked(plan)):
                effect = effect_of(asked(plan), each, pool, Reach(0.0, 0.0), "none").value
                found[f"{each.key}:{(first, last)}"] = effect
    return found


def redrawn(world: World, seed: int) -> Iterator[dict[str, Any]]:
    """AUROC and calibration of records that are drawn anew, beside scikit-learn's."""
    random = np.random.default_rng([seed, 99])
    order = random.permutation(len(world.items))
    table = world.trained(order[: len(order) // 8], np.zeros(len(order), dtype=np.bool_))
    scores, own = table[:, 1], order[len(order) // 2 :]
    binned = {"compared": "perfect", "tolerance": 0.2, "of": "positive"}
    plan = parse_plan(
        {
            "federation": {"clients": world.clients, "rounds": 1, "held_out": world.count},
            "privacy": {"unit": "record", "epsilon": 8.0},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "performance": {
                "count": world.count,
                "statistics": {
                    "auroc": {"statistic": "auroc", **binned},
                    "calibration": {"statistic": "calibration", **binned},
                },
            },
        }
    )
    performance = asked(plan)
    layout = Layout.from_plan(plan)
    name = next(n for n in layout.names if n.startswith("records:"))
    sd = math.sqrt(share_variance(plan) * world.clients) * layout.step(name)
    whole = by_scikit_learn(world.labels[own], scores[own])
    size = world.clients * world.count
    blank = tuple(
        tuple(Item(str(at), "-", CHOICES, answer=label) for label in (0, 1)) for at in range(size)
    )
    missed: dict[str, list[int]] = {key: [0, 0] for key in whole}
    for _ in range(REDRAWS):
        rows = random.choice(own, size)
        exact = by_scikit_learn(world.labels[rows], scores[rows])
        counts = counted(blank, world.labels[rows], scores[rows], performance)
        noisy = {key: count + random.normal() * sd for key, count in counts.items()}
        pool = Pool(1, 1, 1, world.clients, 0, noisy, sd, 0.0, world.count)
        for each in questions_of(performance):
            ways: tuple[tuple[Sampled, Mapping[str, float]], ...]
            ways = ("none", exact), ("again", whole)
            for at, (sampled, truth) in enumerate(ways):
                ends = effect_of(performance, each, pool, Reach(1.96, 1.96), sampled)
                error = 1 - truth["auroc"] if each.key == "auroc" else truth["calibration"]
                missed[each.key][at] += not ends.lower <= error <= ends.upper
    for key, (these, like) in missed.items():
        yield {
            "scenario": key,
            "records": world.name,
            "seed": seed,
            "redraws": REDRAWS,
            "truth": whole[key],
            "coverage_of_these": 1 - these / REDRAWS,
            "coverage_of_records_like_these": 1 - like / REDRAWS,
        }


def by_scikit_learn(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> Mapping[str, float]:
    """AUROC, and calibration error in ten bins."""
    shown, predicted = calibration_curve(labels, scores, n_bins=10)
    counts = np.histogram(scores, bins=np.linspace(0, 1, 11))[0]
    error = float((np.abs(shown - predicted) * counts[counts > 0]).sum() / len(scores))
    return {"auroc": float(roc_auc_score(labels, scores)), "calibration": error}


def counted(
    blank: tuple[tuple[Item, ...], ...],
    labels: Places,
    scores: NDArray[np.float64],
    performance: PerformancePlan,
) -> dict[str, float]:
    """The counts of records that are no texts: all that is read of them is label and score."""
    items = tuple(blank[at][label] for at, label in enumerate(labels.tolist()))
    records, table = ItemSet("records", items), np.stack([1 - scores, scores], axis=1)
    both = Answered(Outcomes(records, "reference", table), Outcomes(records, "personalized", table))
    every = performance.model_copy(update={"count": len(labels)})
    return tally(every, {"held-out": both})


def read(name: str) -> World | None:
    """A world, or None and one line that says why it is not here."""
    try:
        return WORLDS[name]()
    except AssetError as error:
        sys.stderr.write(f"{name} is left out: {error}\n")
        return None


def main() -> None:
    """Run both scenarios and the redraws, and show them."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many (20)")
    parser.add_argument(
        "--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS), help="which records"
    )
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    worlds = [world for world in map(read, given.worlds) if world is not None]
    for world in worlds:
        for scenario in ("group", "mix"):
            for seed in range(given.seeds):
                began = time.perf_counter()
                rows.append(run(world, scenario, seed))
                took = time.perf_counter() - began
                told = f"{world.name} {scenario} {seed}: {rows[-1]['group_verdict']}, {took:.1f} s"
                sys.stderr.write(told + "\n")
        if world.choices == CHOICES:
            rows += redrawn(world, 0)
    show("performance on real records", rows, as_json=given.json)


if __name__ == "__main__":
    main()
