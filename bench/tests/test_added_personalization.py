"""A personalization that another distribution adds runs in the benchmark by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.tests.fleet_bank import small_bank
from bench.tests.small_fleet import fleet
from tests.added_distribution import add_distribution
from unsilent.cli import main
from unsilent.models.personalization import method_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "personalization"


def test_the_fleet_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    add_distribution(monkeypatch, tmp_path / "site", EXAMPLE)
    bank = small_bank(tmp_path)
    tuned = fleet(bank, method_of("fine-tune"))
    middle = fleet(bank, method_of("wise-ft", {"share": 0.25}))
    for one, other in zip(middle, tuned, strict=True):
        shared = one.shared.full()
        np.testing.assert_array_equal(shared, other.shared.full())
        wanted = shared + 0.25 * (other.personal.full() - shared)
        np.testing.assert_allclose(one.personal.full(), wanted, atol=1e-6)
        assert np.abs(wanted - shared).max() > 1e-4


def test_one_that_is_not_installed_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "run", "--personalization", "wise-ft"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "unsilent: --personalization: no personalization is called 'wise-ft'. "
        "Known here: fine-tune, ditto, fedsa, local, fedper."
    ]
