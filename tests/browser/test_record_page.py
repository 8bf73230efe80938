"""The record's forms and the answer to an override in a browser: clean, and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import LOOKS, OpenPage
from tests.governance.history import ROLES
from tests.serve.run_maker import RunMaker, plan_of
from tests.serve.server import served
from unsilent.plan import parse_plan

TABLE = {
    "roles": ROLES,
    "triggers": [
        {"on": "failure", "action": "correct", "within": 72},
        {"on": "failure", "action": "inform", "within": 24},
        {"on": "complaint", "action": "review", "within": 48},
    ],
    "aware_within": 24,
    "review_every": 30,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    plan = parse_plan({**plan_of().to_json(), "governance": TABLE})
    return RunMaker(tmp_path_factory.mktemp("record") / "ward", plan).judged(1, 2)


@pytest.fixture(scope="module")
def address(run: RunMaker) -> Iterator[str]:
    with served(run.folder.parent) as found:
        yield found


def type_fields(page, *words: str | None) -> None:
    """Type into one field after another; None leaves a choice as it is."""
    for each in words:
        if each is not None:
            page.keyboard.type(each)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_forms_by_keyboard_land_in_the_ledger(
    address: str, run: RunMaker, open_page: OpenPage
) -> None:
    watched = open_page(f"{address}/runs/ward/record")
    page = watched.page
    assert "? NOBODY AWARE" in page.inner_text("#standing")
    page.locator("#aware-note").focus()
    type_fields(page, "read <b>it</b>", "Ada")
    page.get_by_text("aware: Ada").first.wait_for()
    page.locator("#complaint-what").focus()
    type_fields(page, None, None, None, "Mr X was told the wrong dose", "Nurse")
    page.get_by_text("a complaint (wrong)").first.wait_for()
    page.locator("#open-cause").focus()
    type_fields(page, None, "retrain", "Eve", "Dan")
    page.get_by_text("○ open since").wait_for()
    page.locator("#clients-left").focus()
    type_fields(page, "2", "1", "one closed, one moved", "Dan")
    page.get_by_text("39 are in now").wait_for()
    kinds = [entry.kind for entry in run.ledger.entries()[-4:]]
    assert kinds == ["aware", "complaint", "action_opened", "clients_changed"]
    assert "Mr X" not in page.content()
    page.locator("#review-note").focus()
    type_fields(page, "read all", "Mallory")
    page.get_by_text("does not name this person").wait_for()
    assert page.input_value("#review-note") == "read all"
    page.locator("#clients-left").focus()
    type_fields(page, "0", "2", "two came", "Dan")
    page.get_by_text("41 would be there, and the plan enrols 40").wait_for()
    assert page.input_value("#clients-joined") == "2"
    assert page.input_value("#clients-reason") == "two came"
    faults = watched.accessibility_faults()
    watched.keep("record-desktop")
    assert faults == []
    # A form that is refused answers with its page and status 422, which a browser writes down.
    assert [each for each in watched.errors if "422" not in each] == []


def test_an_override_takes_two_by_keyboard(
    address: str, run: RunMaker, open_page: OpenPage
) -> None:
    watched = open_page(f"{address}/runs/ward")
    page = watched.page
    page.get_by_label("Adapter to use").focus()
    type_fields(page, None, "the ward needs it", "Dan")
    page.get_by_text("waits for another person").wait_for()
    for name, word in (("Dan", "cannot answer it"), ("Eve", "✔ approved by Eve")):
        page.get_by_label("Your answer").focus()
        page.keyboard.type("approve")
        page.keyboard.press("Tab")
        page.locator("#note").fill("")
        page.locator("#answerer").fill("")
        page.locator("#note").focus()
        type_fields(page, "agreed", name)
        page.get_by_text(word).first.wait_for()
        if name == "Dan":
            watched.keep("override-refused")
            assert watched.accessibility_faults() == []
    assert [e.kind for e in run.ledger.entries()[-2:]] == ["override_asked", "override_answered"]
    run.judged(3)
    assert run.ledger.page(kind="gate")[1].payload["action"] == "overruled"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_pages_are_clean(address: str, open_page: OpenPage, width: str, scheme: str) -> None:
    watched = open_page(address, width, scheme)
    for path in ("/runs/ward", "/runs/ward/record"):
        watched.page.goto(address + path)
        watched.keep(f"governed{path.replace('/', '-')}-{width}-{scheme}")
        assert not watched.is_wider_than_its_window(), path
        assert watched.accessibility_faults() == [], path
    assert watched.errors == []
    assert watched.elsewhere == []
