"""What a page keeps while its run goes on: typed words, what was chosen, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage
from tests.serve.run_maker import RunMaker, plan_of
from tests.serve.server import served
from unsilent.plan import parse_plan
from unsilent.report.gating import ask_run

if TYPE_CHECKING:
    from playwright.sync_api import Route

_ROLES = {"reviews": ["Rita"], "decides": ["Dan", "Eve"]}
# Longer than a page takes to hear of a new round and to load itself.
_HEARD_MS = 1500


@pytest.fixture
def run(tmp_path: Path) -> RunMaker:
    table = {"roles": _ROLES, "aware_within": 24, "review_every": 30}
    plan = parse_plan({**plan_of().to_json(), "governance": table})
    return RunMaker(tmp_path / "ward", plan).judged(1)


FORMS = {
    "record": ("/runs/ward/record", "#review-note", "#review-by", "Record the review"),
    "answer": ("/runs/ward", "#note", "#answerer", "Answer"),
}


@pytest.mark.parametrize("which", FORMS)
def test_a_refused_form_outlasts_a_round(run: RunMaker, open_page: OpenPage, which: str) -> None:
    path, words, name, button = FORMS[which]
    ask_run(run.folder, 0, reason="the ward needs it", by="Dan")
    with served(run.folder.parent) as address:
        watched = open_page(address + path)
        page = watched.page
        page.fill(words, "a long reason")
        page.fill(name, "Mallory")
        if which == "answer":
            page.select_option("#word", "approve")
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_text("the plan does not name this person").wait_for()
        run.judged(2)
        page.wait_for_timeout(_HEARD_MS)
        assert page.get_by_text("the plan does not name this person").is_visible()
        assert page.input_value(words) == "a long reason"
        assert "Not following" in page.inner_text("header")
        assert watched.accessibility_faults() == []
        assert [each for each in watched.errors if "422" not in each] == []


def test_a_choice_outlasts_a_round(run: RunMaker, open_page: OpenPage) -> None:
    with served(run.folder.parent) as address:
        page = open_page(f"{address}/runs/ward/record").page
        page.select_option("#review-outcome", "stop")
        page.locator("h1").click()
        run.judged(2)
        page.wait_for_timeout(_HEARD_MS)
        assert page.input_value("#review-outcome") == "stop"


@pytest.mark.parametrize("status", [404, 500, 502])
def test_a_fault_does_not_take_the_place_of_a_page(
    run: RunMaker, open_page: OpenPage, status: int
) -> None:
    with served(run.folder.parent) as address:
        page = open_page(f"{address}/runs/ward").page
        page.get_by_text("Following").wait_for()
        down = True
        page.route(
            f"{address}/runs/ward",
            lambda route: route.fulfill(status=status, body="down") if down else route.continue_(),
        )
        run.judged(2)
        page.get_by_text("what is shown is old").wait_for()
        assert "after round 1" in page.inner_text("#head")
        down = False
        page.get_by_text("after round 2").first.wait_for()
        page.get_by_text("Following").wait_for()


def test_what_the_gate_decided_is_new_beside_words_that_stay(
    run: RunMaker, open_page: OpenPage
) -> None:
    with served(run.folder.parent) as address:
        page = open_page(f"{address}/runs/ward").page
        page.get_by_text("Following").wait_for()
        page.fill("#reason", "a long reason")
        run.judged(2)
        page.get_by_text("✖ Closed").wait_for()
        assert page.input_value("#reason") == "a long reason"
        page.fill("#by", "Dan")
        page.get_by_role("button", name="Ask for it").click()
        # Whoever overrides the gate knows of the failure: not of one that came after the form.
        page.get_by_text("Since you opened this page: SF-1 is a FAILURE").wait_for()
        assert page.input_value("#reason") == "a long reason"


def test_a_page_that_was_paused_while_it_loaded_says_so(run: RunMaker, open_page: OpenPage) -> None:
    with served(run.folder.parent) as address:
        page = open_page(f"{address}/runs/ward").page
        page.get_by_text("Following").wait_for()

        def slow(route: Route) -> None:
            page.locator("#live-pause").evaluate("button => button.click()")
            route.continue_()

        page.route(f"{address}/runs/ward", slow)
        run.judged(2)
        page.get_by_text("Paused").wait_for()
        page.wait_for_timeout(_HEARD_MS)
        assert page.inner_text("#live-words") == "Paused"
        assert "after round 1" in page.inner_text("#head")
        page.unroute(f"{address}/runs/ward")
        page.click("#live-pause")
        page.get_by_text("after round 2").first.wait_for()
