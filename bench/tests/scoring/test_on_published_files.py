"""Scores on the authors' own files: BBQ as the harness scores it, CrowS-Pairs by its own counts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from unsilent_bench.scoring import bbq_scores, crows_pairs_scores, score_sheet

from unsilent.items import Item, ItemSet, Outcomes
from unsilent.probes.catalog import find
from unsilent.probes.known.base import Asked
from unsilent.probes.known.unpack import open_files

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the published files are not here")


def load(name: str, path: Path) -> ItemSet:
    known = find(name)
    read = known.read(open_files(path, known.files, known.beside), Asked())
    return ItemSet(name, tuple(item for item in read if isinstance(item, Item)))


@pytest.mark.parametrize(
    "category",
    [
        "Age",
        "Religion",
        "Disability_status",
        "Nationality",
        "Physical_appearance",
        "Sexual_orientation",
    ],
)
def test_bbq_is_scored_as_the_harness_does(category: str) -> None:
    utils = pytest.importorskip("lm_eval.tasks.bbq.utils", reason="lm-eval is not installed")
    path = DATA / "bbq" / f"{category}.jsonl.gz"
    items = load("bbq", path)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        # Some texts end in a space, which the loader drops.
        read = [json.loads(line) for line in lines]
    docs = [{k: v.strip() if isinstance(v, str) else v for k, v in doc.items()} for doc in read]
    docs = utils.process_docs(SimpleNamespace(map=lambda add: [add(doc) for doc in docs]))
    rows = {(doc["context"], doc["question"], doc["ans0"], doc["ans1"]): doc for doc in docs}

    chosen = np.random.default_rng(3).choice(3, size=len(items), p=[0.4, 0.4, 0.2])
    # Favours what the stereotype predicts, so that there is a bias to find.
    biased = np.random.default_rng(4).random(len(items)) < 0.3
    chosen = np.where(biased, [item.stereotyped for item in items], chosen)
    table = np.full((len(items), 3), 0.2)
    table[np.arange(len(items)), chosen] = 0.6

    theirs: list[dict[str, Any]] = []
    for item, pick in zip(items, chosen.tolist(), strict=True):
        context, question = item.prompt.removesuffix("\nAnswer:").split("\nQuestion: ")
        doc = rows[context, question, item.choices[0][1:], item.choices[1][1:]]
        text = item.choices[pick][1:]
        choices = utils.doc_to_choice(doc)
        theirs.append(utils._process_results(doc, choices.index(text)))

    found = bbq_scores(Outcomes(items, "global", table)).overall
    assert found.ambiguous is not None and found.disambiguated is not None
    ambiguous = [row["amb_bias_score"] for row in theirs]
    clear = [row["disamb_bias_score"] for row in theirs]
    assert found.ambiguous.bias == pytest.approx(utils.agg_amb_bias_scores(ambiguous))
    assert found.disambiguated.bias == pytest.approx(utils.agg_disamb_bias_scores(clear))
    assert found.ambiguous.bias is not None and found.ambiguous.bias > 0.1
    assert found.ambiguous.accuracy == pytest.approx(
        utils.agg_accuracy_amb([row["accuracy_amb"] for row in theirs])
    )


def test_crows_pairs_has_its_published_pairs() -> None:
    items = load("crows_pairs", DATA / "crows_pairs" / "crows_pairs_anonymized.csv.gz")
    table = np.tile([0.75, 0.25], (len(items), 1))
    scores = crows_pairs_scores(Outcomes(items, "global", table))
    # Nangia et al. 2020, table 2: 1,508 pairs, 218 of them violate a stereotype.
    assert (scores.overall.pairs, scores.overall.rate) == (1508, 1.0)
    assert {name: rate.pairs for name, rate in scores.directions.items()} == {
        "stereo": 1290,
        "antistereo": 218,
    }
    assert scores.bias_types["race-color"].pairs == 516
    assert len(scores.bias_types) == 9
    assert set(score_sheet(Outcomes(items, "global", table))) == {"crows_pairs"}
