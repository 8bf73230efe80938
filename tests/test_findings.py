import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from unsilent import modes
from unsilent.errors import FindingsError
from unsilent.findings import (
    ActiveInfluence,
    Finding,
    Findings,
    HistoryRound,
    Onset,
    PrivacySummary,
    Slope,
    Subgroup,
    SystemMetrics,
    Trend,
    Window,
    read_findings,
    validate,
    write_findings,
)
from unsilent.schema import schema
from unsilent.taxonomy import by_code

FINITE = st.floats(-2, 2, allow_nan=False)
SDS = st.floats(0, 1)


@st.composite
def findings_of(draw) -> Findings:
    """Findings that the judge could have made."""
    made = []
    for failure in map(by_code, modes.FIRST):
        blank = Finding(
            failure.code,
            failure.mode,
            failure.layer,
            draw(st.sampled_from(["server", "client_public", "client_private"])),
            "what is measured",
            (-0.3, 0.3),
        )
        kind = draw(st.sampled_from(["failure", "healthy", "undetermined", "few", None]))
        tolerance, effect = draw(st.floats(0.01, 1)), draw(FINITE)
        half = draw(st.floats(0, 1))
        if kind is None:
            made.append(replace(blank, reason="not planned"))
            continue
        if kind == "few":
            made.append(
                replace(blank, clients=3, tolerance=tolerance, verdict="undetermined", reason="few")
            )
            continue
        if kind == "failure":
            effect = tolerance + half + 0.01 + abs(effect)
        elif kind == "healthy":
            effect = tolerance - half - 0.01 - abs(effect)
        finding = replace(
            blank,
            effect=effect,
            interval=(effect - half, effect + half),
            window=(1, 3),
            windows=(
                Window(1, 3, effect, (effect - half, effect + half)),
                Window(2, 3, effect, (effect - 1, effect + 1)),
            ),
            worst_case=(effect - half, effect + half) if draw(st.booleans()) else None,
            liars=draw(st.one_of(st.none(), st.integers(1, 9))),
            clipped=draw(FINITE),
            onset=Onset(1, draw(st.integers(1, 3)), draw(st.sampled_from([None, (1, 1)])))
            if kind == "failure"
            else None,
            slope=Slope(0.01, (-0.01, 0.02)) if draw(st.booleans()) else None,
            sampling_sd=draw(SDS),
            privacy_sd=draw(SDS),
            item_sd=draw(SDS),
            clients=draw(st.integers(1, 1000)),
            tolerance=tolerance,
            minimal_detectable_effect=draw(SDS),
            verdict=kind,
            visibility=draw(st.sampled_from(["silent", "loud", "undetermined"]))
            if kind == "failure"
            else None,
            first_alarm_round=draw(st.integers(1, 9)) if kind == "failure" else None,
            reason="wide" if kind == "undetermined" else None,
            subgroups=(Subgroup("A", effect, None, None),) if draw(st.booleans()) else (),
        )
        made.append(finding.with_oracle(draw(FINITE), 12) if draw(st.booleans()) else finding)
    return Findings(
        name="demo",
        scenario=draw(st.sampled_from([None, "skewed"])),
        plan="sha256:" + "0" * 64,
        round=3,
        clients=12,
        privacy=PrivacySummary(
            "client", "zero-out", draw(SDS), 8.0, 1e-5, "plain", 1, draw(SDS), "what was spent"
        ),
        system_metrics=SystemMetrics(Trend(0.61, 0.44), Trend(0.71, None), False),
        findings=tuple(made),
        rounds=(HistoryRound.of(3, made),),
        influence=(ActiveInfluence("SF-1", "SF-3", "primary", "consistent with an influence"),),
    )


@pytest.fixture
def failing() -> Findings:
    """SF-1 failed, the rest not planned."""
    made = [
        Finding(f.code, f.mode, f.layer, "client_public", "s", (-0.3, 0.3), reason="not planned")
        for f in map(by_code, modes.FIRST)
    ]
    made[0] = replace(
        made[0],
        reason=None,
        effect=0.2,
        interval=(0.15, 0.25),
        window=(1, 1),
        windows=(Window(1, 1, 0.2, (0.15, 0.25)),),
        worst_case=(0.1, 0.3),
        liars=2,
        clipped=-0.01,
        onset=Onset(1, 1),
        sampling_sd=0.0,
        privacy_sd=0.02,
        item_sd=0.01,
        clients=12,
        tolerance=0.1,
        minimal_detectable_effect=0.06,
        verdict="failure",
        visibility="silent",
        first_alarm_round=1,
    )
    return Findings(
        "demo",
        "skewed",
        "sha256:" + "0" * 64,
        1,
        12,
        PrivacySummary("client", "zero-out", 7.9, 8.0, 1e-5, "plain", 1, 0.6, "spent"),
        SystemMetrics(Trend(0.6, 0.4), Trend(0.7, 0.8), False),
        tuple(made),
        (HistoryRound.of(1, made),),
    )


def test_the_published_schema_is_itself_valid():
    Draft202012Validator.check_schema(schema())


@settings(max_examples=40, deadline=None)
@given(findings_of())
def test_reading_what_was_written_changes_nothing(findings):
    data = findings.to_json()
    validate(data)
    again = Findings.from_json(json.loads(json.dumps(data)))
    assert again.to_json() == data
    assert again.text() == findings.text()


