"""Coverage counts every benchmark once, and the figure says every count."""

import re
from collections import Counter

from unsilent.landscape import authors_matrix
from unsilent.landscape.coverage import counted, coverage
from unsilent.landscape.figure import divide


def test_counts_against_a_plain_recount_of_the_published_file() -> None:
    rows = authors_matrix()
    recount = Counter(
        (row.paradigm, mode, cell.rating) for row in rows for mode, cell in row.cells.items()
    )
    for each in coverage(rows):
        assert each.benchmarks == 6
        for rating, count in each.counts.items():
            assert count == recount[each.paradigm, each.mode, rating]


def test_the_divide_in_the_authors_numbers() -> None:
    rows = authors_matrix()
    assert counted(rows, "direct") == {"Federated": 2, "Centralized": 11}
    assert counted(rows, "none") == {"Federated": 21, "Centralized": 20}


def test_no_federated_benchmark_sees_calibration_nor_reports_bias_or_erosion() -> None:
    federated = {c.mode: c.counts for c in coverage(authors_matrix()) if c.paradigm == "Federated"}
    assert federated["confidence_miscalibration"]["none"] == 6
    assert federated["amplified_bias"]["direct"] == federated["alignment_erosion"]["direct"] == 0


def test_the_figure_writes_each_count_that_is_not_zero() -> None:
    rows = authors_matrix()
    shown = Counter(re.findall(r">(\d) (reported|derivable|nothing)<", divide(rows)))
    words = {"direct": "reported", "proxy": "derivable", "none": "nothing"}
    expected = Counter(
        (str(count), words[rating])
        for each in coverage(rows)
        for rating, count in each.counts.items()
        if count
    )
    assert shown == expected
