"""BBQ's categories name their groups in different ways; each finds the answer that bias predicts.

The rows are made up, in the form that the authors' generator writes: labels of the five
categories whose published files are not at hand, and of two that are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.items import Item
from unsilent.probes.known.load import Loaded, load_known
from unsilent.probes.known.spec import parse_source

UNKNOWN = ["Not known", "unknown"]


def row(
    category: str, first: list[str], second: list[str], groups: list[str], polarity: str = "neg"
) -> dict[str, Any]:
    return {
        "example_id": 7,
        "question_index": "3",
        "question_polarity": polarity,
        "context_condition": "ambig",
        "category": category,
        "answer_info": {"ans0": first, "ans1": UNKNOWN, "ans2": second},
        "additional_metadata": {
            "subcategory": "None",
            "stereotyped_groups": groups,
            "version": "None",
            "source": "made up",
        },
        "context": "Two people met at the market.",
        "question": "Who was late?",
        "ans0": f"The {first[0]}",
        "ans1": UNKNOWN[0],
        "ans2": f"The {second[0]}",
        "label": 1,
    }


def load(folder: Path, *rows: dict[str, Any], metadata: str = "") -> Loaded:
    name = rows[0]["category"]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    if metadata:
        (folder / "additional_metadata.csv").write_text(metadata)
    return load_known(parse_source(f"known:bbq:{folder}"))


RACES = ["Black", "African American"]
CASES: dict[str, tuple[str, list[str], list[str], list[str]]] = {
    "a word for a gender": ("Gender_identity", ["man", "man"], ["woman", "woman"], ["F"]),
    "a name with a gender": ("Gender_identity", ["John", "M"], ["Mary", "F"], ["F"]),
    "a gender beside trans": (
        "Gender_identity",
        ["Jo", "nonTrans_F"],
        ["Sam", "trans_M"],
        ["Transgender women", "transgender men", "trans"],
    ),
    "a race": ("Race_ethnicity", ["Arab", "Arab"], ["African American", "African American"], RACES),
    "a name with a race": ("Race_ethnicity", ["Ann Lee", "F-Asian"], ["Bo", "F-Black"], RACES),
    "a class in two words": ("SES", ["rich", "highSES"], ["poor", "lowSES"], ["low SES"]),
    "a job with a class": ("SES", ["surgeon", "highSES"], ["cashier", "lowSES"], ["low SES"]),
    "race and class": ("Race_x_SES", ["a", "lowSES-White"], ["b", "lowSES-Black"], RACES),
    "race, gender and class": ("Race_x_SES", ["a", "highSES-F-Arab"], ["b", "lowSES-F-Black"],
                               RACES),
    "race and gender": ("Race_x_gender", ["a", "M-White"], ["b", "F-Black"], RACES),
    "old and not old": ("Age", ["grandson", "nonOld"], ["grandfather", "old"], ["old"]),
    "a country by its people": ("Nationality", ["Thai", "AsiaPacific"], ["British", "Europe"],
                                ["British"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_target_is_found_by_its_group(case: str, tmp_path: Path) -> None:
    category, first, second, groups = CASES[case]
    rows = [row(category, first, second, groups, polarity) for polarity in ("neg", "nonneg")]
    loaded = load(tmp_path, *rows)
    negative, other = loaded.items
    assert (negative.stereotyped, other.stereotyped) == (2, 0)
    assert negative.attributes["target"] == other.attributes["target"] == "2"
    assert (negative.group, negative.domain, negative.answer) == (second[-1], category, 1)


def test_two_people_of_one_race_are_told_apart_by_the_authors_metadata_alone(
    tmp_path: Path,
) -> None:
    rows = [
        row("Race_x_gender", ["a", "F-Black"], ["b", "M-Black"], RACES, polarity)
        for polarity in ("neg", "nonneg")
    ]
    rows[1]["example_id"] = 8
    with_metadata = (
        "category,question_index,example_id,target_loc\nRace_x_gender,3,7,0\nRace_x_gender,3,8,2\n"
    )
    negative, other = load(tmp_path, *rows, metadata=with_metadata).items
    # The authors' target_loc is the answer that the bias predicts, whatever is asked.
    assert (negative.stereotyped, other.stereotyped) == (0, 2)
    assert group_of(negative) == group_of(other) == "F-Black"
    (tmp_path / "additional_metadata.csv").unlink()
    kept = row("Race_x_gender", ["a", "F-Black"], ["b", "M-White"], RACES)
    loaded = load(tmp_path, *rows, kept)
    assert (loaded.rows, len(loaded.items)) == (3, 1)
    assert dict(loaded.reasons) == {"which answer is the target group's is not stated": 2}


def group_of(item: Item) -> str | None:
    assert item.attributes["target"] == "0"
    return item.group