def test_a_file_reads_back_equal(tmp_path, failing):
    write_findings(tmp_path / "findings.json", failing)
    assert read_findings(tmp_path / "findings.json") == failing


def test_numbers_are_rounded_to_six_significant_digits(failing):
    rough = replace(failing.findings[0], effect=0.2 + 1e-9, item_sd=0.0123456789, sampling_sd=-0.0)
    data = rough.to_json()
    assert data["effect"] == 0.2
    assert data["item_sd"] == 0.0123457
    assert math.copysign(1, data["sampling_sd"]) == 1.0


def test_no_field_of_the_architecture_is_missing(failing):
    data = failing.to_json()
    assert next(iter(data)) == "schema"
    assert set(data) >= {"schema", "plan", "round", "clients", "privacy", "system_metrics"}
    documented = (
        "code mode layer view effect interval sampling_sd privacy_sd tolerance "
        "minimal_detectable_effect verdict visibility first_alarm_round statistic subgroups views"
    )
    assert set(data["findings"][0]) >= set(documented.split())


def change(data, path, value):
    *parents, last = path
    for key in parents:
        data = data[key]
    data[last] = value


FIRST = ("findings", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*FIRST, "verdict"), "fine"),
        ((*FIRST, "verdict"), "healthy"),  # with a visibility and an interval above
        ((*FIRST, "visibility"), None),
        ((*FIRST, "interval"), None),
        ((*FIRST, "interval"), [0.15]),
        ((*FIRST, "interval"), [0.25, 0.15]),
        ((*FIRST, "interval"), [0.05, 0.25]),  # not above the tolerance
        ((*FIRST, "effect"), 0.3),  # outside the interval
        ((*FIRST, "effect"), None),
        ((*FIRST, "privacy_sd"), -0.1),
        ((*FIRST, "tolerance"), None),
        ((*FIRST, "reason"), "because"),
        ((*FIRST, "surprise"), 1),
        ((*FIRST, "window"), None),
        ((*FIRST, "window"), [1, 2]),  # not one of those judged
        ((*FIRST, "windows"), []),
        ((*FIRST, "windows", 0, "effect"), 0.3),
        ((*FIRST, "liars"), 0),
        ((*FIRST, "clipped"), None),
        ((*FIRST, "onset"), [1, 1]),
        (("influence",), None),
        (("findings", 1, "reason"), None),
        (("findings", 1, "tolerance"), 0.1),
        (("findings", 1, "code"), "SF-3"),
        (("findings", 2, "layer"), "data"),
        (("plan",), "sha256:short"),
        (("privacy", "aggregation"), "trust me"),
        (("privacy", "epsilon"), 0),
        (("rounds", 0, "findings", 0, "code"), "SF-2"),
        (("system_metrics", "alarm"), None),
        (("time",), "2026-11-22"),
    ],
)
def test_what_breaks_the_contract_is_refused(failing, path, value):
    data = json.loads(failing.text())
    change(data, path, value)
    with pytest.raises(FindingsError):
        validate(data)


@pytest.mark.parametrize("key", ["findings", "rounds"])
def test_all_six_modes_are_always_there(failing, key):
    data = json.loads(failing.text())
    target = data["findings"] if key == "findings" else data["rounds"][0]["findings"]
    del target[5]
    with pytest.raises(FindingsError):
        validate(data)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_is_never_written(failing, value):
    bad = replace(failing, privacy=replace(failing.privacy, epsilon_spent=value))
    with pytest.raises(FindingsError, match="not finite"):
        bad.text()


@pytest.mark.parametrize(
    ("truth", "verdict", "within", "agrees"),
    [
        (0.2, "failure", False, True),
        (0.05, "failure", True, False),
        (0.1, "failure", True, False),  # the tolerance itself is accepted
        (0.2, "healthy", False, False),
        (0.05, "healthy", True, True),
        (0.2, "undetermined", False, True),
        (0.05, "undetermined", True, True),
    ],
)
def test_the_oracle_says_whether_the_verdict_is_true(failing, truth, verdict, within, agrees):
    oracle = replace(failing.findings[0], verdict=verdict).with_oracle(truth, 12).oracle
    assert (oracle.effect, oracle.within_tolerance, oracle.agrees) == (truth, within, agrees)


def test_an_oracle_that_lies_about_agreement_is_refused(failing):
    judged = failing.findings[0].with_oracle(0.2, 12)
    lying = replace(judged, oracle=replace(judged.oracle, agrees=False))
    with pytest.raises(FindingsError, match="agrees"):
        replace(failing, findings=(lying, *failing.findings[1:])).text()


def test_a_mode_that_is_not_planned_gets_no_oracle(failing):
    assert failing.findings[1].with_oracle(0.5, 12).oracle is None


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "no findings here"), (b"{", "not readable JSON"), (b"[]", "schema"), (b"\xff", "JSON")],
)
def test_a_file_that_is_none_is_named(tmp_path, content, what):
    path = tmp_path / "findings.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FindingsError, match=what) as caught:
        read_findings(path)
    assert "findings.json" in caught.value.where
