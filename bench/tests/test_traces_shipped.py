"""The recorded traces are found from a checkout, are small enough for it, and are in no wheel."""

import tomllib
from pathlib import Path

import pytest
from unsilent_bench.traces import read, shipped, write

from bench.tests.traces_maker import federation
from unsilent.errors import InputError

BENCH = Path(__file__).parents[1]


def test_they_lie_beside_the_package_and_outside_of_it() -> None:
    assert shipped.shipped() == BENCH / "traces"
    listed = tomllib.loads((BENCH / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert listed["packages"]["find"]["where"] == ["src"]
    assert not any("traces" in name for name in listed["package-data"])


def test_all_of_them_are_under_40_megabytes() -> None:
    assert sum(path.stat().st_size for path in (BENCH / "traces").iterdir()) < 40e6


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if the package lay in a folder of its own, without sources around it."""
    place = folder / "lib" / "site-packages" / "unsilent_bench" / "traces" / "shipped.py"
    monkeypatch.setattr(shipped, "__file__", str(place))


def test_an_installed_package_finds_those_of_the_checkout_that_it_is_run_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, tmp_path / "elsewhere")
    write(tmp_path / "bench" / "traces", [federation(clients=8)])
    below = tmp_path / "docs"
    below.mkdir()
    monkeypatch.chdir(below)
    assert shipped.shipped() == tmp_path / "bench" / "traces"
    assert len(read().federations) == 1


def test_where_there_are_none_a_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"wheels hold no traces.*checkout.*--traces"):
        read()
