"""The authors' matrix is theirs to the byte; our reading differs only with evidence."""

import hashlib
from importlib.resources import files

import pytest

from unsilent.errors import InputError
from unsilent.landscape import authors_matrix, our_reading
from unsilent.landscape.matrix import MODES, parse_matrix, with_reading
from unsilent.landscape.show import as_csv

# Of the file that the authors publish.
PUBLISHED = "00198cfc6b9e073b26d935ce4eaa33d940074ae308a795c2886bd61b7434d60e"


def test_the_authors_file_is_unchanged() -> None:
    data = (files("unsilent.landscape") / "authors.csv").read_bytes()
    assert hashlib.sha256(data).hexdigest() == PUBLISHED


def test_reading_and_writing_it_gives_the_same_text() -> None:
    text = (files("unsilent.landscape") / "authors.csv").read_text(encoding="utf-8")
    assert as_csv(authors_matrix()) == text


def test_twelve_benchmarks_of_two_paradigms() -> None:
    paradigms = [row.paradigm for row in authors_matrix()]
    assert paradigms == ["Federated"] * 6 + ["Centralized"] * 6


def test_each_cell_that_we_read_otherwise_has_evidence() -> None:
    pairs = zip(authors_matrix(), our_reading(), strict=True)
    differing = [
        (a.name, mode, a.cells[mode].rating, b.cells[mode])
        for a, b in pairs
        for mode in MODES
        if a.cells[mode] != b.cells[mode]
    ]
    assert [(name, mode, was) for name, mode, was, _ in differing] == [
        ("PFLlib", "fairness_collapse", "none")
    ]
    assert all(cell.rating != was and cell.evidence and cell.where for *_, was, cell in differing)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"benchmark": "LEEF"}, "no such benchmark"),
        ({"mode": "bias"}, "no such benchmark or mode"),
        ({"rating": "maybe"}, "no rating 'maybe'"),
        ({"evidence": ""}, "needs its evidence"),
        ({"rating": "none"}, "does not differ"),
    ],
)
def test_a_reading_without_ground_is_refused(change: dict[str, str], what: str) -> None:
    entry = {
        "benchmark": "PFLlib",
        "mode": "fairness_collapse",
        "rating": "proxy",
        "evidence": "it prints it",
        "where": "a file",
    }
    with pytest.raises(InputError, match=what):
        with_reading(authors_matrix(), [{**entry, **change}])


def test_a_damaged_matrix_is_named_by_line() -> None:
    lines = as_csv(authors_matrix()).splitlines()
    lines[3] = lines[3].replace("direct", "dirct").replace("proxy", "prxy")
    with pytest.raises(InputError, match="line 4"):
        parse_matrix("\n".join(lines))
