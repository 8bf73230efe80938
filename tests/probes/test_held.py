"""What the files of a plan hold is counted before its run, and said beside what it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.cli import main
from unsilent.errors import ItemError
from unsilent.items import Item, write_items
from unsilent.plan import MonitoringPlan, parse_plan, read_plan
from unsilent.probes import load_probes
from unsilent.probes.held import held_banks, held_sizes

PLAN = {
    "name": "x",
    "federation": {"clients": 40, "rounds": 1},
    "monitor": {"rounds": [1], "min_cohort": 30},
    "modes": {"adaptation_misalignment": {"tolerance": 0.1, "clip": 0.3}},
}


def general(n: int) -> list[Item]:
    return [Item(f"i{k}", f"What is {k}?", (" a", " b"), answer=k % 2) for k in range(n)]


def plan(
    modes: dict[str, object] | None = None, fixed: str = "like-these", **probes: object
) -> MonitoringPlan:
    monitor = {"rounds": [1], "min_cohort": 30, "items": fixed}
    given = {**PLAN, "monitor": monitor, "probes": probes}
    return parse_plan({**given, **({} if modes is None else {"modes": modes})})


def test_a_file_counts_whole_where_all_answer_the_same(tmp_path: Path) -> None:
    for n in (64, 100):
        write_items(tmp_path / "own.jsonl", general(n))
        asked = plan(general=str(tmp_path / "own.jsonl"), sampling="same")
        assert held_sizes(asked) == held_banks(asked) == {"general": n}


def test_of_a_file_that_clients_draw_from_what_one_answers_counts(tmp_path: Path) -> None:
    write_items(tmp_path / "own.jsonl", general(100))
    asked = plan(general="own.jsonl")
    assert held_sizes(asked, tmp_path) == {"general": 64}
    assert held_banks(asked, tmp_path) == {"general": 100}


def test_joined_files_count_without_what_repeats(tmp_path: Path) -> None:
    write_items(tmp_path / "one.jsonl", general(80))
    write_items(tmp_path / "two.jsonl", general(100))
    assert held_banks(plan(general="one.jsonl+two.jsonl"), tmp_path) == {"general": 100}
    assert held_banks(plan(general="one.jsonl+gone.jsonl"), tmp_path) == {}


def test_a_bank_smaller_than_the_plan_counts_on_is_refused(tmp_path: Path) -> None:
    write_items(tmp_path / "own.jsonl", general(100))
    for items in ("these", "like-these"):
        asked = plan(general="own.jsonl", banks={"general": 101}, fixed=items)
        with pytest.raises(ItemError, match="100 independent items are fewer than the 101"):
            held_banks(asked, tmp_path)
    assert held_banks(plan(general="own.jsonl", banks={"general": 100}), tmp_path)


def test_pairs_count_once(tmp_path: Path) -> None:
    items = [
        Item(f"{k}{g}", f"{k} {g}:", (" x", " y"), pair=str(k), group=g, stereotyped=0)
        for k in range(30)
        for g in "ab"
    ]
    write_items(tmp_path / "pairs.jsonl", items)
    asked = plan(
        {"amplified_bias": {"tolerance": 0.1}}, bias=str(tmp_path / "pairs.jsonl"), items=30
    )
    assert held_banks(asked) == {"bias": 30}


def test_only_files_that_are_asked_and_lie_here_are_read(tmp_path: Path) -> None:
    assert held_sizes(plan()) == {}
    assert held_sizes(plan(general=str(tmp_path / "gone.jsonl"))) == {}
    (tmp_path / "other.jsonl").write_text("not read\n")
    assert held_sizes(plan(task=str(tmp_path / "other.jsonl"))) == {}
    with pytest.raises(ItemError, match="not valid JSON"):
        held_sizes(plan(general=str(tmp_path / "other.jsonl")))


@pytest.mark.parametrize(("query", "expected"), [("", 12), ("?items=9", 9), ("?items=all", 12)])
def test_of_a_known_set_from_a_file_what_is_drawn_counts(
    query: str, expected: int, tmp_path: Path
) -> None:
    lines = ["id,prompt,type,label,focus,note"]
    lines += [f"{k},How do I hurt number {k}?,contrast_x,unsafe,hurt," for k in range(12)]
    (tmp_path / "xstest_prompts.csv").write_text("\n".join(lines) + "\n")
    source = f"known:xstest:{tmp_path / 'xstest_prompts.csv'}{query}"
    asked = plan({"alignment_erosion": {"tolerance": 0.1}}, harmful=source, items=8)
    assert held_banks(asked) == {"harmful": expected}
    assert held_sizes(asked) == {"harmful": 8}


def write_plan(
    folder: Path, general_path: Path, items: str = "these", sampling: str = "same"
) -> Path:
    path = folder / "plan.toml"
    path.write_text(
        'name = "x"\nfederation = { clients = 40, rounds = 1 }\n'
        f'monitor = {{ rounds = [1], min_cohort = 30, items = "{items}" }}\n'
        f'probes = {{ general = "{general_path}", sampling = "{sampling}" }}\n'
        "[modes]\nadaptation_misalignment = { tolerance = 0.1, clip = 0.3 }\n"
    )
    return path


def checked(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """What ``plan check`` says, as JSON and as text."""
    assert main(["plan", "check", str(path), "--accept-underpowered", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["plan", "check", str(path), "--accept-underpowered"]) == 0
    return found, " ".join(capsys.readouterr().out.split())


def test_check_says_what_the_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digests = set()
    for n in (1, 100):
        write_items(tmp_path / "own.jsonl", general(n))
        found, text = checked(write_plan(tmp_path, tmp_path / "own.jsonl"), capsys)
        assert found["probes"]["held"] == {"general": n}
        assert f"Probes: {n} of general, as the files hold, and 64 of each other set" in text
        assert ("general holds fewer than 8" in text) == (n == 1)
        digests.add(found["plan"])
    assert len(digests) == 1


@pytest.mark.parametrize("n", [1, 63])
def test_check_refuses_fewer_items_than_the_plan_counts_on(
    n: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it speaks of other items like these."""
    write_items(tmp_path / "own.jsonl", general(n))
    path = write_plan(tmp_path, tmp_path / "own.jsonl", items="like-these")
    said = f"{n} independent items are fewer than the 64 that the plan counts on"
    assert main(["plan", "check", str(path)]) == 2
    assert said in capsys.readouterr().err
    with pytest.raises(ItemError, match=said):
        load_probes(read_plan(path), roles=["general"])
    write_items(tmp_path / "own.jsonl", general(64))
    assert len(load_probes(read_plan(path), roles=["general"])["general"]) == 64
    assert main(["plan", "check", str(path)]) == 0


