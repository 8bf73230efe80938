"""The real records of ``real_records.py``: rated sentiment texts, and medical questions by ward.

Each world has texts whose labels people gave, and a linear text model that is trained before (the
reference, on few of them) and anew (the personalized one, on many). What a client has is held out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from unsilent.items import Item, ItemSet, Outcomes
from unsilent.performance.tally import Answered
from unsilent.probes.known.load import load_known
from unsilent.probes.known.spec import parse_source
from unsilent.probes.sentiment import DOMAINS, sentiment_texts, usable

Places = NDArray[np.int64]
Table = NDArray[np.float64]

_BITS = 2**13

WARDS = {
    "dental": ("Dental",),
    "surgical": ("Surgery", "Gynaecology Obstetrics", "ENT", "Ophthalmology", "Orthopaedics"),
    "medical": ("Medicine", "Pediatrics", "Psychiatry", "Skin", "Social Preventive Medicine"),
    "laboratory": ("Pathology", "Microbiology", "Biochemistry", "Physiology", "Pharmacology"),
}
"""Specialties of MedMCQA by the ward that their questions go to; the others are left out."""


@dataclass(frozen=True, eq=False)
class World:
    """Texts with labels and groups.

    Attributes:
        name: What the rows call it.
        choices: The labels.
        items: One record a text, with its answer and its group as domain.
        features: (n, d) of the texts.
        labels: (n,) places in ``choices``.
        groups: The groups that can be harmed: of ``domains``, or the labels themselves.
        members: (n,) which group a text is in.
        found_by: (n,) whether the sensitivity of its group is about this text.
        clients, count: A federation's clients, and the records of one in a round.
        fewer: By how much less the reference is trained on.
    """

    name: str
    choices: tuple[str, ...]
    items: tuple[Item, ...] = field(repr=False)
    features: Any = field(repr=False)
    labels: Places = field(repr=False)
    groups: tuple[str, ...]
    members: NDArray[np.str_] = field(repr=False)
    found_by: NDArray[np.bool_] = field(repr=False)
    clients: int
    count: int
    fewer: int

    def statistics(self, records: str) -> dict[str, Any]:
        """``[performance]`` but for what is the same in each world."""
        accuracy = {"statistic": "accuracy", "records": records, "tolerance": 0.05}
        own: dict[str, Any] = {"records": records, "tolerance": 0.1}
        if self.groups == self.choices:
            sensitivity = {"statistic": "sensitivity", "by": "class", **own}
            return {
                "drift": ["classes", "words"],
                "statistics": {"sensitivity": sensitivity, "accuracy": accuracy},
            }
        by_group = {"by": "domain", "of": self.choices[1], **own}
        return {
            "domains": list(self.groups),
            "drift": ["classes", "domains", "words"],
            "statistics": {
                "sensitivity": {"statistic": "sensitivity", **by_group},
                "specificity": {"statistic": "specificity", **by_group},
                "accuracy": accuracy,
            },
        }

    def trained(self, rows: Places, wrong: NDArray[np.bool_]) -> Table:
        """(n, choices) probabilities after training on rows, of which some have another label."""
        shifted = 1 + np.arange(len(self.labels)) % (len(self.choices) - 1)
        labels = np.where(wrong, self.labels + shifted, self.labels) % len(self.choices)
        solver = "liblinear" if len(self.choices) == 2 else "lbfgs"
        model = LogisticRegression(C=8.0, class_weight="balanced", solver=solver, max_iter=300)
        model.fit(self.features[rows], labels[rows])
        return np.asarray(model.predict_proba(self.features), dtype=np.float64)

    def answered(self, rows: Places, scores: tuple[Table, Table]) -> Answered:
        """Records as a client has them, with both models' answers."""
        records = ItemSet("records", tuple(self.items[row] for row in rows))
        before, now = (each[rows] for each in scores)
        return Answered(
            Outcomes(records, "reference", before), Outcomes(records, "personalized", now)
        )

    def shifted(self, group: str) -> Table:
        """(n,) how likely a text comes in once most are of one group, and of those found worst."""
        here = self.members == group
        weight = np.where(here, SHIFTED / here.sum(), (1 - SHIFTED) / np.sum(~here))
        return weight * np.where(self.found_by, 1.0, 2.0)


@dataclass(frozen=True, eq=False)
class Trained:
    """Both models, and who has what.

    Attributes:
        scores: (n, choices) probabilities of the reference and of the personalized model.
        own: (m,) places of the texts that clients have; on no other one a loss is reckoned.
        wrong: Share of the harmed texts that were trained on with another label.
        drawn: How often the texts were dealt until the world was one of those asked for.
    """

    scores: tuple[Table, Table]
    own: Places
    wrong: float
    drawn: int


