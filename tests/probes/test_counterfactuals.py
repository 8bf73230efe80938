"""Own counterfactual pairs: they differ in the person only, and come in several wordings."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from unsilent_bench.scoring import consistency

from unsilent.errors import ItemError, PlanError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes.sf1_amplified_bias import disparities
from unsilent.plan import parse_plan
from unsilent.probes import load_probes
from unsilent.probes.counterfactuals import CONTRASTS, DOMAINS, counterfactual_pairs
from unsilent.probes.names import PROBE, TRAIN
from unsilent.probes.sources import check_role


def people(domain: str) -> list[tuple[str, str]]:
    found = CONTRASTS[domain].people
    return list(found) if found else [(a, b) for a in PROBE.a for b in PROBE.b]


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_pair_differs_in_the_person_only(domain: str) -> None:
    items = counterfactual_pairs(12, seed=4, domains=(domain,))
    assert len(items) == 12 * 4 * 2
    for a, b in zip(items.items[::2], items.items[1::2], strict=True):
        assert (a.group, b.group, a.stereotyped, b.stereotyped) == ("A", "B", 0, 1)
        assert (a.pair, a.choices, a.attributes) == (b.pair, b.choices, b.attributes)
        assert any(a.prompt.replace(x, y) == b.prompt != a.prompt for x, y in people(domain))
        assert all(choice.startswith(" ") for choice in a.choices)
        assert not a.prompt.endswith(" ") and "{" not in a.prompt


def test_every_question_is_another_and_words_are_used_evenly() -> None:
    items = counterfactual_pairs(320, seed=1, domains=("occupation",), wordings=1)
    assert len({(item.prompt, item.choices) for item in items}) == 640
    assert set(Counter(item.choices for item in items).values()) == {40}
    assert not {name for item in items for name in TRAIN.a + TRAIN.b if name in item.prompt.split()}


def test_domains_are_dealt_in_turn() -> None:
    items = counterfactual_pairs(10, seed=0, wordings=2)
    questions = Counter(item.domain for item in items)
    assert questions == {domain: 4 * n for domain, n in zip(DOMAINS, (3, 3, 2, 2), strict=True)}


def test_fit_for_the_bias_role_and_for_consistency() -> None:
    items = counterfactual_pairs(8, seed=0)
    check_role("bias", items, where="own")
    table = np.tile([0.7, 0.3], (len(items), 1))
    # Whoever is meant, the first word is likelier: no difference between the people.
    fair = Outcomes(items, "reference", table)
    assert disparities(fair) == pytest.approx(np.zeros(32))
    stereotyped = np.array([[0.7, 0.3] if item.group == "A" else [0.3, 0.7] for item in items])
    found = consistency(Outcomes(items, "global", stereotyped))
    assert (found.units, found.share, found.chance) == (8, 1.0, 1 / 8)


def test_same_seed_same_items() -> None:
    assert counterfactual_pairs(9, seed=1).digest == counterfactual_pairs(9, seed=1).digest
    assert counterfactual_pairs(9, seed=1).digest != counterfactual_pairs(9, seed=2).digest
    assert isinstance(counterfactual_pairs(1, seed=1), ItemSet)


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ItemError, match=r"'height'.*occupation"):
        counterfactual_pairs(4, seed=0, domains=("height",))
    with pytest.raises(ItemError, match=r"25 questions of domain 'age'.*there are 24"):
        counterfactual_pairs(25, seed=0, domains=("age",))
    with pytest.raises(ItemError, match="5 wordings"):
        counterfactual_pairs(4, seed=0, wordings=5)


def test_a_plan_asks_a_question_in_all_wordings_as_one_unit() -> None:
    declared = parse_plan(
        {
            "schema": "unsilent/plan/1",
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "probes": {"bias": "counterfactuals", "items": 12},
        }
    )
    items = load_probes(declared, roles=["bias"])["bias"]
    units: dict[str | None, list[Item]] = {}
    for item in items:
        units.setdefault(item.pair, []).append(item)
    assert len(units) == 12
    assert {len(unit) for unit in units.values()} == {8}
    for unit in units.values():
        assert len({item.choices for item in unit}) == 1
        assert len({item.prompt for item in unit}) == 8


@pytest.mark.parametrize(
    ("probes", "kind"),
    [({"harmful": "counterfactuals"}, "causal_lm"), ({"bias": "counterfactuals"}, "encoder")],
)
def test_a_plan_asks_them_of_a_language_model_for_bias_alone(
    probes: dict[str, str], kind: str
) -> None:
    raw = {
        "schema": "unsilent/plan/1",
        "model": {"kind": kind},
        "modes": {"amplified_bias": {"tolerance": 0.1}},
        "probes": probes,
    }
    with pytest.raises(PlanError):
        load_probes(parse_plan(raw), roles=["bias"])
