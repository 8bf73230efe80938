"""The map from a pack to what texts ask for: it names what is there, and claims no more."""

import json
import re

import pytest

from tests.evidence.conftest import plan_of
from unsilent.evidence import container
from unsilent.evidence.field_map import CHECK, NO_RECORDS, entries, field_map, field_map_words
from unsilent.modes import FIRST, MODES
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.taxonomy import by_code

ACT = "EU AI Act, Regulation (EU) 2024/1689 as amended by (EU) 2026/1744"
PLACES = {
    ACT: {"4a", "12", "15", "19", "20", "25", "26(5)", "72", "73", "Annex IV"},
    "NIST AI 600-1": {"MS-4.2-002", "MG-4.1-002", "MG-3.2-006", "MG-3.2-009", "MS-2.13-001"},
    "NIST AI 800-4": {"monitoring of functionality"},
    "ISO/IEC 42001": {"9.1", "10.2", "A.6.2.6", "A.6.2.8"},
    "ISO/IEC 42005": {"review of an impact assessment"},
    "prEN 18286": {"9.3", "9.4", "9.5", "9.6"},
    "MDR, Regulation (EU) 2017/745": {"83", "84", "85", "86"},
    "FDA, predetermined change control plan": {"modification protocol, performance evaluation"},
    "FDA, lifecycle management": {"performance monitoring"},
}
MEMBER = re.compile(r"([a-z_]+\.(?:jsonl|json|md|html))(?:: .+)?")


def asking(*modes: str) -> MonitoringPlan:
    data = plan_of(2).to_json()
    data["modes"] = {name: {"tolerance": 0.1, "clip": 0.3} for name in modes}
    return parse_plan(data)


def test_every_entry_points_at_members_that_a_pack_has(pack: bytes) -> None:
    files = container.from_bytes(pack)
    for entry in json.loads(files["field_map.json"])["entries"]:
        assert entry["evidence"] or not entry["claimed"], entry["reference"]
    # As it is written too: what one plan does not claim another does.
    for entry in entries():
        assert entry["evidence"]
        for each in entry["evidence"]:
            member = MEMBER.fullmatch(each)
            assert member is not None, each
            assert member[1] in files, each


def test_codes_that_entries_name_are_modes_and_keys_are_in_the_file(pack: bytes) -> None:
    files = container.from_bytes(pack)
    known = {"tolerances": "tolerance", "missed rounds": "missed", "history": "rounds"}
    for entry in entries():
        for each in entry["evidence"]:
            name, _, rest = each.partition(": ")
            for word in re.split(r", | and ", rest) if rest else ():
                told = word.rpartition(".")[2].removeprefix("their ").strip()
                if re.fullmatch(r"SF-\d", told):
                    assert told in MODES
                elif name == "decisions.json":
                    assert told in ("hold", "rollback")
                elif (name, told) != ("plan.json", "gate"):
                    # A gate that only observes is not written.
                    assert f'"{known.get(told, told)}"'.encode() in files[name], each


@pytest.mark.parametrize("framework", PLACES)
def test_the_texts_that_were_asked_for_are_there(framework: str) -> None:
    found = {
        str(e["reference"]).removeprefix("Article ")
        for e in entries()
        if e["framework"].startswith(framework)
    }
    assert PLACES[framework] <= found


def test_each_entry_says_what_is_left_to_do_and_to_check_the_text() -> None:
    for entry in field_map(plan_of(2))["entries"]:
        assert entry["check"] == CHECK
        assert len(entry["add"]) > 20, entry["reference"]
        assert (entry["applies"] is not None) == entry["framework"].startswith("EU AI Act")
    places = [(entry["framework"], entry["reference"]) for entry in entries()]
    assert len(set(places)) == len(places)


def test_dates_are_those_of_the_amendment() -> None:
    by_place = {e["reference"]: e for e in field_map(plan_of(2))["entries"]}
    assert "2 December 2027" in by_place["Article 73"]["applies"]
    assert "2 August 2028" in by_place["Article 73"]["applies"]
    assert "2 September 2027" in by_place["Article 72"]["about"]
    assert "no template is mandatory" in by_place["Article 72"]["about"]


@pytest.mark.parametrize("name", [by_code(code).mode for code in FIRST])
def test_real_use_is_claimed_only_where_real_records_are_asked(name: str) -> None:
    plan = asking(name)
    (entry,) = [e for e in field_map(plan)["entries"] if e["reference"] == "MS-4.2-002"]
    private = name == "fairness_collapse"
    assert entry["claimed"] is private
    assert (entry["reason"], bool(entry["evidence"])) == (None if private else NO_RECORDS, private)
    row = next(line for line in field_map_words(plan).splitlines() if "MS-4.2-002" in line)
    assert ("SF-3" in row) is private
    assert ("∅ not claimed" in row) is not private


def test_of_probes_and_records_together_it_names_what_asks_records() -> None:
    plan = asking("amplified_bias", "fairness_collapse")
    (entry,) = [e for e in field_map(plan)["entries"] if e["reference"] == "MS-4.2-002"]
    assert entry["evidence"][0] == "findings.json: SF-3, on the clients' own records"


def test_declared_performance_on_records_is_of_real_use_too() -> None:
    plan = asking("amplified_bias").model_copy(update={"performance": object()})
    (entry,) = [e for e in field_map(plan)["entries"] if e["reference"] == "MS-4.2-002"]
    assert entry["evidence"][0] == "findings.json: performance, on the clients' own records"


def test_a_failure_is_called_no_serious_incident_wherever_incidents_are_shown(pack: bytes) -> None:
    files = container.from_bytes(pack)
    for name in ("summary.md", "report.html"):
        assert "no “serious incident”" in files[name].decode(), name
    assert "no “serious incident”" in json.loads(files["field_map.json"])["serious_incidents"]
    (entry,) = [e for e in field_map(plan_of(2))["entries"] if e["reference"] == "Article 73"]
    assert "no serious incident" in entry["add"]


def test_nothing_is_called_compliant(pack: bytes) -> None:
    words = field_map_words(plan_of(2)).lower()
    assert "not a claim of compliance" in words
    assert "compliant" not in words
    assert "complies" not in words
