"""A plan is validated whole before anything runs; each fault names file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.errors import PlanError
from unsilent.plan import parse_plan, read_plan

MODES = "[modes]\namplified_bias = { tolerance = 0.1 }\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (f"{MODES}[privacy]\nepsilom = 8.0\n", "privacy.epsilom", "Did you mean 'epsilon'?"),
        (f"{MODES}zzzzzz = 1\n", "modes.zzzzzz", "known here: amplified_bias"),
        (
            "[modes]\namplified_bias = { tolerance = -0.1 }\n",
            "modes.amplified_bias.tolerance",
            "-0.1 must be at least 0.01",
        ),
        (f"{MODES}[privacy]\nepsilon = 0\n", "privacy.epsilon", "0 must be above 0"),
        (f"{MODES}[privacy]\nepsilon = nan\n", "privacy.epsilon", "nan must be above 0"),
        (
            f"{MODES}[federation]\nclients = 5\n",
            "federation.clients",
            "fewer than monitor.min_cohort 10",
        ),
        (f'{MODES}[federation]\nclients = "many"\n', "federation.clients", "is not a number"),
        (f"{MODES}[monitor]\nrounds = [2, 1]\n", "monitor.rounds", "rising"),
        (f"{MODES}[monitor]\nrounds = [9]\n", "monitor.rounds", "after the last of 3"),
        (f"{MODES}[monitor]\nrounds = [0]\n", "monitor.rounds.0", "must be at least 1"),
        (
            f'{MODES}[privacy]\naggregation = "magic"\n',
            "privacy.aggregation",
            "Use 'secure-sum' or 'plain'",
        ),
        (
            "[modes]\namplified_bias = { tolerance = 0.5 }\n",
            "modes.amplified_bias",
            "clip 0.3 must be above tolerance",
        ),
        ("[modes]\n", "modes", "no mode is planned"),
        ('name = "x"\n', "modes", "missing"),
        (f"{MODES}[adapter]\nlayers = [1]\n", "adapter.layers.1", "missing"),
        ("name = \n", "", "not valid TOML"),
    ],
)
def test_a_fault_names_file_key_and_remedy(tmp_path: Path, text: str, key: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    line = caught.value.line()
    assert line.startswith(f"{path}: {key}")
    assert words in line
    assert "\n" not in line
    assert caught.value.exit_code == 2


def test_a_missing_plan_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"no such plan\. `unsilent plan init` writes one"):
        read_plan(tmp_path / "none.toml")


def test_a_plan_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="not a readable UTF-8 text file"):
        read_plan(path)


def test_a_long_wrong_value_is_shown_short() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan({"name": "x" * 5000, "modes": {"amplified_bias": {"tolerance": 0.1}}})
    assert len(caught.value.line()) < 250


def test_equal_plans_have_equal_hashes_whatever_the_file_says(tmp_path: Path) -> None:
    short = read_plan(write(tmp_path, MODES))
    spelled = read_plan(
        write(tmp_path, f"{MODES}# a comment\n[privacy]\nepsilon = 8\n[federation]\nclients = 16\n")
    )
    assert short.digest == spelled.digest


def test_a_spread_clip_changes_the_hash_and_leaving_it_out_does_not() -> None:
    blank, none, given = (
        parse_plan({"modes": {"amplified_bias": {"tolerance": 0.1, **more}}})
        for more in ({}, {"spread_clip": None}, {"spread_clip": 0.02})
    )
    assert blank.digest == none.digest != given.digest
    assert "spread_clip" not in blank.to_json()["modes"]["amplified_bias"]
    assert parse_plan(given.to_json()).digest == given.digest


def test_a_spread_clip_of_private_records_is_refused() -> None:
    data = {"modes": {"fairness_collapse": {"tolerance": 0.05, "spread_clip": 0.02}}}
    with pytest.raises(PlanError, match=r"fairness_collapse\.spread_clip: .* private records"):
        parse_plan(data)


def test_a_changed_tolerance_changes_the_hash(tmp_path: Path) -> None:
    one = read_plan(write(tmp_path, MODES))
    other = read_plan(write(tmp_path, MODES.replace("0.1", "0.11")))
    assert one.digest != other.digest


def test_a_plan_survives_json() -> None:
    plan = parse_plan({"modes": {"alignment_erosion": {"tolerance": 0.05}}})
    assert parse_plan(plan.to_json()) == plan
    assert parse_plan(plan.to_json()).digest == plan.digest


def test_a_plan_cannot_be_changed_after_it_was_declared() -> None:
    plan = parse_plan({"modes": {"alignment_erosion": {"tolerance": 0.05}}})
    with pytest.raises(ValueError, match="frozen"):
        plan.privacy.epsilon = 100.0


@pytest.mark.parametrize(
    ("rounds", "expected"), [("every", (1, 2, 3, 4)), ([2, 4], (2, 4)), ([4], (4,))]
)
def test_monitoring_rounds(rounds: object, expected: tuple[int, ...]) -> None:
    plan = parse_plan(
        {
            "federation": {"rounds": 4},
            "monitor": {"rounds": rounds},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
        }
    )
    assert plan.monitoring_rounds == expected


def test_planned_codes_follow_the_taxonomy_and_not_the_file() -> None:
    modes = {"alignment_erosion": {"tolerance": 0.1}, "amplified_bias": {"tolerance": 0.1}}
    assert parse_plan({"modes": modes}).planned == ("SF-1", "SF-6")


def test_reading_a_plan_of_endless_rounds_counts_none_of_them() -> None:
    """A client reads whatever a server sends, before it knows that it was agreed to."""
    data = {"federation": {"rounds": 10**18}, "modes": {"amplified_bias": {"tolerance": 0.1}}}
    assert parse_plan(data).digest.startswith("sha256:")
    with pytest.raises(PlanError, match="starts after the first monitoring round 1"):
        parse_plan({**data, "monitor": {"reference": "round:2"}})


def test_the_reference_must_exist_at_the_first_monitoring_round() -> None:
    modes = {"amplified_bias": {"tolerance": 0.1}}
    for rounds, reference, good in (("every", 1, True), ("every", 2, False), ([2, 3], 2, True)):
        data = {"monitor": {"rounds": rounds, "reference": f"round:{reference}"}, "modes": modes}
        if good:
            assert parse_plan(data).reference_round == reference
            continue
        with pytest.raises(PlanError, match=r"monitor\.reference: round 2 starts after"):
            parse_plan(data)
