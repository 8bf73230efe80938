"""The dashboard in a browser: at both widths and schemes, live, by keyboard, and overridden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import LOOKS, OpenPage
from tests.serve.run_maker import RunMaker, plan_of
from tests.serve.server import served
from unsilent.ledger.location import ledger_of
from unsilent.server.gate_keeper import overrides

ODD = "<img src=x onerror=alert(1)>"
TOKEN = "a token of at least thirty-two characters"
PAGES = ("/", "/runs/ward", "/runs/ward/ledger", "/runs/ward/ledger/1", "/compare?run=ward&run=lab")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that ended, one that goes on, one whose folder has an odd name, one of junk."""
    place = tmp_path_factory.mktemp("runs")
    RunMaker(place / "ward", plan_of("ward", rounds=4)).judged(1, 2).missed(3).judged(4).ended()
    RunMaker(place / "lab", plan_of("lab", rounds=5), {"SF-1": 0.1, "SF-4": 0.1}).judged(1, 2)
    RunMaker(place / ODD, plan_of("odd", gate="observe"))
    (place / "junk").mkdir()
    (place / "junk" / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    return place


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    with served(runs) as found:
        yield found


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_is_clean(address: str, open_page: OpenPage, width: str, scheme: str) -> None:
    watched = open_page(address, width, scheme)
    for path in PAGES:
        watched.page.goto(address + path)
        name = re.sub(r"\W+", "-", path).strip("-") or "runs"
        watched.keep(f"dashboard-{name}-{width}-{scheme}")
        assert watched.page.title().endswith("· unsilent")
        assert not watched.is_wider_than_its_window(), path
        assert watched.accessibility_faults() == [], path
    assert watched.errors == []
    assert watched.elsewhere == []


def test_the_first_screen_says_what_the_metrics_hide(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/runs/ward").page
    assert "The system metrics raise no alarm." in page.inner_text("#summary")
    assert "1 FAILURE, 1 HEALTHY, 4 NOT PLANNED." in page.inner_text("#summary")
    tile = page.inner_text("a.tile >> nth=0")
    assert "Amplified bias" in tile
    assert "FAILURE" in tile
    assert "[" in tile


def test_html_in_a_folders_name_is_text(address: str, open_page: OpenPage) -> None:
    watched = open_page(address)
    assert watched.page.get_by_text(ODD, exact=True).first.is_visible()
    assert watched.page.locator("img").count() == 0
    assert watched.errors == []


def test_a_run_in_progress_appears_without_reload(tmp_path: Path, open_page: OpenPage) -> None:
    with served(tmp_path) as address:
        watched = open_page(address)
        page = watched.page
        page.get_by_text("There are no runs here yet.").wait_for()
        page.evaluate("window.sameLoad = true")
        run = RunMaker(tmp_path / "new", plan_of("new-run"))
        page.get_by_role("link", name="new-run").wait_for()
        run.judged(1)
        page.get_by_text("1 of 4").wait_for()
        page.get_by_text("SF-1 ✔ healthy").wait_for()
        run.judged(2)
        page.get_by_text("SF-1 ✖ failure").wait_for()
        assert page.evaluate("window.sameLoad") is True
        assert watched.errors == []


def test_the_first_findings_appear_in_an_open_page(tmp_path: Path, open_page: OpenPage) -> None:
    run = RunMaker(tmp_path / "new")
    with served(tmp_path) as address:
        page = open_page(f"{address}/runs/new").page
        page.get_by_text("Nothing is known yet.").wait_for()
        page.evaluate("window.sameLoad = true")
        page.fill("#reason", "half a sentence")
        run.judged(1)
        page.get_by_role("heading", name="The silent failures").wait_for()
        page.locator("#live-words", has_text="Round 1: 2 HEALTHY").wait_for()
        # A later entry that says nothing of its own does not wipe it off.
        run.monitor.system(2, 0.3, 0.8)
        page.get_by_text("Round 2 of 4").wait_for()
        assert "Round 1: 2 HEALTHY" in str(page.locator("#live-words").text_content())
        assert page.input_value("#reason") == "half a sentence"
        assert page.evaluate("window.sameLoad") is True


def test_updates_can_be_paused(tmp_path: Path, open_page: OpenPage) -> None:
    run = RunMaker(tmp_path / "new")
    with served(tmp_path) as address:
        page = open_page(f"{address}/runs/new").page
        page.get_by_role("button", name="Pause").click()
        run.judged(1)
        page.wait_for_timeout(1500)
        assert page.get_by_text("Nothing is known yet.").is_visible()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("heading", name="The silent failures").wait_for()


def test_without_event_streams_a_page_asks(tmp_path: Path, open_page: OpenPage) -> None:
    with served(tmp_path) as address:
        page = open_page(address).page
        page.add_init_script("delete window.EventSource")
        page.reload()
        page.locator("#live-words", has_text="asking").wait_for()
        RunMaker(tmp_path / "new", plan_of("new-run"))
        page.get_by_role("link", name="new-run").wait_for()


def test_an_override_by_keyboard_lands_in_the_ledger(tmp_path: Path, open_page: OpenPage) -> None:
    run = RunMaker(tmp_path / "ward").judged(1, 2)
    with served(tmp_path) as address:
        watched = open_page(f"{address}/runs/ward")
        page = watched.page
        page.get_by_label("Adapter to use").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Tab")
        page.keyboard.type("The ward needs <b>it</b> today")
        page.keyboard.press("Tab")
        page.keyboard.type("A. Person")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("takes effect in the next round").first.wait_for()
        assert page.get_by_text("The ward needs <b>it</b> today").first.is_visible()
        assert watched.errors == []
    (said,) = overrides(ledger_of(run.folder), run.plan)
    assert (said.round, said.by) == (2, "A. Person")
    assert said.reason == "The ward needs <b>it</b> today"
    run.judged(3)
    assert run.ledger.page(kind="gate")[1].payload["action"] == "overruled"


def test_the_content_is_one_key_away_and_tiles_lead_to_their_mode(
    address: str, open_page: OpenPage
) -> None:
    page = open_page(f"{address}/runs/ward").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator("a.tile").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/ward#mode-SF-1")


def test_signing_in(runs: Path, open_page: OpenPage) -> None:
    with served(runs, token=TOKEN) as address:
        watched = open_page(address, "phone", "dark")
        page = watched.page
        assert watched.accessibility_faults() == []
        page.get_by_label("Token").fill("another token of thirty-two characters")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("This is not the token.").wait_for()
        assert watched.accessibility_faults() == []
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Runs").wait_for()
        assert TOKEN not in page.url
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert TOKEN not in cookie["value"]
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()
