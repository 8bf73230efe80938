"""An earlier run is packed by the present version, and that pack holds."""

from __future__ import annotations

import json

import pytest

from tests.earlier.conftest import ENTRIES, VERSIONS, Ask, Earlier
from unsilent.evidence import container


@pytest.mark.usefixtures("published_validation")
def test_it_verifies_and_has_the_same_ledger(earlier: Earlier, ledger_at: str, ask: Ask) -> None:
    out, key = earlier.folder / "again.zip", earlier.folder / "key.pem"
    ask("evidence", earlier.run, "--out", out, "--key", key)
    found = json.loads(ask("verify", out, "--head", earlier.head, "--json"))
    assert (found["good"], found["entries"]) == (True, ENTRIES)
    assert found["rounds"] == 0


@pytest.mark.usefixtures("published_validation")
def test_a_person_who_knows_is_still_recorded(earlier: Earlier, ledger_at: str, ask: Ask) -> None:
    ask("aware", earlier.run, "--by", "B. Person", "--note", "read it later")
    out, key = earlier.folder / "again.zip", earlier.folder / "key.pem"
    ask("evidence", earlier.run, "--out", out, "--key", key)
    found = json.loads(ask("verify", out, "--head", earlier.head, "--json"))
    assert (found["good"], found["entries"]) == (True, ENTRIES + 1)


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("earlier", VERSIONS[-1:], indirect=True)
def test_what_was_recorded_is_replayed_under_its_plan(earlier: Earlier, ask: Ask) -> None:
    out, key = earlier.folder / "again.zip", earlier.folder / "key.pem"
    ask("evidence", earlier.run, "--out", out, "--key", key)
    assert json.loads(ask("verify", out, "--json"))["good"]
    said = json.loads(container.from_bytes(out.read_bytes())["validation.json"])
    assert said["of"] == "this plan"
