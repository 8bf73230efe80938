"""Where a site keeps its own, and whether it is simulated: nothing that a job holds decides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.engines.nvflare import site
from unsilent.engines.nvflare.site import number_of, site_of

WORKER = ["python", "-m", "nvflare.private.fed.app.simulator.simulator_worker", "-o", "w/site-2"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "SIMULATION", "PLAN", "MODEL", "START", "FILES", "HOME_DOMAIN"):
        monkeypatch.delenv(f"UNSILENT_{name}", raising=False)
    monkeypatch.setattr(site, "_simulator", lambda: None)


def test_a_site_without_a_folder_has_none() -> None:
    found = site_of("site-1", None, {})
    assert (found.store, found.simulated) == (None, False)
    assert "UNSILENT_STORE" in found.remedy


def test_sites_of_one_machine_do_not_share_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSILENT_STORE", "/srv/unsilent")
    assert site_of("a", None, {}).store == Path("/srv/unsilent/a")
    assert site_of("b", "script", {}).store == Path("/srv/unsilent/b")
    assert not site_of("b", None, {}).simulated


def test_the_environment_goes_before_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSILENT_PLAN", "sha256:" + "1" * 64)
    monkeypatch.setenv("UNSILENT_HOME_DOMAIN", "news")
    found = site_of("a", "s", {"plan": "sha256:" + "2" * 64, "model": "mine"})
    assert found.settings["plan"] == "sha256:" + "1" * 64
    assert (found.settings["model"], found.home()) == ("mine", "news")


def test_a_simulated_site_is_known_by_how_it_was_started_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = [*WORKER, "--client", "site-2", "--simulator_root", "/tmp/w"]
    assert site._root(started) == Path("/tmp/w")
    assert site._root([*WORKER[:2], "client.py", *started[3:]]) is None
    assert (
        site._root(["python", "train.py", "-m", "x", WORKER[2], "--simulator_root", "/w"]) is None
    )
    monkeypatch.setattr(site, "_simulator", lambda: Path("/tmp/w"))
    found = site_of("site-2", None, {})
    assert (found.simulated, found.number, found.store) == (True, 1, Path("/tmp/w/unsilent/site-2"))
    # A store of its own makes it a real one, with exact noise.
    assert not site_of("site-2", "stores", {}).simulated


def test_simulated_sites_have_numbers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [number_of(f"site-{n}") for n in (1, 2, 12)] == [0, 1, 11]
    names = ("north", "south", "site-0", "site-99999999999")
    assert len({number_of(name) for name in names}) == 4
    monkeypatch.setenv("UNSILENT_SIMULATION", "runs/x")
    assert site_of("site-3", None, {}).store == Path("runs/x/clients/0002")
