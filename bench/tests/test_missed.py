"""A miss is told apart from a cause that raises nothing; the mean is over what could be found."""

from __future__ import annotations

from typing import Any

import pytest
from unsilent_bench.page import page
from unsilent_bench.page.missed import apart, told_apart
from unsilent_bench.replay import replay
from unsilent_bench.traces import Traces

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN


def row(mode: str, found: float, beyond: float, **more: Any) -> dict[str, Any]:
    return {
        "tier": "fleet", "mode": mode, "scenario": "cause", "personalization": "fine-tune",
        "dose": "strong", "clients": 128, "unit": "client", "method": "unsilent", "epsilon": 8.0,
        "detection": found, "beyond": beyond, "failure": found, "healthy": 0.0,
        "undetermined": 1 - found, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "beyond", "oracle", "said"),
    [
        (1.0, 1.0, 1.0, "found"),
        (0.95, 1.0, None, "found"),
        (0.94, 1.0, 1.0, "missed in 6%"),
        (0.0, 0.5, 0.5, "missed in 100%"),
        (0.0, 0.0, 0.0, "nothing to find"),
        (0.0, 0.0, None, "nothing to find"),
        # The truth was beyond in an earlier round only, and full access says so.
        (0.0, 0.0, 0.3, "missed in 100%"),
        # A true failure of earlier rounds, found: there was something.
        (0.97, 0.0, None, "found"),
    ],
)
def test_what_became_of_a_cause(
    found: float, beyond: float, oracle: float | None, said: str
) -> None:
    rows = [row("SF-3", found, beyond)]
    if oracle is not None:
        rows.append({**row("SF-3", oracle, beyond), "method": "oracle", "epsilon": None})
    (told,) = told_apart(rows, 8.0)
    assert told.words == said


def test_the_mean_is_over_what_there_was_to_find() -> None:
    rows = [row("SF-1", 1.0, 1.0), row("SF-2", 0.5, 1.0), row("SF-3", 0.0, 0.0)]
    rows += [row("SF-4", 0.0, 1.0, clients=256), row("SF-5", 0.0, 1.0, dose="mild")]
    (small, large) = apart(rows, (8.0,))
    assert (small.clients, small.mean, small.causes) == (128, 0.75, 2)
    assert [each.row["mode"] for each in small.missed] == ["SF-2"]
    assert [each.row["mode"] for each in small.nothing] == ["SF-3"]
    assert [each.said for each in small.nothing] == ["UNDETERMINED"]
    assert (large.mean, large.causes) == (0.0, 1)


def test_the_page_tells_them_apart() -> None:
    made = [federation("SF-1", dose, s, clients=24) for dose in ("none", "strong") for s in (1, 2)]
    found = replay(Traces(tuple(made), "here"), plans={"fleet": PLAN}, epsilons=(8.0,)).to_json()
    ours = [r for r in found["rows"] if (r["mode"], r["dose"]) == ("SF-1", "strong")]
    for each in ours:
        each |= {"detection": 0.0, "beyond": 0.0}
    assert "nothing to find: the cause does not raise the mode" in page(found)
    for each in ours:
        each["beyond"] = 1.0
    text = page(found)
    assert "missed in 100%" in text
    assert "does not raise the mode" not in text
