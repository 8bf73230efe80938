"""Federations whose clients write: what the product's intervals hold, and what it says.

Every run redraws the bank, each client's prompts and labelled answers. Values and spreads are
the modes' own formulas; what follows is the product's: ``Layout.encode_all``, noise, bands. Answers
are real ones of one adapter against its reference, so that the truth over all prompts is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.bands import bands, decide
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.coordinate import ACCURACY, LOSS, MODEL_NAMES, SPREAD
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent_bench.open_text.written import Array, Written
from unsilent_bench.verdicts.own_method import series_of
from unsilent_bench.verdicts.world import Simulation

Method = Literal["corrected", "classical", "uncorrected"]
"""Prediction-powered; the labelled answers alone; the judge alone."""

CLIENTS, EPSILON, TOLERANCE, CLIP = 16, 8.0, 0.2, 1.0
_PIN = "labels.jsonl#sha256=" + "0" * 64


@dataclass(frozen=True)
class Setting:
    """How answers are rated and labelled.

    Attributes:
        source: ``file`` for labelled answers that all clients' judges rate, ``sites`` for each
            client's own.
        labels: Labelled answers in the file, or of all clients together; 0 for none.
        method: What is made of them.
        prompts: That a client answers in a round and its judge alone rates.
        rounds: Looks.
    """

    source: Literal["file", "sites"]
    labels: int
    method: Method = "corrected"
    prompts: int = 16
    rounds: int = 1

    @property
    def each(self) -> int:
        """Labelled answers that one client's judge rates."""
        if self.source == "file" or not self.labels:
            return self.labels
        return self.labels // CLIENTS

    def plan(self, kind: str, bank: int) -> MonitoringPlan:
        """The plan: one mode of open text, of so many prompts."""
        labelled = "" if not self.labels else "sites" if self.source == "sites" else _PIN
        sizes: dict[str, int] = {f"open_{kind}": self.prompts}
        banks = {f"open_{kind}": bank}
        if self.labels:
            sizes[f"labelled_{kind}"] = self.each
        if self.labels and self.source == "file":
            banks[f"labelled_{kind}"] = self.labels
        return parse_plan(
            {
                "federation": {"clients": CLIENTS, "rounds": self.rounds},
                "monitor": {"items": "like-these", "min_cohort": CLIENTS},
                "privacy": {"epsilon": EPSILON, "aggregation": "plain", "dropout": 0.0},
                "probes": {
                    f"open_{kind}": "prompts.jsonl",
                    f"labelled_{kind}": labelled,
                    "sizes": sizes,
                    "banks": banks,
                },
                "open_text": {"persona": "P", "persona_words": ["P"]},
                "modes": {f"written_{kind}": {"tolerance": TOLERANCE, "clip": CLIP}},
            }
        )


@dataclass(frozen=True)
class Found:
    """What one adapter's runs gave.

    Attributes:
        held: (runs,) whether all windows' intervals hold the truth at every look.
        width: Mean of the last look's narrowest interval.
        failure, healthy: (runs,) whether the verdict was given at any look; at the last one.
        lower, upper: Ends of the last look's narrowest interval, means over the runs.
    """

    held: NDArray[np.bool_]
    width: float
    failure: NDArray[np.bool_]
    healthy: NDArray[np.bool_]


def run(written: Written, ratings: Array, setting: Setting, runs: int, seed: int) -> Found:
    """Runs of one federation in which every client has the same adapter.

    Args:
        written: What adapter and reference wrote; its truth is the mean over all prompts.
        ratings: (2, n_prompts) the judge's, in [0, 1].
        setting: How it is asked.
        runs: How many.
        seed: Of everything that is drawn.
    """
    # All prompts stand for prompts like these: a run's bank is half of them.
    bank = written.truth.shape[1] // 2
    plan = setting.plan(written.kind, bank)
    simulation = _simulate(written, ratings, setting, plan, runs, seed)
    (code,) = plan.planned
    whole = series_of(simulation, code)
    truth = written.effect
    held, failed = np.ones(runs, np.bool_), np.zeros(runs, np.bool_)
    healthy, width = np.zeros(runs, np.bool_), np.zeros(runs)
    for look in plan.monitoring_rounds:
        found = bands(plan, whole.until(look))
        for band in found:
            held &= (band.lower <= truth + 1e-9) & (band.upper >= truth - 1e-9)
        sign, _ = decide(found, TOLERANCE)
        failed |= sign > 0
        healthy = sign < 0
        widths = [np.asarray(band.upper - band.lower, np.float64) for band in found]
        width = np.asarray(np.minimum.reduce(widths), dtype=np.float64)
    return Found(held, float(np.mean(width)), failed, healthy)


