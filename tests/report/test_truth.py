"""The truth beside a finding counts clients in full, the interval up to their clip."""

import pytest

from tests.report.conftest import judged
from unsilent.report.view import truth


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.31, "+31.0, beyond tolerance"),
        (
            0.75,
            "+75.0, beyond tolerance, of whole numbers; "
            "the interval counts a client with 30.0 at most",
        ),
        (
            -0.45,
            "−45.0, within tolerance, of whole numbers; "
            "the interval counts a client with −30.0 at least",
        ),
    ],
)
def test_a_truth_outside_the_interval_says_what_the_interval_counts(effect: float, said: str):
    found = judged("SF-1", 0.28, 0.04, "undetermined", tolerance=0.1).with_oracle(effect, 20)
    assert truth(found) == said
