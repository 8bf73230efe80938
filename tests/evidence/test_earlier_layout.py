"""A pack of an earlier version is not called altered, and says that nothing was judged again."""

import importlib

import pytest

from tests.evidence.conftest import plan_of
from unsilent.evidence.verify import verify_bytes
from unsilent.release.layout import Layout
from unsilent.release.layout_before import digest_before


def test_its_digest_is_the_one_that_was_written_then() -> None:
    # Of this plan, as 0.1.0 wrote it into a ledger before both sides of the clip were reported.
    assert digest_before(plan_of(5)) == (
        "sha256:d7b0f8250110f6ab4603df39eaf3aa0f31cefa528e3e40f4fc594d3de7a7e026"
    )


def test_sums_of_it_are_not_judged_again_and_the_pack_says_so(
    pack: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify_bytes(pack).rounds > 0
    # The package's function of that name hides the module.
    module = importlib.import_module("unsilent.evidence.verify")
    now = Layout.from_plan(plan_of(5)).digest
    monkeypatch.setattr(module, "digest_before", lambda plan: now)
    found = verify_bytes(pack)
    assert (found.good, found.rounds) == (True, 0)
    assert any("findings were not recomputed" in note for note in found.notes)
