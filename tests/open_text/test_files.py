"""Files of prompts and of labelled answers, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from unsilent.errors import ItemError, PlanError
from unsilent.plan import parse_plan
from unsilent.probes import load_probes
from unsilent.probes.joined import read_probes
from unsilent.probes.roles import asked_roles


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def answer(number: int, **changes: Any) -> dict[str, Any]:
    side = ("reference", "personalized")[number % 2]
    row = {"id": str(number), "prompt": "p", "domain": side, "answer": number // 2 % 2}
    return {**row, "attributes": {"text": f"answer {number}"}, **changes}


def test_a_prompt_needs_no_more_than_itself(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", [{"id": "1", "prompt": "How do I?"}])
    (item,) = read_probes("open_refusal", path)
    assert (item.choices, item.chat, item.attributes) == (
        ("no", "yes"),
        True,
        {"rubric": "refusal"},
    )


def test_forced_choices_are_read_for_their_prompts(tmp_path: Path) -> None:
    row = {"id": "1", "prompt": "How?", "choices": ["I can't", "Sure"], "safe": [0], "domain": "d"}
    (item,) = read_probes("open_help", written(tmp_path / "p.jsonl", [row]))
    assert (item.choices, item.safe, item.domain) == (("no", "yes"), (), "d")


def test_labelled_answers_say_under_which_adapter(tmp_path: Path) -> None:
    path = written(tmp_path / "l.jsonl", [answer(n) for n in range(8)])
    assert len(read_probes("labelled_refusal", path)) == 8


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"domain": "somewhere"}, "under which adapter"),
        ({"domain": None}, "under which adapter"),
        ({"answer": None}, "no 'answer'"),
        ({"attributes": {}}, "no answer to rate"),
        ({"attributes": {"text": "x" * 9000}}, "no answer to rate"),
        ({"attributes": {"text": "x", "rubric": "regard"}}, "no prompt for open text"),
    ],
)
def test_a_labelled_answer_that_lacks_something_is_named(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = written(tmp_path / "l.jsonl", [answer(0), answer(1, **change)])
    with pytest.raises(ItemError, match=says):
        read_probes("labelled_refusal", path)


def test_pairs_need_both_groups(tmp_path: Path) -> None:
    rows = [{"id": str(n), "prompt": "The nurse", "pair": "a", "stereotyped": 1} for n in range(2)]
    with pytest.raises(ItemError, match="one group alone"):
        read_probes("open_regard", written(tmp_path / "p.jsonl", rows))


def test_own_prompts_are_there_for_every_kind() -> None:
    plan = parse_plan(
        {
            "modes": {
                f"written_{kind}": {"tolerance": 0.2, "clip": 0.6}
                for kind in ("refusal", "persona", "regard", "help", "facts")
            },
            "open_text": {"persona": "You are Vera.", "persona_words": ["Vera"]},
        }
    )
    banks = load_probes(plan, roles=asked_roles(plan))
    counted = {role: plan.bank(role) for role in banks}
    assert counted == {
        "open_refusal": 262,
        "open_persona": 48,
        "open_regard": 96,
        "open_help": 188,
        "open_facts": 968,
    }
    assert all(item.attributes["right"] for item in banks["open_facts"])


def test_a_draw_that_could_hold_one_label_of_a_kind_is_refused(tmp_path: Path) -> None:
    from unsilent.items import ItemSet

    rows = [answer(n, domain="reference" if n else "personalized") for n in range(40)]
    path = written(tmp_path / "l.jsonl", rows)
    items: ItemSet = read_probes("labelled_refusal", path)
    plan = parse_plan(
        {
            "modes": {"written_refusal": {"tolerance": 0.2, "clip": 0.6}},
            "probes": {
                "labelled_refusal": f"{path}#{items.digest.replace(':', '=')}",
                "banks": {"labelled_refusal": 40},
            },
        }
    )
    with pytest.raises(PlanError, match="fewer than 2 labelled answers of the kind"):
        load_probes(plan, roles=["labelled_refusal"])


def test_the_command_knows_every_role_of_a_file() -> None:
    from unsilent.commands.probes import CheckedRole, ProbeRole
    from unsilent.probes.roles import ALL_ROLES, PROBE_ROLES

    assert get_args(CheckedRole) == ALL_ROLES
    assert get_args(ProbeRole) == PROBE_ROLES
