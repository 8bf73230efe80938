"""The documentation as a site: it builds without a warning, links to nothing dead, reads well.

`make docs` builds it the same way. Sphinx is of the extra `docs`, which `dev` holds too.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import unsilent
import unsilent.flower
import unsilent.nvflare
import unsilent.trainer
from tests.browser.conftest import OpenPage
from tests.docs.blocks import ROOT

NEEDED = ("sphinx", "furo", "myst_parser")
DOCS = ROOT / "docs"
SEEN = ("index", "explanation", "how-to", "tutorial")
"""What a browser looks at; all pages where pictures of them are asked for, which takes minutes."""

check: Callable[[Path], list[str]] = runpy.run_path(str(DOCS / "check_links.py"))["faults"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'unsilent[docs]'")
    out = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-W", "--keep-going"]
    done = subprocess.run(
        [*words, str(DOCS), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_it_builds_without_a_warning_and_no_link_is_dead(site: Path) -> None:
    assert check(site) == []


def test_the_check_finds_what_is_dead_or_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<h1 id="part">x</h1>')
    page = tmp_path / "page.html"
    for link, word in (
        ('<a href="gone.html">', "no file gone.html"),
        ('<a href="there.html#other">', "no part there.html#other"),
        ('<a href="#other">', "no part #other"),
        ('<img src="gone.png">', "no file gone.png"),
        ('<script src="https://elsewhere.example/x.js"></script>', "loads https://"),
    ):
        page.write_text(link)
        (fault,) = check(tmp_path)
        assert word in fault
    page.write_text('<a href="there.html#part"><a href="https://elsewhere.example/"><a href="#">')
    assert [each for each in check(tmp_path) if "page.html" in each] == []
    assert check(tmp_path / "nothing") != []


def test_every_public_name_and_command_is_on_it(site: Path) -> None:
    reference = (site / "reference.html").read_text(encoding="utf-8")
    names = [f"unsilent.{name}" for name in unsilent.__all__ if not name.startswith("_")]
    names += [f"unsilent.nvflare.{name}" for name in unsilent.nvflare.__all__]
    names += [f"unsilent.trainer.{name}" for name in unsilent.trainer.__all__]
    names += ["unsilent.flower.watch_app"]
    assert {name for name in names if f'id="{name}"' not in reference} == set()
    assert set(unsilent.flower.__all__) - set(unsilent.__all__) == {"watch_app"}
    commands = (site / "_made" / "commands.html").read_text(encoding="utf-8")
    assert "<h2>unsilent plan check" in commands
    assert '<span class="pre">--accept-underpowered</span>' in commands
    assert len(re.findall(r"<h2>unsilent ", commands)) > 30


@pytest.mark.parametrize(
    ("width", "scheme", "seen"),
    [
        ("phone", "dark", SEEN[:2]),
        ("desktop", "light", SEEN[2:]),
        pytest.param("phone", "dark", SEEN[2:], marks=pytest.mark.long),
        pytest.param("desktop", "light", SEEN[:2], marks=pytest.mark.long),
    ],
)
def test_a_page_fits_reads_well_and_asks_nobody(
    site: Path, open_page: OpenPage, width: str, scheme: str, seen: tuple[str, ...]
) -> None:
    everything = [str(each.relative_to(site).with_suffix("")) for each in site.rglob("*.html")]
    watched = open_page((site / "index.html").as_uri(), width, scheme)
    for name in everything if "SCREENSHOTS" in os.environ else seen:
        watched.page.goto((site / f"{name}.html").as_uri())
        watched.keep(f"docs-{name.replace('/', '-')}-{width}-{scheme}")
        assert not watched.is_wider_than_its_window(), name
        assert watched.errors == [], name
        assert watched.accessibility_faults() == [], name
    assert (watched.errors, watched.elsewhere) == ([], [])


def test_the_search_works_from_a_folder(site: Path, open_page: OpenPage) -> None:
    watched = open_page(f"{(site / 'search.html').as_uri()}?q=accountant+epsilon")
    watched.page.locator("#search-results li a").first.wait_for()
    assert watched.elsewhere == []
