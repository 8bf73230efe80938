"""Two versions of the findings schema: the paper's six modes, and any number behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.test_findings import findings_of
from unsilent.errors import FindingsError
from unsilent.findings import Finding, Findings, HistoryRound, validate
from unsilent.modes import CODE, FIRST, NAME
from unsilent.schema import schema

FURTHER = st.lists(
    st.tuples(
        st.from_regex(CODE, fullmatch=True).filter(lambda code: code not in FIRST),
        st.from_regex(NAME, fullmatch=True),
        st.sampled_from(["data", "model", "system"]),
    ),
    max_size=4,
    unique_by=(lambda each: each[0], lambda each: each[1]),
)
SEVENTH = ("SF-7", "over_refusal", "model")


def with_further(findings: Findings, further: list[tuple[str, str, str]]) -> Findings:
    """The findings with modes behind them that were found as the first one was."""
    made = list(findings.findings)
    for code, name, layer in further:
        made.append(replace(made[0], code=code, mode=name, layer=layer))
    return replace(findings, findings=tuple(made), rounds=(HistoryRound.of(3, made),))


@settings(max_examples=40, deadline=None)
@given(findings_of(), FURTHER)
def test_any_number_of_modes_is_written_valid_and_read_back(
    six: Findings, further: list[tuple[str, str, str]]
) -> None:
    whole = with_further(six, further)
    data = json.loads(whole.text())
    assert data["schema"] == f"unsilent/findings/{2 if further else 1}"
    Draft202012Validator(schema(2 if further else 1)).validate(data)
    again = Findings.from_json(data)
    assert again.text() == whole.text()
    assert [f.code for f in again.findings] == [*FIRST, *(code for code, _, _ in further)]


@settings(max_examples=10, deadline=None)
@given(findings_of())
def test_a_file_of_six_is_what_it_was(six: Findings) -> None:
    """Its readers know no second version."""
    data = json.loads(six.text())
    Draft202012Validator(schema(1)).validate(data)
    Draft202012Validator(schema(2)).validate(data)
    Draft202012Validator(schema(2)).validate({**data, "schema": "unsilent/findings/2"})


def changed(findings: Findings, **fields: Any) -> dict[str, Any]:
    data = json.loads(with_further(findings, [SEVENTH]).text())
    data["findings"][6] |= fields
    if "code" in fields:
        data["rounds"][0]["findings"][6]["code"] = fields["code"]
    return data


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "SF-6"},
        {"mode": "alignment_erosion"},
        {"code": "seven"},
        {"mode": "Over refusal"},
        {"layer": "cloud"},
    ],
)
@settings(max_examples=3, deadline=None)
@given(six=findings_of())
def test_a_further_mode_has_names_of_its_own(fields: dict[str, Any], six: Findings) -> None:
    validate(changed(six))
    with pytest.raises(FindingsError):
        validate(changed(six, **fields))


@settings(max_examples=3, deadline=None)
@given(findings_of())
def test_the_first_version_holds_six(six: Findings) -> None:
    seven = {**changed(six), "schema": "unsilent/findings/1"}
    with pytest.raises(FindingsError, match="does not follow the findings schema"):
        validate(seven)
    assert not Draft202012Validator(schema(2)).is_valid(seven)


@settings(max_examples=3, deadline=None)
@given(findings_of())
def test_every_round_holds_the_same_modes(six: Findings) -> None:
    data = changed(six)
    del data["rounds"][0]["findings"][6]
    with pytest.raises(FindingsError, match="other modes than the last round's"):
        validate(data)


@settings(max_examples=3, deadline=None)
@given(findings_of())
def test_a_single_finding_of_a_further_mode_is_read(six: Findings) -> None:
    """As a ledger's entry holds it."""
    seventh = with_further(six, [SEVENTH]).findings[6]
    assert Finding.from_json(json.loads(json.dumps(seventh.to_json()))).code == "SF-7"


def differing(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """The places at which two schemas differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {*one, *other}:
            if key in one and key in other:
                yield from differing(one[key], other[key], f"{at}/{key}")
            else:
                yield f"{at}/{key}"
    elif one != other:
        yield at


def test_the_versions_differ_in_the_modes_alone() -> None:
    found = set(differing(schema(1), schema(2)))
    code = {
        f"/$defs/{where}/properties/{key}/{part}"
        for where, key in (
            ("finding", "code"),
            ("history", "code"),
            ("influence", "source"),
            ("influence", "target"),
        )
        for part in ("enum", "$ref", *(["description"] if where == "finding" else []))
    }
    mode = {
        f"/$defs/finding/properties/mode/{p}" for p in ("enum", "type", "pattern", "description")
    }
    most = {"/properties/findings/maxItems", "/$defs/round/properties/findings/maxItems"}
    names = {"/$id", "/description", "/$defs/code"}
    version = {f"/properties/schema/{part}" for part in ("const", "enum", "description")}
    assert found == code | mode | most | names | version | {"/if", "/then"}


def test_the_schema_and_the_registry_mean_the_same_names() -> None:
    held = schema(2)["$defs"]
    assert held["code"]["pattern"] == f"^{CODE.pattern}$"
    assert held["finding"]["properties"]["mode"]["pattern"] == f"^{NAME.pattern}$"
