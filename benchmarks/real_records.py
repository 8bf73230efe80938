"""Performance on real records: is a group that loses found, and other patients told from a loss?

    python benchmarks/real_records.py --json
    python benchmarks/real_records.py --seeds 3

Records are the packaged sentiment texts of four domains, rated by people; a linear text model that
knows the domain is trained before (the reference) and anew (the personalized one). ``group``: the
new one is trained on more texts, but on positive texts of one domain with the wrong label: its
sensitivity falls there while the mean rises. ``mix``: nothing is wrong, and from the third round on
most texts that come in are of one domain, and negative. Verdicts, drift and ledger are those of the
monitor, at epsilon 8 with one record as unit; the mode that the plan needs beside is told nothing.
``auroc`` and ``calibration``: records are drawn anew, and scikit-learn asked of the same ones.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, show
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.calibration import calibration_curve
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from unsilent.findings.performance import PerformanceFinding
from unsilent.inference.performance.pool import Pool, Reach, Sampled
from unsilent.inference.performance.statistic import effect_of
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.ledger import Ledger
from unsilent.performance import questions_of
from unsilent.performance.tally import Answered, tally
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.performance import PerformancePlan
from unsilent.probes.sentiment import DOMAINS, Text, sentiment_texts, usable
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release
from unsilent.release.vector import privatize
from unsilent.server.monitor import Monitor

CLIENTS, RECORDS, ROUNDS = 60, 40, 4
SHIFTED = 0.7
"""Share of the one domain among texts that come in after the shift."""
WRONG = 0.6
"""Share of the positive texts of the domain that are trained on with the wrong label."""
REDRAWS = 400
_BITS = 2**13


def plan_of(records: str) -> MonitoringPlan:
    """Sensitivity and specificity by domain and accuracy over all, against the reference."""
    domain = {"by": "domain", "records": records, "tolerance": 0.1, "of": "positive"}
    return parse_plan(
        {
            "name": "real-records",
            "federation": {"clients": CLIENTS, "rounds": ROUNDS, "held_out": RECORDS},
            "privacy": {"unit": "record", "epsilon": 8.0},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "performance": {
                "count": RECORDS,
                "classes": ["positive", "negative"],
                "domains": list(DOMAINS),
                "drift": ["classes", "domains", "words"],
                "statistics": {
                    "sensitivity": {"statistic": "sensitivity", **domain},
                    "specificity": {"statistic": "specificity", **domain},
                    "accuracy": {"statistic": "accuracy", "records": records, "tolerance": 0.05},
                },
            },
        }
    )


@dataclass(frozen=True, eq=False)
class World:
    """All texts, with their labels, domains and features."""

    texts: tuple[Text, ...]
    features: Any
    labels: NDArray[np.int64]
    domains: NDArray[np.str_]

    @classmethod
    def read(cls) -> World:
        """The packaged texts, their words, and their words with the domain."""
        texts = tuple(text for text in sentiment_texts() if usable(text))
        plain = HashingVectorizer(n_features=_BITS, alternate_sign=False)
        paired = HashingVectorizer(n_features=_BITS, alternate_sign=False)
        words = [text.text for text in texts]
        own = [" ".join(f"{t.domain}{w}" for w in t.text.casefold().split()) for t in texts]
        parts: list[Any] = [plain.transform(words), paired.transform(own)]
        features = hstack(parts).tocsr()
        labels = np.array([int(text.positive) for text in texts])
        return cls(texts, features, labels, np.array([text.domain for text in texts]))

    def trained(self, rows: NDArray[np.int64], wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n_texts,) probability of positive after training on rows, of which some are wrong."""
        labels = np.where(wrong, 1 - self.labels, self.labels)[rows]
        model = LogisticRegression(C=8.0, class_weight="balanced", solver="liblinear")
        return np.asarray(model.fit(self.features[rows], labels).predict_proba(self.features)[:, 1])

    def answered(
        self, rows: NDArray[np.int64], scores: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> Answered:
        """Records as a client has them, with both models' answers."""
        items = tuple(
            Item(
                self.texts[row].id,
                self.texts[row].text,
                ("negative", "positive"),
                answer=int(self.labels[row]),
                domain=str(self.domains[row]),
            )
            for row in rows
        )
        records = ItemSet("records", items)
        before, now = (np.stack([1 - each[rows], each[rows]], axis=1) for each in scores)
        return Answered(
            Outcomes(records, "reference", before), Outcomes(records, "personalized", now)
        )


def run(world: World, scenario: str, seed: int) -> dict[str, Any]:
    """One federation, from training to findings."""
    random = np.random.default_rng([seed, len(scenario)])
    order = random.permutation(len(world.texts))
    # The texts that are trained on are public here; clients' are others.
    half = len(order) // 2
    few, many, own = order[: half // 20], order[:half], order[half:]
    harmed = DOMAINS[seed % len(DOMAINS)]
    wrong = np.zeros(len(order), dtype=np.bool_)
    if scenario == "group":
        positives = (world.domains == harmed) & (world.labels == 1)
        wrong = positives & (random.random(len(order)) < WRONG)
    scores = world.trained(few, np.zeros_like(wrong)), world.trained(many, wrong)
    plan = plan_of("held-out" if scenario == "group" else "live")
    before = own[random.permutation(len(own))]
    held = [before[at::CLIENTS][:RECORDS] for at in range(CLIENTS)]
    totals: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        monitor = Monitor(plan, Ledger(Path(folder) / "ledger.sqlite"), accept_underpowered=True)
        for number in range(1, ROUNDS + 1):
            rows = held
            if scenario == "mix":
                rows = [came_in(world, own, harmed, number > 2, random) for _ in range(CLIENTS)]
            total, exact = released(plan, world, rows, scores, number, seed)
            totals.append(exact)
            monitor.judge(number, total)
        found = monitor.findings()
        monitor.ledger.verify()
    truth = pooled(plan, totals)
    told = [f.with_oracle(truth[f"{f.key}:{f.window}"], CLIENTS) for f in found.performance]
    group = next(f for f in told if f.key == f"sensitivity/{harmed}")
    rest = [f for f in told if f is not group]
    failures = [f.key for f in rest if f.verdict == "failure"]
    failures += [f.code for f in found.findings if f.verdict == "failure"]
    allowed = asked(plan).statistics
    within = [f for f in rest if truth[f"{f.key}:{f.window}"] <= allowed[f.name].tolerance]
    mean = next(f for f in told if f.key == "accuracy")
    return {
        "scenario": scenario,
        "seed": seed,
        "group": harmed,
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
    world: World,
    own: NDArray[np.int64],
    domain: str,
    shifted: bool,
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """The texts that came in at a client: as many of each domain, or most of one and negative."""
    sizes = {domain: np.sum(world.domains[own] == domain) for domain in DOMAINS}
    weight = np.array([1 / sizes[each] for each in world.domains[own].tolist()])
    if shifted:
        here = world.domains[own] == domain
        weight = np.where(here, SHIFTED / here.sum(), (1 - SHIFTED) / np.sum(~here))
        weight *= np.where(world.labels[own] == 0, 2.0, 1.0)
    return random.choice(own, RECORDS, replace=False, p=weight / weight.sum())


def released(
    plan: MonitoringPlan,
    world: World,
    rows: list[NDArray[np.int64]],
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
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
            pool = Pool(first, last, rounds, CLIENTS * rounds, 0, counts, 0.0, 0.0, RECORDS)
            for each in questions_of(asked(plan)):
                effect = effect_of(asked(plan), each, pool, Reach(0.0, 0.0), "none").value
                found[f"{each.key}:{(first, last)}"] = effect
    return found


def redrawn(world: World, seed: int) -> Iterator[dict[str, Any]]:
    """AUROC and calibration of records that are drawn anew, beside scikit-learn's."""
    random = np.random.default_rng([seed, 99])
    order = random.permutation(len(world.texts))
    scores = world.trained(order[: len(order) // 8], np.zeros(len(order), dtype=np.bool_))
    own = order[len(order) // 2 :]
    binned = {"compared": "perfect", "tolerance": 0.2, "of": "positive"}
    plan = parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": 1, "held_out": RECORDS},
            "privacy": {"unit": "record", "epsilon": 8.0},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "performance": {
                "count": RECORDS,
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
    sd = math.sqrt(share_variance(plan) * CLIENTS) * layout.step(name)
    whole = by_scikit_learn(world.labels[own], scores[own])
    size = CLIENTS * RECORDS
    missed: dict[str, list[int]] = {key: [0, 0] for key in whole}
    for _ in range(REDRAWS):
        rows = random.choice(own, size)
        exact = by_scikit_learn(world.labels[rows], scores[rows])
        counts = counted(world.labels[rows], scores[rows], performance)
        noisy = {key: count + random.normal() * sd for key, count in counts.items()}
        pool = Pool(1, 1, 1, CLIENTS, 0, noisy, sd, 0.0, RECORDS)
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
    labels: NDArray[np.int64], scores: NDArray[np.float64], performance: Any
) -> dict[str, float]:
    """The counts of records that are no texts: all that is read of them is label and score."""
    items = tuple(
        Item(str(at), "-", ("negative", "positive"), answer=int(label))
        for at, label in enumerate(labels)
    )
    records, table = ItemSet("records", items), np.stack([1 - scores, scores], axis=1)
    both = Answered(Outcomes(records, "reference", table), Outcomes(records, "personalized", table))
    every = performance.model_copy(update={"count": len(labels)})
    return tally(every, {"held-out": both})


def main() -> None:
    """Run both scenarios and the redraws, and show them."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many (20)")
    given = parser.parse_args()
    world = World.read()
    rows = [run(world, s, seed) for s in ("group", "mix") for seed in range(given.seeds)]
    redraws = list(redrawn(world, 0))
    show("performance on real records", [*rows, *redraws], as_json=given.json)


if __name__ == "__main__":
    main()
