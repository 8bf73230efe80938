"""The benchmark's page in a real browser: on a phone and at a desk, light, dark and printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from unsilent_bench.page import page
from unsilent_bench.replay import replay
from unsilent_bench.traces import Traces

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from tests.browser.conftest import LOOKS, OpenPage


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = [federation("SF-1", dose, s, clients=24) for dose in ("none", "strong") for s in (1, 2)]
    made += [federation("SF-1", "strong", s, clients=24, training="dp-sgd:2") for s in (1, 2)]
    found = replay(Traces(tuple(made), "here"), plans={"fleet": PLAN}, epsilons=(None, 8.0))
    path: Path = tmp_path_factory.mktemp("bench") / "bench.html"
    path.write_text(page(found.to_json()), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_page_fits_reads_well_and_asks_nobody(
    address: str, open_page: OpenPage, width: str, scheme: str
) -> None:
    watched = open_page(address, width, scheme)
    watched.keep(f"benchmark-{width}-{scheme}")
    assert not watched.is_wider_than_its_window()
    assert watched.accessibility_faults() == []
    assert watched.errors == []
    assert watched.elsewhere == []
    # Charts are drawn in the scheme's own ink.
    colour = watched.page.eval_on_selector("figure svg text", "each => getComputedStyle(each).fill")
    assert (colour == "rgb(165, 169, 176)") == (scheme == "dark")


def test_every_chart_and_row_is_printed(address: str, open_page: OpenPage) -> None:
    printed = open_page(address).page
    printed.emulate_media(media="print")
    assert printed.locator("figure svg").count() == 4
    assert printed.locator("details tr").last.is_visible()
