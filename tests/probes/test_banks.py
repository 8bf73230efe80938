"""What one client answers of a bank: its own units, whole pairs, under its own name and round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.errors import ItemError, PlanError
from unsilent.items import Item, ItemSet, write_items
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.probes import EMBEDDED_BANKS
from unsilent.probes import PROBE_ROLES, load_probes
from unsilent.probes.banks import (
    count_units,
    domains_of,
    overlap,
    own_probes,
    parts_of,
    strata_names,
)
from unsilent.probes.check import check_file, pin_of


def plan(modes: dict[str, Any] | None = None, **changes: Any) -> MonitoringPlan:
    of = modes or {"confidence_miscalibration": {"tolerance": 0.1}}
    return parse_plan({"modes": of, **changes})


def task(sizes: dict[str, int], start: int = 0) -> list[Item]:
    names = [domain for domain, size in sizes.items() for _ in range(size)]
    return [
        Item(f"q{start + n}", f"Is {start + n} in {d}?", (" a", " b"), answer=n % 2, domain=d)
        for n, d in enumerate(names)
    ]


def pairs(count: int) -> ItemSet:
    return ItemSet(
        "bias",
        tuple(
            Item(f"{n}{g}", f"{n} {g}:", (" x", " y"), pair=str(n), group=g, stereotyped=0)
            for g in "ab"
            for n in range(count)
        ),
    )


BANK = ItemSet("task", tuple(task({"a": 90, "b": 60, "c": 30})))


def test_each_client_and_round_has_a_draw_of_its_own() -> None:
    of = plan(probes={"items": 24})
    draws = {
        (client, number): own_probes(of, {"task": BANK}, f"client-{client}", number)["task"]
        for client in range(12)
        for number in (1, 2)
    }
    assert {len(items) for items in draws.values()} == {24}
    assert len({items.digest for items in draws.values()}) == len(draws)
    again = own_probes(of, {"task": BANK}, "client-3", 2)["task"]
    assert again.digest == draws[3, 2].digest
    for items in draws.values():
        assert domains_of(items) == {"a": 12, "b": 8, "c": 4}


def test_who_else_takes_part_changes_no_draw() -> None:
    """A drop-out leaves the draws of the others as they are: nothing of them enters."""
    few, many = (plan(federation={"clients": n}, probes={"items": 24}) for n in (20, 21))
    assert few.digest != many.digest
    own = own_probes(few, {"task": BANK}, "client-1", 1)["task"]
    for gone in (0, 2, 19):
        own_probes(few, {"task": BANK}, f"client-{gone}", 1)
    assert own_probes(few, {"task": BANK}, "client-1", 1)["task"].digest == own.digest


def test_pairs_stay_together() -> None:
    of = plan({"amplified_bias": {"tolerance": 0.1}}, probes={"items": 10})
    own = own_probes(of, {"bias": pairs(40)}, "client-0", 1)["bias"]
    assert (len(own), count_units(own)) == (20, 10)
    for name in {item.pair for item in own}:
        assert sorted(item.group or "" for item in own if item.pair == name) == ["a", "b"]


def test_where_all_answer_the_same_nothing_is_drawn() -> None:
    of = plan(probes={"items": 24, "sampling": "same"})
    assert own_probes(of, {"task": BANK}, "client-0", 1)["task"] is BANK


def test_a_bank_with_no_more_than_is_asked_is_asked_whole() -> None:
    own = own_probes(plan(probes={"items": 180}), {"task": BANK}, "client-0", 1)["task"]
    assert own.digest == BANK.digest


def file(folder: Path, items: list[Item], name: str = "own.jsonl") -> str:
    write_items(folder / name, items)
    return name


def test_a_file_is_a_bank_and_a_pin_is_of_all_of_it(tmp_path: Path) -> None:
    name = file(tmp_path, list(BANK))
    of = plan(probes={"task": f"{name}{pin_of(BANK)}", "items": 24})
    bank = load_probes(of, base=tmp_path, roles=["task"])["task"]
    assert bank.digest == BANK.digest
    assert of.bank("task") == 24


def test_where_these_items_are_meant_the_bank_is_as_large_as_the_plan_says(tmp_path: Path) -> None:
    name = file(tmp_path, list(BANK))

    def bank(**probes: Any) -> ItemSet:
        given = {"task": name, "items": 24, **probes}
        of = plan(monitor={"items": "these"}, probes=given)
        return load_probes(of, base=tmp_path, roles=["task"])["task"]

    assert len(bank()) == 24
    assert len(bank(banks={"task": 90})) == 90
    assert domains_of(bank(banks={"task": 90})) == {"a": 45, "b": 30, "c": 15}
    with pytest.raises(ItemError, match="fewer than the 181"):
        bank(banks={"task": 181})


def test_joined_files_are_one_bank_without_what_repeats(tmp_path: Path) -> None:
    file(tmp_path, task({"a": 20, "b": 20}), "one.jsonl")
    second = task({"a": 20, "b": 20})[10:30] + task({"c": 20}, start=100)
    file(tmp_path, [*second[:20], *(item for item in second[20:])], "two.jsonl")
    of = plan(probes={"task": "one.jsonl+two.jsonl", "items": 8})
    bank = load_probes(of, base=tmp_path, roles=["task"])["task"]
    assert len(bank) == 60
    assert len({item.id for item in bank}) == 60


def test_files_that_number_alike_are_joined_all_the_same(tmp_path: Path) -> None:
    file(tmp_path, task({"a": 20, "b": 20}), "one.jsonl")
    lines = (tmp_path / "one.jsonl").read_text().replace("Is ", "Was ").replace('"a"', '"z"')
    (tmp_path / "two.jsonl").write_text(lines)
    of = plan(probes={"task": "one.jsonl+two.jsonl", "items": 8})
    bank = load_probes(of, base=tmp_path, roles=["task"])["task"]
    assert len({item.id for item in bank}) == 80


@pytest.mark.parametrize(("domain", "refused"), [("c", True), ("b", False)])
def test_a_draw_that_may_hold_too_few_of_a_subgroup_is_refused(
    domain: str, refused: bool, tmp_path: Path
) -> None:
    """Of 180 units 30 are of c: of 8 drawn one may be, of 12 two are."""
    name = file(tmp_path, list(BANK))

    def load(items: int) -> ItemSet:
        mode = {"tolerance": 0.1, "subgroups": [domain]}
        of = plan({"confidence_miscalibration": mode}, probes={"task": name, "items": items})
        return own_probes(of, load_probes(of, base=tmp_path, roles=["task"]), "c", 1)["task"]

    if refused:
        with pytest.raises(PlanError, match=r"fewer than 2 of the domain 'c'.*\bto 12\b"):
            load(8)
    assert domains_of(load(12))[domain] >= 2


def test_a_draw_that_may_lie_at_home_alone_is_refused(tmp_path: Path) -> None:
    name = file(tmp_path, task({"a": 95, "b": 5}))
    mode = {"out_of_domain_degradation": {"tolerance": 0.1}}
    for items, fits in ((39, False), (40, True)):
        of = plan(mode, probes={"task": name, "items": items})
        if fits:
            own = own_probes(of, load_probes(of, base=tmp_path, roles=["task"]), "c", 1)["task"]
            assert domains_of(own)["b"] == 2
        else:
            with pytest.raises(PlanError, match="may all be of its home domain"):
                load_probes(of, base=tmp_path, roles=["task"])


def test_parts_hold_whole_units_and_all_of_them() -> None:
    parts = list(parts_of(pairs(50), most=16))
    assert max(map(len, parts)) <= 16
    assert sorted(i.id for part in parts for i in part) == sorted(i.id for i in pairs(50))
    for part in parts:
        assert len(part) == 2 * count_units(part)


def test_two_draws_share_what_is_said_in_the_mean() -> None:
    of = plan(probes={"items": 24})
    draws = [
        {item.id for item in own_probes(of, {"task": BANK}, f"c{n}", 1)["task"]} for n in range(40)
    ]
    shared = [len(a & b) for n, a in enumerate(draws) for b in draws[:n]]
    assert sum(shared) / len(shared) == pytest.approx(overlap(24, 180), rel=0.1)
    assert overlap(200, 180) == 180


def test_a_checked_file_says_what_it_is_as_a_bank(tmp_path: Path) -> None:
    name = file(tmp_path, list(BANK))
    found = check_file(tmp_path / name, asked=24).to_json()
    assert found["units"] == 180
    assert found["draw"] == {"asked": 24, "shared_by_two": 3.2}
    assert {(s["domain"], s["answer"], s["units"]) for s in found["strata"]} >= {("a", 0, 45)}
    assert sum(strata_names(BANK).values()) == 180
    assert json.dumps(found)


@pytest.mark.model
@pytest.mark.parametrize("kind", ["causal_lm", "encoder"])
def test_the_embedded_banks_hold_what_plans_count_on(kind: str) -> None:
    of = plan(model={"kind": kind})
    banks = load_probes(of)
    held = {role: count_units(items) for role, items in banks.items()}
    counted = {role: n for role, n in EMBEDDED_BANKS[kind].items() if role in PROBE_ROLES}
    assert held == counted
    assert {role: of.bank(role) for role in banks} == held
    domains = domains_of(banks["task"])
    assert max(domains.values()) / domains.total() < 0.3