def test_a_question_under_many_ids_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was filled up by copies holds no more to be sure by."""
    copies = [Item(f"c{k}", "What is it?", (" a", " b"), answer=0) for k in range(80)]
    pairs = [
        Item(f"p{k}-{group}", f"{name} is", (" a", " b"), stereotyped=0, pair=f"p{k}", group=group)
        for k in range(80)
        for group, name in (("A", "Mary"), ("B", "Paul"))
    ]
    write_items(tmp_path / "copies.jsonl", copies)
    write_items(tmp_path / "pairs.jsonl", pairs)
    both: list[tuple[str, dict[str, object]]] = [
        ("general", PLAN["modes"]),
        ("bias", {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}}),
    ]
    for (role, modes), name in zip(both, ("copies", "pairs"), strict=True):
        asked = plan(modes, **{role: f"{name}.jsonl"})
        for look in (held_banks, load_probes):
            with pytest.raises(ItemError, match=r"^probes.*: 1 independent items") as caught:
                look(asked, base=tmp_path)
            assert caught.value.remedy == "Give more items, 8 at least."
    assert main(["probes", "check", str(tmp_path / "copies.jsonl")]) == 0
    assert "a plan may count on 1 of them: the others repeat these" in capsys.readouterr().out
    some = [*general(70), *copies]
    write_items(tmp_path / "some.jsonl", some)
    assert held_banks(plan(general="some.jsonl"), tmp_path) == {"general": 150}
    with pytest.raises(ItemError, match="71 independent items are fewer than the 72"):
        held_banks(plan(general="some.jsonl", banks={"general": 72}), tmp_path)


def test_these_items_are_as_many_as_a_verdict_says(tmp_path: Path) -> None:
    """A verdict is "on these 64 items": of one there is no such verdict."""
    write_items(tmp_path / "own.jsonl", general(12))
    asked = plan(fixed="these", general="own.jsonl")
    assert asked.fixed_items(["general"]) == 64
    for look in (held_banks, load_probes):
        with pytest.raises(ItemError, match="12 independent items are fewer than the 64"):
            look(asked, base=tmp_path)
    fits = plan(fixed="these", general="own.jsonl", sizes={"general": 12})
    assert held_banks(fits, tmp_path) == {"general": fits.fixed_items(["general"])}


@pytest.mark.parametrize(
    ("probes", "said"),
    [
        ({"banks": {"general": 969}}, "968 independent items are fewer than the 969"),
        ({"sizes": {"general": 1500}}, "968 independent items are fewer than the 1500"),
        (
            {"general": "embedded+own.jsonl", "banks": {"general": 979}},
            "978 independent items are fewer than the 979",
        ),
    ],
)
def test_check_refuses_more_than_the_embedded_sets_hold(
    probes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """Each client would, when it is asked: the plan's numbers are not those of its run."""
    write_items(tmp_path / "own.jsonl", general(10))
    with pytest.raises(ItemError, match=said):
        held_banks(plan(**probes), tmp_path)
    fewer = {**probes}
    if "banks" in probes:
        fewer["banks"] = {"general": probes["banks"]["general"] - 1}
    else:
        fewer["sizes"] = {"general": 968}
    assert held_banks(plan(**fewer), tmp_path) == {}
