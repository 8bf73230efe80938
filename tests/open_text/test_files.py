"""Files of prompts and of labelled answers, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from unsilent.errors import ItemError, PlanError
from unsilent.items import ItemSet
from unsilent.plan import MonitoringPlan, parse_plan
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


def labelled(tmp_path: Path, rows: list[dict[str, Any]], **probes: Any) -> MonitoringPlan:
    path = written(tmp_path / "l.jsonl", rows)
    items: ItemSet = read_probes("labelled_refusal", path)
    return parse_plan(
        {
            "modes": {"written_refusal": {"tolerance": 0.2, "clip": 0.6}},
            "probes": {
                "labelled_refusal": f"{path}#{items.digest.replace(':', '=')}",
                **probes,
            },
        }
    )


def of_kinds(reference: int, personalized: int) -> list[dict[str, Any]]:
    kinds = ["reference"] * reference + ["personalized"] * personalized
    return [answer(n, domain=kind) for n, kind in enumerate(kinds)]


def test_a_draw_that_could_hold_one_label_of_a_kind_is_refused(tmp_path: Path) -> None:
    plan = labelled(tmp_path, of_kinds(36, 4))
    with pytest.raises(PlanError, match="fewer than 2 labelled answers of the kind"):
        load_probes(plan, roles=["labelled_refusal"])


@pytest.mark.parametrize(("reference", "personalized"), [(0, 40), (30, 10), (39, 1)])
def test_kinds_of_labels_count_as_the_one_with_fewest(
    tmp_path: Path, reference: int, personalized: int
) -> None:
    """Each kind's error is its own: what many answers of one tell says nothing of the other."""
    rows = of_kinds(reference, personalized)
    least = 2 * min(reference, personalized)
    plan = labelled(tmp_path, rows, banks={"labelled_refusal": 40})
    with pytest.raises(ItemError, match=f"^.*{least} labelled answers, of each kind as many as"):
        load_probes(plan, roles=["labelled_refusal"])


def test_a_draw_that_holds_fewer_of_a_kind_than_intervals_count_on_is_refused(
    tmp_path: Path,
) -> None:
    plan = labelled(
        tmp_path,
        of_kinds(30, 90),
        banks={"labelled_refusal": 60},
        sizes={"labelled_refusal": 20},
    )
    with pytest.raises(PlanError, match="holds 5 labelled answers of the kind 'reference'"):
        load_probes(plan, roles=["labelled_refusal"])
    # An uneven number in all is no matter.
    plan = labelled(tmp_path, of_kinds(29, 31), banks={"labelled_refusal": 58})
    assert len(load_probes(plan, roles=["labelled_refusal"])["labelled_refusal"]) == 60


def test_an_answer_that_several_people_rated_is_one(tmp_path: Path) -> None:
    rows = of_kinds(20, 20)
    again = [{**row, "id": f"again {row['id']}", "answer": 1 - row["answer"]} for row in rows]
    plan = labelled(tmp_path, [*rows, *again], banks={"labelled_refusal": 80})
    with pytest.raises(ItemError, match="40 labelled answers"):
        load_probes(plan, roles=["labelled_refusal"])


def test_the_command_knows_every_role_of_a_file() -> None:
    from unsilent.commands.probes import CheckedRole, ProbeRole
    from unsilent.probes.roles import ALL_ROLES, PROBE_ROLES

    assert get_args(CheckedRole) == ALL_ROLES
    assert get_args(ProbeRole) == PROBE_ROLES
