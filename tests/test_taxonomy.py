"""The taxonomy is what the modes' files say, and the paper's in its order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unsilent.findings import Finding
from unsilent.modes import FIRST
from unsilent.report import view
from unsilent.taxonomy import CODES, INFLUENCES, by_code, entry_of, installed

PAPER = (
    ("SF-1", "SF-2", "primary"),
    ("SF-1", "SF-3", "primary"),
    ("SF-2", "SF-4", "primary"),
    ("SF-2", "SF-5", "primary"),
    ("SF-3", "SF-6", "primary"),
    ("SF-5", "SF-6", "primary"),
    ("SF-3", "SF-4", "feedback"),
    ("SF-4", "SF-6", "feedback"),
    ("SF-6", "SF-1", "feedback"),
)
SEVENTH = Finding("SF-7", "over_refusal", "model", "client_public", "s", (-1.0, 1.0))


def test_the_influences_are_the_papers_in_its_order() -> None:
    found = [(a.source, a.target, a.kind) for a in INFLUENCES if {a.source, a.target} <= {*FIRST}]
    assert tuple(found) == PAPER


@pytest.mark.parametrize("code", CODES)
def test_an_entry_is_found_by_its_code_and_name(code: str) -> None:
    entry = by_code(code)
    assert entry_of(code, entry.mode, "system") == entry


def test_a_mode_that_is_not_installed_has_the_names_of_the_file() -> None:
    found = entry_of("SF-7", "over_refusal", "model")
    assert (found.code, found.title, found.layer) == ("SF-7", "Over refusal", "model")
    assert found.what == "The mode over_refusal is not installed here."
    assert view.leads(SEVENTH) == "not installed here"


def test_another_mode_of_the_same_code_is_not_taken_for_it() -> None:
    """Two distributions may have taken one code, in different places."""
    assert not installed("SF-1", "over_refusal")
    other = replace(SEVENTH, code="SF-1")
    assert view.named(other) == "SF-1 Over refusal"
    assert view.leads(other) == "not installed here"
