"""Labelled answers in the interval: sets of their own, with how far one of them can be off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unsilent.inference.sampling import Sampling
from unsilent.inference.tails import unseen
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.layout import Layout

PINNED = "labels.jsonl#sha256=" + "0" * 64


def plan_of(labels: str, **sizes: int) -> MonitoringPlan:
    data: dict[str, Any] = {
        "federation": {"clients": 16, "rounds": 2},
        "privacy": {"aggregation": "plain"},
        "probes": {
            "open_refusal": "open.jsonl",
            "labelled_refusal": labels,
            "sizes": {"open_refusal": 16, **sizes},
            "banks": {"open_refusal": 200},
        },
        "modes": {"written_refusal": {"tolerance": 0.2, "clip": 0.6}},
    }
    if labels == PINNED:
        data["probes"]["banks"]["labelled_refusal"] = 60
    return parse_plan(data)


def sampling(plan: MonitoringPlan) -> Sampling:
    return Sampling.of(plan, Layout.from_plan(plan), "OT-6")


def test_each_kind_of_labelled_answers_is_a_set() -> None:
    assert sampling(plan_of("")).probes == ((1.0, 16, 200),)
    sites = sampling(plan_of("sites", labelled_refusal=8))
    assert sites.probes == ((1.0, 16, 200), (1.0, 4, 50_000), (1.0, 4, 50_000))
    assert sites.spans == (None, 1.5, 1.5)
    file = sampling(plan_of(PINNED, labelled_refusal=20))
    assert file.probes == ((1.0, 16, 200), (1.0, 10, 30), (1.0, 10, 30))


def test_a_file_of_labels_is_an_error_that_no_number_of_clients_averages_out() -> None:
    """All clients' judges rate the same sixty answers; at the sites each labels its own."""
    file = sampling(plan_of(PINNED, labelled_refusal=60))
    assert file.shared_part == 1.0
    sites = sampling(plan_of("sites", labelled_refusal=60))
    assert sites.shared_part == pytest.approx(16 / 200)
    many = np.array([16.0, 1600.0])
    at_sites = sites.shared_sd(0.04, 0.0, many)
    assert at_sites[1] < at_sites[0]
    of_file = file.shared_sd(0.04, 0.0, many)
    assert of_file[1] == pytest.approx(of_file[0], rel=0.05)


def test_what_labels_did_not_show_is_allowed_for_in_full() -> None:
    """No error was seen in 64 answers of either kind: as many as could hide are in the reach."""
    plan = plan_of("sites", labelled_refusal=8)
    found = sampling(plan)
    tail, clients = 0.01, 16
    reach = float(found.rare_items(0.0, 0.0, tail, clients))
    of_prompts = float(unseen(1.0, 0.0, tail, found.distinct(clients, 16, 200, 0.75)))
    of_labels = float(unseen(1.5, 0.0, tail, found.distinct(clients, 4, 50_000)))
    assert reach == pytest.approx(np.sqrt(of_prompts**2 + 2 * of_labels**2))
    # Of prompts a client has answered three quarters at least, and on no more it counts.
    assert of_prompts > float(unseen(1.0, 0.0, tail, found.distinct(clients, 16, 200)))
    assert float(found.distinct(clients, 4, 50_000)) == pytest.approx(16 * 4, rel=0.01)


def test_other_modes_count_on_all_their_items() -> None:
    plan = parse_plan({"modes": {"alignment_erosion": {"tolerance": 0.1}}})
    found = Sampling.of(plan, Layout.from_plan(plan), "SF-6")
    assert (found.answered, found.spans) == (1.0, (None,))
