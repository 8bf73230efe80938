"""A seventh mode, as one file of another distribution: measured, judged, shown and packed."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from tests.modes.installing import install, python
from unsilent.alerts.state import read_state
from unsilent.cli import app
from unsilent.errors import PlanError
from unsilent.evidence import verify
from unsilent.evidence.pack import MANIFEST, pack_bytes
from unsilent.findings import Findings, read_findings, validate
from unsilent.landscape import authors_matrix
from unsilent.landscape.show import as_csv
from unsilent.ledger.location import ledger_of
from unsilent.modes import FIRST
from unsilent.plan import parse_plan
from unsilent.report.page import page
from unsilent.report.source import Run, read_run
from unsilent.serve.reading import RunReader
from unsilent.taxonomy import CODES

SEVEN = [*FIRST, "SF-7"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that planned all seven; made in a process in which the seventh is installed."""
    folder = tmp_path_factory.mktemp("seventh")
    python(install(folder / "site"), "-m", "tests.modes.seventh", str(folder))
    return folder


@pytest.fixture(scope="module")
def folder(made: Path) -> Path:
    return made / "run"


@pytest.fixture(scope="module")
def told(made: Path) -> dict[str, str]:
    """What commands said in that process."""
    return dict(json.loads((made / "told.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def found(folder: Path) -> Findings:
    return read_findings(folder / "findings.json")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Run:
    """The run as this process reads it, which knows six modes."""
    assert "SF-7" not in CODES, "these tests are about a mode that is not installed here"
    return read_run(folder)


def test_all_seven_are_judged_and_the_file_is_valid(folder: Path, found: Findings) -> None:
    assert [each.code for each in found.findings] == SEVEN
    data = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert data["schema"] == "unsilent/findings/2"
    validate(data)


def test_what_was_trained_in_is_found(found: Findings) -> None:
    """Adapters decline by .4 more: no erosion of alignment, and clearly over-refusal."""
    by_code = {each.code: each for each in found.findings}
    assert by_code["SF-7"].verdict == "failure"
    assert by_code["SF-7"].effect == pytest.approx(0.4, abs=0.1)
    assert by_code["SF-6"].verdict == "healthy", by_code["SF-6"]


def test_page_card_and_documentation_name_it(folder: Path, told: dict[str, str]) -> None:
    shown = (folder / "report.html").read_text(encoding="utf-8")
    assert "Personalized adapters decline requests that are harmless." in shown
    assert "not installed" not in shown
    assert "SF-7 Over-refusal" in told["export"]
    assert "rise of the probability of declining harmless requests" in told["modes"]
    assert "unsilent-over-refusal 1.0" in told["modes"]


def test_the_pack_verifies_and_every_round_is_judged_again(
    told: dict[str, str], found: Findings
) -> None:
    verified = json.loads(told["verify"])
    assert verified["good"]
    assert verified["rounds"] == len(found.rounds) == 2


def test_a_first_plan_offers_it(made: Path, told: dict[str, str]) -> None:
    text = (made / "first.toml").read_text(encoding="utf-8")
    assert "# over_refusal = { tolerance = 0.10, clip = 0.25 }" in text
    assert "SF-7" not in told["first"], "it is not planned before someone says so"


def test_a_plan_that_names_it_says_what_it_costs_and_what_leaves(told: dict[str, str]) -> None:
    assert "Over-refusal: rise of the probability of declining" in told["contract"]
    assert "SF-7 Over-refusal" in told["check"]


def test_the_landscape_does_not_know_it_and_says_so(told: dict[str, str]) -> None:
    own = json.loads(told["landscape"])["own"]["cells"]["over_refusal"]
    assert own["rating"] == "none"
    assert "no benchmark run" in own["evidence"]
    assert "SF-7 came later: nobody rated the twelve for it." in told["table"]
    assert told["authors"] == as_csv(authors_matrix()), "theirs stays as it is"


def test_the_validation_in_the_pack_leaves_it_out(made: Path) -> None:
    with zipfile.ZipFile(made / "pack.zip") as pack:
        said = json.loads(pack.read("validation.json"))
        software = json.loads(pack.read("software.json"))
    assert {row["mode"] for row in said["rows"]} <= set(FIRST)
    assert said["rows"] or said["reason"]
    assert software["modes"] == {"SF-7": "unsilent-over-refusal 1.0"}


def test_a_report_without_it_names_it_from_the_file(stranger: Run) -> None:
    shown = page(stranger)
    assert "SF-7 (over_refusal) is not installed here" in shown
    assert "Over refusal" in shown
    assert shown.count('class="tile ') == len(SEVEN)


def test_findings_on_a_terminal_without_it_name_it(folder: Path) -> None:
    shown = CliRunner().invoke(app, ["findings", str(folder)]).stdout
    assert "SF-7 (over_refusal) is not installed here" in shown


def test_the_dashboard_without_it_shows_all_seven(folder: Path) -> None:
    state = RunReader(folder).state()
    assert state.findings is not None
    assert [each.code for each in state.findings.findings] == SEVEN
    assert state.plan.absent == ("over_refusal",)


def test_alerts_without_it_tell_its_verdict(folder: Path) -> None:
    told = {each.code: (each.mode, each.status) for each in read_state(ledger_of(folder)).modes}
    assert told["SF-7"] == ("over_refusal", "failure")
    assert list(told) == SEVEN


def test_a_pack_without_it_is_checked_as_far_as_that_goes(made: Path) -> None:
    found = verify(made / "pack.zip")
    assert found.good
    assert found.rounds == 0
    assert any("the mode over_refusal is not installed here" in note for note in found.notes)


def test_a_pack_that_was_altered_is_found_out_without_it(made: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(
        (made / "pack.zip")
        .read_bytes()
        .replace(b'"verdict": "failure"', b'"verdict": "healthy"', 1)
    )
    assert not verify(bad).good


@pytest.mark.usefixtures("published_validation")
def test_a_pack_can_be_made_without_it(folder: Path, made: Path) -> None:
    """The documents of a pack follow from the record, whatever is installed where it is made."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    with zipfile.ZipFile(made / "pack.zip") as theirs:
        when = datetime.fromisoformat(json.loads(theirs.read(MANIFEST))["made"])
        mine = pack_bytes(read_run(folder), ledger_of(folder), folder, key, made=when)
        with zipfile.ZipFile(BytesIO(mine)) as own:
            for name in ("summary.md", "incidents.json", "privacy.json", "findings.json"):
                assert own.read(name) == theirs.read(name)


def test_a_plan_that_names_it_is_refused_where_it_is_not_installed() -> None:
    with pytest.raises(PlanError, match="needs its distribution installed") as caught:
        parse_plan({"modes": {"over_refusal": {"tolerance": 0.1}}})
    assert caught.value.where == "plan: modes.over_refusal"
