"""A run's report and the landscape in a real browser: on a phone and at a desk, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from unsilent_bench.landscape_own import own_row

from tests.browser.conftest import LOOKS, OpenPage
from tests.evidence.conftest import write_run
from unsilent.landscape import authors_matrix, our_reading
from unsilent.landscape.show import as_html
from unsilent.report.page import write_page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(write_run(tmp_path_factory.mktemp("report") / "run", 5)).as_uri()


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("landscape") / "landscape.html"
    path.write_text(as_html(authors_matrix(), our_reading(), own_row(None)), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("name", ["report", "landscape"])
def test_a_page_fits_reads_well_and_asks_nobody(
    name: str, width: str, scheme: str, open_page: OpenPage, request: pytest.FixtureRequest
) -> None:
    watched = open_page(request.getfixturevalue(name), width, scheme)
    watched.keep(f"{name}-{width}-{scheme}")
    assert not watched.is_wider_than_its_window()
    assert watched.accessibility_faults() == []
    assert watched.errors == []
    assert watched.elsewhere == []


def test_what_axe_finds_is_told_with_its_markup(tmp_path: Path, open_page: OpenPage) -> None:
    page = tmp_path / "page.html"
    page.write_text('<html lang="en"><title>x</title><main><h1>x</h1><img src="data:,">')
    (fault,) = open_page(page.as_uri()).accessibility_faults()
    assert fault == 'critical: image-alt: <img src="data:,">'


def test_the_decision_and_six_tiles_are_the_first_screen_of_a_desk(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report).page
    first = page.locator(".decision").bounding_box()
    assert first is not None
    assert first["y"] + first["height"] < 450
    assert page.locator(".graph a.tile").count() == 6
    boxes = [tile.bounding_box() for tile in page.locator(".graph a.tile").all()]
    tops = sorted({round(box["y"]) for box in boxes if box})
    assert len(tops) == 2
    assert tops[0] < 900


def test_the_arrows_are_a_drawing_that_is_asked_for(report: str, open_page: OpenPage) -> None:
    page = open_page(report).page
    assert page.locator(".arrows path.arrow").count() == 9
    assert page.locator(".arrows rect").count() == 6
    assert not page.locator(".arrows").is_visible()
    page.get_by_text("How one mode can lead to another").click()
    assert page.locator(".arrows").is_visible()


def test_a_phone_has_the_arrows_in_words(report: str, open_page: OpenPage) -> None:
    page = open_page(report, "phone").page
    assert not page.locator(".arrows").is_visible()
    assert page.get_by_text("can lead to SF-2 and SF-3").first.is_visible()


def test_a_tile_leads_to_its_mode_by_keyboard(report: str, open_page: OpenPage) -> None:
    page = open_page(report).page
    page.locator('a.tile[href="#SF-4"]').focus()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#SF-4"


def test_everything_is_printed(report: str, open_page: OpenPage) -> None:
    page = open_page(report).page
    page.emulate_media(media="print")
    assert page.locator("details td").last.is_visible()
