"""A process that is server and client in one has one owner, who named the plan; nobody else has."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from unsilent.client.participant import Agreed, answer
from unsilent.client.sentences import Sentence
from unsilent.client.site import Site
from unsilent.errors import NotAgreedError
from unsilent.messages import NAME, Answer, Order
from unsilent.plan import parse_plan
from unsilent.server.transport import ask


def order(folder: Path, **changes: Any) -> Order:
    """Under a plan that names a file on this machine."""
    data: dict[str, Any] = {
        "federation": {"clients": 4, "rounds": 1},
        "monitor": {"min_cohort": 2},
        "privacy": {"aggregation": "plain"},
        "modes": {"confidence_miscalibration": {"tolerance": 0.2, "clip": 0.6}},
        "probes": {"task": str(folder / "probes.jsonl"), "items": 12},
        **changes,
    }
    return Order(json.dumps(parse_plan(data).to_json()), "run", 1)


class Calls:
    """A transport that calls its clients, each order by ``how``."""

    def __init__(self, how: Callable[[Order], Answer]) -> None:
        self._how = how

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Any, timeout: float
    ) -> Mapping[int, Answer]:
        return {node: self._how(each) for node, each in orders.items()}


def said(asked: Order, how: Callable[[Order], Answer]) -> str:
    """What a server hears that asks once."""
    found = ask(Calls(how), NAME, {1: asked}, lambda n, total: None, timeout=5.0)
    return found.reasons[0] if found.reasons else ""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(0, tmp_path / "own")


def test_what_a_processs_own_server_asks_is_agreed_to(site: Site, tmp_path: Path) -> None:
    asked = order(tmp_path)
    assert answer(NAME, asked, site).failed == Sentence.NOT_AGREED.text
    assert said(asked, lambda each: answer(NAME, each, site)) == ""
    # Not after it, and not as a simulated client, whose noise is seeded.
    assert answer(NAME, asked, site).failed == Sentence.NOT_AGREED.text
    assert not site.simulated


def test_another_plan_that_arrives_meanwhile_is_not(site: Site, tmp_path: Path) -> None:
    other = order(tmp_path, name="another")
    assert said(order(tmp_path), lambda each: answer(NAME, other, site)) != ""


def test_a_message_of_a_stranger_meanwhile_is_not(site: Site, tmp_path: Path) -> None:
    """It is taken in another thread, also where it is under the same plan."""

    def stranger(each: Order) -> Answer:
        found: list[Answer] = []
        thread = threading.Thread(target=lambda: found.append(answer(NAME, each, site)))
        thread.start()
        thread.join()
        return found[0]

    assert said(order(tmp_path), stranger).startswith(Sentence.NOT_AGREED.text[:40])


def test_the_plan_that_the_settings_name_stays_the_only_one(tmp_path: Path) -> None:
    settings = {"plan": parse_plan(json.loads(order(tmp_path, name="agreed").plan)).digest}
    site = Site(0, tmp_path / "own", settings)
    assert said(order(tmp_path), lambda each: answer(NAME, each, site)) != ""


def test_the_clients_own_folder_stays_shut(site: Site, tmp_path: Path) -> None:
    inside = order(tmp_path, probes={"task": str(tmp_path / "own" / "records.jsonl")})
    assert said(inside, lambda each: answer(NAME, each, site)) != ""


def test_paths_mean_what_they_say_there_and_pinned_files_come_along(
    site: Site, tmp_path: Path
) -> None:
    pinned = order(tmp_path, probes={"task": "probes.jsonl#sha256=" + "0" * 64})
    found: list[Path | None] = []

    def place(each: Order) -> Answer:
        found.append(Agreed.to(each, site).probes_in)
        return Answer()

    assert said(order(tmp_path), place) == ""
    assert found == [None]
    with pytest.raises(NotAgreedError, match="did not come with the message"):
        said(pinned, place)