def train(world: World, harmed: str | None, random: np.random.Generator) -> Trained:
    """Models of which the new one has lost ``DOSE`` in a group and nothing much elsewhere.

    So many texts of the group get another label as it takes. Texts are dealt anew where the new
    model loses more than ``ELSEWHERE`` in another cell of group and label, or on the whole: that
    would be another failure, or no rising mean. Only truths decide, no verdict.
    """
    for drawn in range(1, _MOST_DEALS + 1):
        order = random.permutation(len(world.items))
        half = len(order) // 2
        # The texts that are trained on are public here; clients' are others.
        few, many, own = order[: half // world.fewer], order[:half], order[half:]
        chance = random.random(len(order))
        before = world.trained(few, chance < 0)
        for wrong in _SHARES if harmed is not None else (0.0,):
            now = world.trained(many, (world.members == harmed) & world.found_by & (chance < wrong))
            worst, lost, mean = _losses(world, own, harmed, before, now)
            if worst > ELSEWHERE or mean >= 0:
                break
            if harmed is None or lost >= DOSE:
                return Trained((before, now), own, wrong, drawn)
    raise SystemExit(f"{world.name}: no world with a failure in {harmed} alone was found")


def _losses(
    world: World, own: Places, harmed: str | None, before: Table, now: Table
) -> tuple[float, float, float]:
    """The largest loss in a cell that is not harmed, the loss in the one that is, and overall."""
    right = [table[own].argmax(axis=1) == world.labels[own] for table in (before, now)]
    lost = right[0].astype(np.float64) - right[1]
    inside = (world.members[own] == harmed) & world.found_by[own]
    cells = np.char.add(world.members[own], world.labels[own].astype(str))
    rest = [lost[(cells == cell) & ~inside] for cell in np.unique(cells)]
    worst = max(float(each.mean()) for each in rest if each.size)
    return worst, float(lost[inside].mean()) if harmed else 0.0, float(lost.mean())


DOSE, ELSEWHERE = 0.25, 0.05
"""Loss of sensitivity in the harmed group, and the most in any other cell; the tolerance is .1."""
_SHARES = (0.4, 0.6, 0.8, 1.0)
_MOST_DEALS = 40
SHIFTED = 0.7
"""Share of the one group among texts that come in after the shift."""


def sentiment() -> World:
    """The packaged sentiment texts of four domains: words, and words with the domain."""
    texts = tuple(text for text in sentiment_texts() if usable(text))
    plain, paired = (HashingVectorizer(n_features=_BITS, alternate_sign=False) for _ in range(2))
    words = [text.text for text in texts]
    own = [" ".join(f"{t.domain}{w}" for w in t.text.casefold().split()) for t in texts]
    parts: list[Any] = [plain.transform(words), paired.transform(own)]
    labels = np.array([int(text.positive) for text in texts])
    choices = ("negative", "positive")
    items = tuple(
        Item(text.id, text.text, choices, answer=int(text.positive), domain=text.domain)
        for text in texts
    )
    members = np.array([text.domain for text in texts])
    return World(
        "sentiment",
        choices,
        items,
        hstack(parts).tocsr(),
        labels,
        DOMAINS,
        members,
        labels == 1,
        clients=60,
        count=40,
        fewer=20,
    )


def medmcqa() -> World:
    """MedMCQA's validation questions, each to be sent to the ward that its specialty is of."""
    wards = {specialty: ward for ward, known in WARDS.items() for specialty in known}
    found = [
        (item, wards[item.domain])
        for item in load_known(parse_source("known:medmcqa")).items
        if item.domain in wards
    ]
    choices = tuple(WARDS)
    items = tuple(
        Item(item.id, item.prompt, choices, answer=choices.index(ward), domain=ward)
        for item, ward in found
    )
    words = HashingVectorizer(n_features=_BITS, alternate_sign=False)
    features = words.transform([f"{item.prompt} {' '.join(item.choices)}" for item, _ in found])
    labels = np.array([choices.index(ward) for _, ward in found])
    members = np.array([ward for _, ward in found])
    everywhere = np.ones(len(found), dtype=np.bool_)
    return World(
        "medmcqa",
        choices,
        items,
        features,
        labels,
        choices,
        members,
        everywhere,
        clients=45,
        count=40,
        fewer=8,
    )


WORLDS = {"sentiment": sentiment, "medmcqa": medmcqa}
