"""The example of a personalization: one file and an entry point, and the federation runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.added_distribution import add_distribution
from tests.reference.small_federation import CLIENTS, Federation, plan, small_federation
from unsilent.client.agreement import Owner, agreed
from unsilent.errors import NotAgreedError, PlanError
from unsilent.models.base import Adapter
from unsilent.models.personalization import known
from unsilent.plan import read_plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "personalization"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    add_distribution(monkeypatch, folder, EXAMPLE)
    return folder


def written(folder: Path, personalization: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(
        f"federation.personalization = {personalization}\n"
        "[modes]\namplified_bias = { tolerance = 0.1 }\n",
        encoding="utf-8",
    )
    return path


def test_it_is_known_once_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, '"wise-ft"')
    with pytest.raises(PlanError, match="no personalization is called 'wise-ft'"):
        read_plan(path)
    (tmp_path / "site").mkdir()
    add_distribution(monkeypatch, tmp_path / "site", EXAMPLE)
    assert known()[-1] == "wise-ft"
    assert read_plan(path).federation.personalization.options == {"share": 0.5}


@pytest.mark.usefixtures("installed")
def test_a_plan_sets_its_options_and_no_others(tmp_path: Path) -> None:
    found = read_plan(written(tmp_path, '{ name = "wise-ft", share = 0.3 }'))
    assert found.federation.personalization.options == {"share": 0.3}
    with pytest.raises(PlanError, match=r"wise-ft has no option 'part'\. Known: share"):
        read_plan(written(tmp_path, '{ name = "wise-ft", part = 0.3 }'))


@pytest.mark.usefixtures("installed")
def test_the_reference_federation_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, personalization: object) -> Federation:
        return small_federation(monkeypatch, tmp_path / name, personalization)

    tuned = run("tuned", "fine-tune")
    middle = run("middle", {"name": "wise-ft", "share": 0.25})
    assert middle.last.digest == tuned.last.digest
    assert middle.monitor.judged(2)
    for client in range(CLIENTS):
        own, end = (each.adapter(client, "personalized") for each in (middle, tuned))
        for name, array in tuned.last.tensors.items():
            wanted = array + 0.25 * (end.tensors[name] - array)
            np.testing.assert_allclose(own.tensors[name], wanted, atol=1e-6)
    whole = run("whole", {"name": "wise-ft", "share": 1.0})
    own, end = (each.adapter(0, "personalized") for each in (whole, tuned))
    assert _furthest(own, end) < 1e-6


def test_a_client_that_agreed_to_no_plan_loads_none_of_it(
    installed: Path,
) -> None:
    """What is installed for one federation is not a server's to run in another."""
    (installed / "wise_ft.py").write_text("raise SystemExit('loaded')\n", encoding="utf-8")
    with pytest.raises(NotAgreedError, match="'wise-ft'"):
        agreed(json.dumps(plan("wise-ft").to_json()), Owner())


def _furthest(one: Adapter, other: Adapter) -> float:
    return max(float(np.abs(one.tensors[n] - t).max()) for n, t in other.tensors.items())
