"""The reference is asked a whole bank once; slices and shipped answers are what it would say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reference.small_encoder import small_encoder
from unsilent.errors import InputError
from unsilent.items import Item, ItemSet, write_items
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes import load_probes
from unsilent.probes.answers import Answers, table_of
from unsilent.probes.banks import own_probes
from unsilent.progress import SilentProgress
from unsilent.reference import bank_answers as making
from unsilent.reference.answered import Answered, asks_all

ITEMS = [
    Item(
        f"q{n}",
        f"text number {n}",
        ("positive", "negative"),
        answer=n % 2,
        domain="abc"[n % 3],
        task="sentiment",
    )
    for n in range(90)
]


def plan(folder: Path, monitor: dict[str, Any] | None = None, **federation: int) -> MonitoringPlan:
    write_items(folder / "task.jsonl", ITEMS)
    return parse_plan(
        {
            "model": {"kind": "encoder"},
            "federation": {"clients": 12, "rounds": 2, "workers": 1, **federation},
            "monitor": {"min_cohort": 2, **(monitor or {})},
            "privacy": {"aggregation": "plain"},
            "modes": {"confidence_miscalibration": {"tolerance": 0.2, "clip": 0.6}},
            "probes": {"task": "task.jsonl", "items": 12, "banks": {"task": 90}},
        }
    )


class Counting:
    """A model that counts the items it is asked."""

    def __init__(self, model: Any) -> None:
        self.model, self.asked = model, 0
        self.digest, self.hashes = model.digest, model.hashes

    def score(self, items: ItemSet, adapter: Any) -> Any:
        self.asked += len(items)
        return self.model.score(items, adapter)


def test_a_bank_is_asked_once_for_all_clients_and_rounds(tmp_path: Path) -> None:
    of, model = plan(tmp_path), Counting(small_encoder(tmp_path))
    banks = load_probes(of, base=tmp_path, roles=["task"])
    answered = Answered(model, banks)  # type: ignore[arg-type]
    trained = model.model.new_adapter(1)
    for reference in (None, trained):
        model.asked = 0
        for client in range(12):
            for number in (1, 2):
                own = own_probes(of, banks, f"client-{client}", number)["task"]
                found = answered.table("task", own, reference)
                np.testing.assert_allclose(found, model.model.score(own, reference), atol=1e-6)
        assert model.asked == len(ITEMS)


def test_it_pays_only_where_clients_ask_about_all_of_a_bank(tmp_path: Path) -> None:
    assert asks_all(plan(tmp_path), "task")
    assert asks_all(plan(tmp_path, clients=4), "task")
    assert not asks_all(plan(tmp_path, clients=3), "task")
    assert not asks_all(plan(tmp_path, clients=6, workers=2), "task")


def test_answers_to_the_banks_are_those_of_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_encoder(tmp_path)
    monkeypatch.setattr(making, "load_model", lambda plan, sets: model)
    of = plan(tmp_path)
    made = making.bank_answers(of, SilentProgress(), tmp_path)
    again = Answers.from_bytes(made.to_bytes(), where="made")
    bank = load_probes(of, base=tmp_path, roles=["task"])["task"]
    np.testing.assert_allclose(table_of(bank, again.rows), model.score(bank, None), atol=1e-6)
    assert again.of(model.hashes, "sum")
    with pytest.raises(InputError, match="an adapter of the run"):
        making.bank_answers(plan(tmp_path, {"reference": "round:1"}), SilentProgress(), tmp_path)
