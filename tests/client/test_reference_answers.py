"""Known answers of the reference are used where they are right, and only there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.client.reference_answers import CHECKED, KEPT, known_answers
from unsilent.errors import ItemError, PlanError
from unsilent.items import Item, ItemSet
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes.answers import Answers, Rows, content_of, rows_by_content, table_of

HASHES = {"base": "sha256:b", "tokenizer": "sha256:t", "engine": "sha256:e"}
BANK = ItemSet(
    "task",
    tuple(
        Item(f"q{n}", f"Is {n}?", (" a", " b", " c")[: 2 + n % 2], answer=0, domain="ab"[n % 2])
        for n in range(60)
    ),
)
OWN = replace(BANK, items=BANK.items[10:26])


def truth(items: ItemSet) -> Rows:
    """A row for each item, from what it asks."""
    table = np.zeros((len(items), max(len(item.choices) for item in items)))
    for row, item in enumerate(items):
        drawn = np.random.default_rng(int(item.prompt[3:-1])).dirichlet(np.ones(len(item.choices)))
        table[row, : len(drawn)] = drawn
    return table


class Counted:
    """Scores as ``truth``, and counts the items."""

    def __init__(self) -> None:
        self.items = 0

    def __call__(self, items: ItemSet) -> Rows:
        self.items += len(items)
        return truth(items)


def shipped(folder: Path, **changes: Any) -> tuple[Path, MonitoringPlan]:
    rows = changes.pop("rows", rows_by_content(BANK, truth(BANK)))
    made = Answers(("sha256:b", "sha256:w"), "sha256:t", "sha256:e", rows=rows)
    data = replace(made, **changes).to_bytes()
    path = folder / "base.answers"
    path.write_bytes(data)
    return path, plan(answers=f"base.answers#sha256={hashlib.sha256(data).hexdigest()}")


def plan(monitor: dict[str, Any] | None = None, **probes: Any) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"rounds": 3},
            "monitor": monitor or {},
            "modes": {"confidence_miscalibration": {"tolerance": 0.1}},
            "probes": probes,
        }
    )


def used(of: MonitoringPlan, path: Path | None, **more: Any) -> tuple[int, list[str]]:
    """How many items a client scored, and what it said. What it uses is always the truth."""
    lines: list[str] = []
    known = known_answers(of, more.pop("hashes", HASHES), file=path, told=lines.append, **more)
    score = Counted()
    np.testing.assert_allclose(known.table(OWN, score), truth(OWN), atol=1e-12)
    known.keep()
    return score.items, lines


def test_shipped_answers_take_the_place_of_scoring_all_but_a_few(tmp_path: Path) -> None:
    path, of = shipped(tmp_path)
    assert used(of, path) == (CHECKED, [])
    assert used(of, path, hashes={**HASHES, "base": "sha256:w"}) == (CHECKED, [])


def test_wrong_answers_are_found_and_none_of_them_is_used(tmp_path: Path) -> None:
    rows = {name: row[::-1] for name, row in rows_by_content(BANK, truth(BANK)).items()}
    path, of = shipped(tmp_path, rows=rows)
    scored, lines = used(of, path)
    assert scored == CHECKED + len(OWN)
    assert len(lines) == 1
    assert "are not what this client's reference gives" in lines[0]


@pytest.mark.parametrize(
    ("hashes", "changes"),
    [
        ({**HASHES, "base": "sha256:other"}, {}),
        ({**HASHES, "tokenizer": "sha256:other"}, {}),
        ({}, {}),
        (HASHES, {"likelihood": "per-byte"}),
    ],
)
def test_answers_of_another_model_are_not_used(
    hashes: dict[str, str], changes: dict[str, str], tmp_path: Path
) -> None:
    path, of = shipped(tmp_path, **changes)
    scored, lines = used(of, path, hashes=hashes)
    assert scored == len(OWN)
    assert "another model" in lines[0]


def test_a_file_that_is_gone_or_another_is_not_used(tmp_path: Path) -> None:
    path, of = shipped(tmp_path)
    path.write_bytes(path.read_bytes()[:-8])
    scored, lines = used(of, path)
    assert scored == len(OWN)
    assert "not the pinned ones" in lines[0]
    for gone in (None, tmp_path / "gone"):
        assert used(of, gone)[0] == len(OWN)


def test_an_adapter_of_the_run_has_no_shipped_answers(tmp_path: Path) -> None:
    path, of = shipped(tmp_path)
    assert used(of, path, adapter="sha256:a")[0] == len(OWN)
    with pytest.raises(PlanError, match=r"probes\.answers: the reference is an adapter"):
        plan({"reference": "round:1"}, answers=of.probes.answers)


def test_what_is_not_shipped_is_scored(tmp_path: Path) -> None:
    some = replace(BANK, items=BANK.items[:20])
    path, of = shipped(tmp_path, rows=rows_by_content(some, truth(some)))
    assert used(of, path) == (CHECKED + 6, [])


def test_a_later_round_looks_up_what_an_earlier_one_scored(tmp_path: Path) -> None:
    of = plan()
    assert used(of, None, folder=tmp_path) == (len(OWN), [])
    assert used(of, None, folder=tmp_path) == (CHECKED, [])
    assert used(of, None, folder=tmp_path, adapter="sha256:a") == (len(OWN), [])
    other = {**HASHES, "engine": "sha256:new"}
    assert used(of, None, folder=tmp_path, hashes=other) == (len(OWN), [])


def test_kept_answers_that_are_no_longer_given_are_dropped(tmp_path: Path) -> None:
    """An app's prompt may change, and no hash of a model tells."""
    used(plan(), None, folder=tmp_path)
    path = tmp_path / KEPT
    kept = Answers.from_bytes(path.read_bytes(), where="kept")
    old = {name: row[::-1] for name, row in kept.rows.items()}
    path.write_bytes(replace(kept, rows=old).to_bytes())
    assert used(plan(), None, folder=tmp_path)[0] == CHECKED + len(OWN)


def test_a_damaged_file_in_the_clients_folder_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / KEPT).write_bytes(b"\x00" * 40)
    assert used(plan(), None, folder=tmp_path)[0] == len(OWN)
    assert used(plan(), None, folder=tmp_path)[0] == CHECKED


def test_a_file_says_the_same_when_it_is_read_again() -> None:
    made = Answers(("b",), "t", "e", "sum", "1", rows=rows_by_content(BANK, truth(BANK)))
    again = Answers.from_bytes(made.to_bytes(), where="x")
    np.testing.assert_array_equal(table_of(BANK, again.rows), truth(BANK))
    assert again.to_bytes() == made.to_bytes()
    assert replace(again, rows={}) == replace(made, rows={})
    data = made.to_bytes()
    for bad in (b"", data[:50], data[:-16], data + b"x", data.replace(b"answers/1", b"answers/9")):
        with pytest.raises(ItemError, match="not a readable file of answers"):
            Answers.from_bytes(bad, where="x")


def test_answers_go_by_what_is_asked() -> None:
    item = BANK.items[0]
    assert content_of(item) == content_of(replace(item, id="other", domain="z", answer=1))
    for change in ({"prompt": "x"}, {"choices": (" b", " a")}, {"chat": True}, {"task": "t"}):
        assert content_of(replace(item, **change)) != content_of(item)
