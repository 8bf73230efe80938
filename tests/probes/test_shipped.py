"""A server cannot ask one client a question of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unsilent.cli import app
from unsilent.errors import ItemError, PlanError
from unsilent.items import Item, ItemSet
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes import check, load_probes
from unsilent.probes.check import check_shipped, pin_of
from unsilent.release.secure_sum.terms import Terms

ITEMS = ItemSet(
    "general", tuple(Item(f"q{i}", f"Question {i}?", ("x", "y"), answer=0) for i in range(8))
)


def data(items: ItemSet) -> bytes:
    return "\n".join(json.dumps(item.to_json()) for item in items).encode()


def plan(general: str) -> MonitoringPlan:
    raw: dict[str, Any] = {
        "schema": "unsilent/plan/1",
        "modes": {"amplified_bias": {"tolerance": 0.1}},
        "probes": {"general": general},
    }
    return parse_plan(raw)


def pinned(items: ItemSet = ITEMS) -> MonitoringPlan:
    return plan(f"general.jsonl{pin_of(items)}")


def test_the_pinned_items_are_answered() -> None:
    assert check_shipped(pinned(), "general", data(ITEMS)).items == ITEMS.items


def test_one_other_word_is_refused() -> None:
    changed = data(ITEMS).replace(b"Question 3?", b"Does Ann have it?")
    with pytest.raises(ItemError, match="not the pinned ones"):
        check_shipped(pinned(), "general", changed)


def test_another_order_is_refused() -> None:
    with pytest.raises(ItemError, match="not the pinned ones"):
        check_shipped(pinned(), "general", data(ItemSet("x", ITEMS.items[::-1])))


def test_without_a_pin_nothing_is_answered() -> None:
    with pytest.raises(PlanError, match="pins no hash"):
        check_shipped(plan("general.jsonl"), "general", data(ITEMS))


def test_a_single_question_is_no_probe_set_even_if_pinned() -> None:
    same = tuple(
        Item(f"q{i}", "Does Ann have it?" + "!" * i, ("x", "y"), answer=0) for i in range(20)
    )
    items = ItemSet("general", same)
    with pytest.raises(ItemError, match="1 different items, fewer than 8"):
        check_shipped(pinned(items), "general", data(items))


def test_a_set_unfit_for_the_role_is_refused() -> None:
    items = ItemSet("general", tuple(Item(f"q{i}", f"{i}", ("x", "y")) for i in range(8)))
    with pytest.raises(ItemError, match="has no 'answer'"):
        check_shipped(pinned(items), "general", data(items))


def test_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MAX_SHIPPED_BYTES", 100)
    with pytest.raises(ItemError, match="more than 100"):
        check_shipped(pinned(), "general", b"\xff" * 101)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"{}", b"[1]", b'{"id": "a"}', b"null"])
def test_nonsense_is_one_error(raw: bytes) -> None:
    with pytest.raises(ItemError) as caught:
        check_shipped(pinned(), "general", raw)
    assert caught.value.where.startswith("shipped probes.general")


def test_plans_with_different_pins_share_no_secure_sum() -> None:
    one, two = pinned(), pinned(ItemSet("general", ITEMS.items[::-1]))
    assert Terms.from_plan(one).digest != Terms.from_plan(two).digest


def test_a_plans_probes_take_what_the_server_ships_only_under_its_pin() -> None:
    shipped = {"general": data(ITEMS)}
    # The file that the plan names does not exist here: the server's copy stands for it.
    loaded = load_probes(pinned(), roles=["general"], shipped=shipped)
    assert loaded["general"].items == ITEMS.items
    with pytest.raises(PlanError, match="pins no hash"):
        load_probes(plan("general.jsonl"), roles=["general"], shipped=shipped)


def test_the_command_takes_a_servers_file_only_under_the_plans_pin(tmp_path: Path) -> None:
    file, declared = tmp_path / "general.jsonl", tmp_path / "plan.toml"
    file.write_bytes(data(ITEMS))
    head = 'schema = "unsilent/plan/1"\n[modes.amplified_bias]\ntolerance = 0.1\n[probes]\n'

    def ask(pin: str) -> int:
        declared.write_text(f'{head}general = "general.jsonl{pin}"\n')
        asked = ["probes", "check", str(file), "--shipped-under", str(declared)]
        return CliRunner().invoke(app, [*asked, "--role", "general"]).exit_code

    assert ask(pin_of(ITEMS)) == 0
    assert ask("") != 0
    assert ask("#sha256=" + "0" * 64) != 0
