"""Plans keep their digest whatever is installed, and name a mode that is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.modes.installing import describe, install, python
from tests.plan.digests import digest_of
from unsilent.errors import PlanError
from unsilent.modes import FIRST, MODES, NAME
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plans import demo_plan, starter_plan
from unsilent.release import Layout

OURS = [MODES[code].name for code in FIRST]
SECTION = st.fixed_dictionaries(
    {"tolerance": st.floats(0.01, 0.2)},
    optional={"clip": st.floats(0.3, 2.0), "alpha_weight": st.sampled_from([0.5, 1.0, 2.0])},
)
SIX = st.dictionaries(st.sampled_from(OURS), SECTION, min_size=1)
ABSENT = st.dictionaries(
    st.from_regex(NAME, fullmatch=True).filter(lambda name: name not in OURS), SECTION, max_size=3
)
WITH = {"amplified_bias": {"tolerance": 0.1}, "over_refusal": {"tolerance": 0.1}}


def sample() -> list[dict[str, Any]]:
    """Plans of the six, of many shapes."""
    plans: list[dict[str, Any]] = [
        {"modes": {name: {"tolerance": 0.02 * place + 0.05} for name in OURS[:place]}}
        for place in range(1, 7)
    ]
    shipped = [starter_plan(), *(demo_plan("skewed", tier) for tier in ("lm", "fleet"))]
    gated = {"modes": {OURS[5]: {"tolerance": 0.1}}, "gate": {"action": "hold", "modes": [OURS[5]]}}
    return [*plans, *(plan.to_json() for plan in shipped), gated]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
    """What a process says of plans in which a seventh mode is installed, and a broken eighth."""
    site = install(tmp_path_factory.mktemp("elsewhere") / "site")
    describe(site, "broken-modes", "0.3", {"broken_mode": "no_such_module:Mode"})
    asked = [*sample(), {"modes": WITH}, {"modes": {"broken_mode": {"tolerance": 0.1}}}]
    done = python(site, "-m", "tests.plan.digests", given=json.dumps(asked))
    return json.loads(done.stdout), done.stderr


def test_a_plan_of_the_six_has_the_digest_it_had(
    elsewhere: tuple[list[dict[str, Any]], str],
) -> None:
    here = [digest_of(data) for data in sample()]
    assert elsewhere[0][: len(here)] == here
    assert len({each["digest"] for each in here}) == len(here)


def test_the_digests_are_those_of_the_first_plans() -> None:
    """Ledgers and packs hold them."""
    data = {
        "schema": "unsilent/plan/1",
        "modes": {"alignment_erosion": {"tolerance": 0.05}},
    }
    assert parse_plan(data).digest == (
        "sha256:d3275de33cac9631b7b3ad9bb5e47c5e6af267cb7b68137587ceeeb6e2f4431f"
    )
    assert list(parse_plan(data).to_json()["modes"]) == OURS


def test_a_recorded_plan_keeps_its_digest_where_a_mode_is_absent(
    elsewhere: tuple[list[dict[str, Any]], str],
) -> None:
    told = elsewhere[0][-2]
    plan = parse_plan(told["plan"], recorded=True)
    assert plan.absent == ("over_refusal",)
    assert plan.digest == told["digest"]
    assert plan.planned == ("SF-1",)
    with pytest.raises(PlanError, match=r"modes\.over_refusal: this mode is not installed here"):
        Layout.from_plan(plan)


def test_one_that_cannot_be_loaded_is_told_with_its_distribution(
    elsewhere: tuple[list[dict[str, Any]], str],
) -> None:
    line = "broken_mode of broken-modes 0.3 cannot be loaded: ModuleNotFoundError"
    assert elsewhere[0][-1]["fault"].startswith("plan: modes.broken_mode: unknown key. " + line)
    assert elsewhere[1].count(line) == 1, "said once, and the other plans are read"


@given(SIX, ABSENT)
def test_whatever_is_absent_a_recorded_plan_is_read_as_it_was(
    modes: dict[str, Any], absent: dict[str, Any]
) -> None:
    plan = parse_plan({"modes": {**modes, **absent}}, recorded=True)
    assert plan.absent == tuple(sorted(absent))
    again = parse_plan(plan.to_json(), recorded=True)
    assert (again, again.digest) == (plan, plan.digest)
    assert {name for name, each in plan.to_json()["modes"].items() if each} == {*modes, *absent}
    assert (type(plan) is MonitoringPlan) == (not absent)


@given(SIX, ABSENT.filter(bool))
def test_a_plan_to_be_run_needs_all_of_its_modes(
    modes: dict[str, Any], absent: dict[str, Any]
) -> None:
    with pytest.raises(PlanError, match="unknown key"):
        parse_plan({"modes": {**modes, **absent}})


def test_a_plan_of_absent_modes_alone_is_read() -> None:
    data = {"modes": {"over_refusal": {"tolerance": 0.1}}, "gate": {"modes": ["over_refusal"]}}
    assert parse_plan(data, recorded=True).absent == ("over_refusal",)
    with pytest.raises(PlanError, match="is no name of a mode"):
        parse_plan({"modes": {"../x": {"tolerance": 0.1}}}, recorded=True)


def test_a_misspelt_key_is_not_taken_for_a_distribution() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan({"modes": {"amplified_bia": {"tolerance": 0.1}}})
    assert caught.value.remedy == "Did you mean 'amplified_bias'?"


def test_the_starter_gives_each_mode_what_its_file_says() -> None:
    plan = starter_plan()
    for code in FIRST:
        planned = plan.mode(MODES[code].name)
        assert planned is not None
        assert (planned.tolerance, planned.clip) == (MODES[code].tolerance, MODES[code].clip)