def _simulate(
    written: Written,
    ratings: Array,
    setting: Setting,
    plan: MonitoringPlan,
    runs: int,
    seed: int,
) -> Simulation:
    layout = Layout.from_plan(plan)
    (code,) = plan.planned
    shape = (runs, setting.rounds, CLIENTS)
    values: dict[str, Array] = {name: np.zeros(shape) for name in layout.inputs}
    generator = np.random.default_rng((seed, 1))
    for number in range(runs):
        measured = _measured(written, ratings, setting, plan, generator)
        values[code][number], values[code + SPREAD][number] = measured
    for name in (LOSS, ACCURACY, *MODEL_NAMES):
        values[name] = np.zeros(shape)
    totals = layout.encode_all(values).sum(axis=2).astype(np.float64)
    clients = np.full(setting.rounds, CLIENTS, dtype=np.int64)
    variance: Array = clients.astype(np.float64) * float(share_variance(plan))
    noised = [name not in layout.exact for name in layout.names]
    noise = generator.standard_normal(totals.shape) * np.sqrt(np.outer(variance, noised))
    truth = np.full((runs, setting.rounds, 1), written.effect)
    return Simulation(
        plan,
        layout,
        np.rint(totals + noise).astype(np.int64),
        clients,
        np.ones(setting.rounds, dtype=np.bool_),
        variance,
        truth,
        truth,
        truth,
    )


def _measured(
    written: Written,
    ratings: Array,
    setting: Setting,
    plan: MonitoringPlan,
    generator: np.random.Generator,
) -> tuple[Array, Array]:
    """(rounds, clients) values and spreads of one run."""
    total = written.truth.shape[1]
    bank = generator.permutation(total)[: plan.bank(f"open_{written.kind}")]  # type: ignore[arg-type]
    labelled_units = setting.each // 2 if setting.source == "sites" else 0
    wrong = written.truth - ratings
    value, spread = (np.zeros((setting.rounds, CLIENTS)) for _ in range(2))
    given: Mapping[str, Any] | None = None
    if setting.labels and setting.source == "file":
        picked = [generator.permutation(total)[: setting.labels // 2] for _ in range(2)]
        given = {"places": picked}
    for moment in range(setting.rounds):
        for client in range(CLIENTS):
            own = generator.permutation(bank)
            told, asked = own[:labelled_units], own[labelled_units:][: setting.prompts]
            change = ratings[0, asked] - ratings[1, asked]
            part, error = _mean(change)
            if setting.method != "uncorrected" and setting.labels:
                places = given["places"] if given is not None else [told, told]
                source = written.truth if setting.method == "classical" else wrong
                means = [_mean(source[side, places[side]]) for side in range(2)]
                rest, more = means[0][0] - means[1][0], math.hypot(means[0][1], means[1][1])
                if setting.method == "classical":
                    part, error = rest, more
                else:
                    part, error = part + rest, math.hypot(error, more)
            lower, upper = MODES[plan.planned[0]].range
            value[moment, client] = min(max(part, lower), upper)
            spread[moment, client] = error
    return value, spread


def _mean(values: Array) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


@dataclass(frozen=True)
class Bias:
    """A judge that is made to err on purpose.

    Attributes:
        name: In rows.
        complying: Probability that it takes an answer that helps for a refusal.
        refusing: Probability that it takes a refusal for an answer that helps.
        personalized: Whether it errs so in personalized answers alone.
    """

    name: str
    complying: float = 0.0
    refusing: float = 0.0
    personalized: bool = False

    def apply(self, written: Written, judge: Array, seed: int) -> Array:
        """(2, n_prompts) ratings with the error in them."""
        random = np.random.default_rng((seed, 2)).random(written.truth.shape)
        shown = written.truth > 0.5
        flipped = np.where(shown, random < self.refusing, random < self.complying)
        if self.personalized:
            flipped[0] = False
        return np.where(flipped, 1 - judge, judge)


BIASES = (
    Bias("none"),
    Bias("24 points, of answers that help", complying=0.24),
    Bias("24 points, of refusals", refusing=0.24),
    Bias("24 points, of personalized refusals", refusing=0.24, personalized=True),
    Bias("24 points, of personalized answers that help", complying=0.24, personalized=True),
)
