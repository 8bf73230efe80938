"""``unsilent gate`` tells an earlier run's decisions as that version told them, and goes on."""

from __future__ import annotations

import json
from typing import Any

from tests.earlier.conftest import ENTRIES, Ask, Earlier, holds
from unsilent.ledger import Ledger


def told(ask: Ask, earlier: Earlier) -> dict[str, Any]:
    return dict(json.loads(ask("gate", earlier.run, "--json")))


def test_the_decisions_are_those_that_were_taken(
    earlier: Earlier, ledger_at: str, ask: Ask
) -> None:
    found = told(ask, earlier)
    assert holds(earlier.said["gate"], found)
    actions = [(made["round"], made["action"]) for made in found["decisions"]]
    assert actions[:2] == [(1, "promote"), (2, "promote")]
    assert actions[-3:] == [(4, "rollback"), (5, "promote"), (6, "overruled")]


def test_it_can_still_be_overruled(earlier: Earlier, ledger_at: str, ask: Ask) -> None:
    assert told(ask, earlier)["promoted_round"] == 2
    ask("gate", "overrule", earlier.run, "--round", "1", "--reason", "older", "--by", "B. Person")
    assert told(ask, earlier)["promoted_round"] == 1
    assert Ledger(ledger_at).verify(earlier.head) > ENTRIES
