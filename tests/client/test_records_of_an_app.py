"""An app's held-out records are the unit only where its training says how private it was."""

import json

import numpy as np
import pytest

from unsilent.client.functions import Functions
from unsilent.client.participant import answer
from unsilent.client.sentences import Sentence
from unsilent.client.site import Site
from unsilent.items import Item, write_items
from unsilent.messages import ADAPTER, OBSERVE, Order
from unsilent.plan import parse_plan
from unsilent.release.coordinate import LOSS, UNSHOWN
from unsilent.release.layout import Layout
from unsilent.release.release import Release

HISTORY = [(4.0, 1.0, 5)]
"""Epsilon 2.3 at delta 1e-5."""


def plan(folder, **privacy):
    probes = [Item(f"p{n}", f"{n}", (" no", " yes"), stereotyped=1) for n in range(64)]
    write_items(folder / "bias.jsonl", probes)
    return parse_plan(
        {
            "federation": {"clients": 4, "rounds": 1, "held_out": 8},
            "monitor": {"min_cohort": 2, "timeout": 20.0},
            "privacy": {"aggregation": "plain", "unit": "record", **privacy},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}},
            "probes": {"bias": str(folder / "bias.jsonl")},
        }
    )


class App:
    """Which items its score was asked, and how many at once."""

    def __init__(self):
        self.asked = []

    def score(self, items, arrays):
        self.asked.append([item.id for item in items])
        high = 1 / (1 + np.exp(0.0 if arrays is None else -float(arrays["w"].sum())))
        return [[1 - high, high] for _ in items]


def held_out(count=8):
    return [Item(f"own{n}", f"own {n}", (" no", " yes"), answer=1) for n in range(count)]


def trained():
    return [Item(f"train{n}", f"train {n}", (" no", " yes"), answer=1) for n in range(12)]


def asked(folder, declared, app, **more):
    site = Site(0, folder / "own", {"plan": declared.digest}, simulated=False)
    order = Order(json.dumps(declared.to_json()), "run", 1, {}, {ADAPTER: {"w": np.zeros(2)}})
    functions = Functions(
        app.score,
        **{"records": held_out, **more},
        personalize=lambda arrays: {"w": arrays["w"] + 0.2},
    )
    return answer(OBSERVE, order, site, functions)


TRAINED_AT_3 = {"training": {"epsilon": 3.0}}


def test_a_client_whose_training_keeps_its_word_releases(tmp_path):
    declared, app = plan(tmp_path, epsilon=20.0, **TRAINED_AT_3), App()
    found = asked(tmp_path, declared, app, training_record=lambda: HISTORY, trained_on=trained)
    assert found.failed == ""
    layout = Layout.from_plan(declared)
    vector = Release.from_bytes(found.sent).vector
    # Exact, since no record reaches it: the reference is undecided, the client's own is not.
    told = layout.decode(vector, 1)
    assert told["SF-1"] == pytest.approx(2 / (1 + np.exp(-0.4)) - 1, abs=0.001)
    assert told[UNSHOWN] == 0.0
    assert told[LOSS] != 0.0


def test_no_training_record_is_asked_and_each_evaluation_record_alone(tmp_path):
    declared, app = plan(tmp_path, **TRAINED_AT_3), App()
    asked(tmp_path, declared, app, training_record=lambda: HISTORY, trained_on=trained)
    seen = {name for names in app.asked for name in names}
    assert not [name for name in seen if name.startswith("train")]
    assert all(len(names) == 1 for names in app.asked if names[0].startswith("own"))


@pytest.mark.parametrize(
    ("privacy", "more"),
    [
        (TRAINED_AT_3, {}),
        ({}, {"training_record": lambda: HISTORY}),
        (TRAINED_AT_3, {"training_record": lambda: None}),
        (TRAINED_AT_3, {"training_record": lambda: [(0.5, 1.0, 5)]}),
        (
            TRAINED_AT_3,
            {"training_record": lambda: {"phases": [], "epsilon": 0.1, "delta": 1e-5}},
        ),
        (TRAINED_AT_3, {"training_record": lambda: HISTORY, "records": lambda: held_out(7)}),
        (
            TRAINED_AT_3,
            {
                "training_record": lambda: HISTORY,
                "trained_on": lambda: [Item("t", "OWN  3", (" no", " yes"), answer=1)],
            },
        ),
    ],
)
def test_else_nothing_is_measured_and_nothing_sent(tmp_path, privacy, more):
    declared, app = plan(tmp_path, **privacy), App()
    found = asked(tmp_path, declared, app, **more)
    assert found.failed in (Sentence.UNUSABLE.text, Sentence.NOT_MEASURABLE.text)
    assert not app.asked
    assert not list((tmp_path / "own").glob("release-*"))
