"""unsilent's own row follows from the benchmark's rows and from nothing else."""

from typing import Any

from unsilent_bench.landscape_own import own_row


def _row(**changes: Any) -> dict[str, Any]:
    return {
        "method": "unsilent",
        "tier": "fleet",
        "mode": "SF-1",
        "dose": "strong",
        "clients": 128,
        "epsilon": 2.0,
        "detection": 0.99,
        "false_alarms": 0.01,
        "interval": [0.97, 1.0],
        "seeds": 6,
        **changes,
    }


def test_without_results_nothing_is_claimed() -> None:
    assert {cell.rating for cell in own_row(None).cells.values()} == {"none"}


def test_direct_takes_detection_and_few_false_alarms() -> None:
    def rating(**changes: Any) -> str:
        return own_row([_row(**changes)]).cells["amplified_bias"].rating

    assert rating() == "direct"
    assert rating(detection=0.94) == "proxy"
    assert rating(false_alarms=0.06) == "proxy"


def test_other_methods_doses_tiers_and_no_noise_do_not_count() -> None:
    for change in (
        {"method": "oracle"},
        {"dose": "mild"},
        {"tier": "lm"},
        {"epsilon": None},
        {"epsilon": 1.0},
        {"detection": None},
    ):
        assert own_row([_row(**change)]).cells["amplified_bias"].rating == "none"


def test_the_hardest_setting_decides_and_is_named() -> None:
    easy = _row(epsilon=8.0, clients=256)
    hard = _row(detection=0.5, interval=[0.4, 0.6])
    cell = own_row([easy, hard]).cells["amplified_bias"]
    assert cell.rating == "proxy"
    assert "50.0% [40.0, 60.0]" in cell.evidence
    assert "128 clients, epsilon 2, 6 fresh seeds" in cell.evidence
