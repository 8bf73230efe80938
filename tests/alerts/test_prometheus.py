"""Prometheus sees each status as a series of its own, parsed by Prometheus' own parser."""

import sys
import urllib.request

import pytest

from tests.alerts.conftest import judge, miss, perform
from unsilent.alerts.state import STATUSES, read_state
from unsilent.errors import InputError

parser = pytest.importorskip(
    "prometheus_client.parser", reason="the extra alerts-prometheus is not installed"
)


def samples(text):
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, frozenset(sample.labels.items())] = sample.value
    return found


def scrape(ledger):
    from unsilent.alerts.prometheus import exposition

    return samples(exposition(read_state(ledger)).decode())


def of(found, name, **labels):
    wanted = {("plan", "ward"), *labels.items()}
    return [value for (n, has), value in found.items() if n == f"unsilent_{name}" and wanted <= has]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SF-1", "failure"),
        ("SF-3", "undetermined"),
        ("SF-4", "healthy"),
        ("SF-6", "not_planned"),
    ],
)
def test_exactly_the_status_that_holds_is_one(ledger, plan, code, status):
    judge(ledger, plan, 1)
    found = scrape(ledger)
    for each in STATUSES:
        assert of(found, "mode_status", code=code, status=each) == [float(each == status)]


def test_effects_with_their_bounds(ledger, plan):
    judge(ledger, plan, 1)
    found = scrape(ledger)
    assert of(found, "effect", code="SF-1") == [0.214]
    assert of(found, "effect_lower", code="SF-1") == [pytest.approx(0.144)]
    assert of(found, "effect_upper", code="SF-1") == [pytest.approx(0.284)]
    assert of(found, "tolerance", code="SF-1") == [0.1]
    assert of(found, "failure_visibility", code="SF-1", visibility="silent") == [1.0]
    assert of(found, "failure_visibility", code="SF-4") == []


def test_no_estimate_is_no_series_and_not_a_zero(ledger):
    found = scrape(ledger)
    assert of(found, "effect") == of(found, "effect_upper") == []
    assert of(found, "last_judged_round") == []
    assert of(found, "mode_status", code="SF-1", status="not_judged") == [1.0]
    assert of(found, "mode_status", code="SF-1", status="healthy") == [0.0]


def test_budget_and_missed_rounds(ledger, plan):
    judge(ledger, plan, 1)
    miss(ledger, 2)
    miss(ledger, 3)
    found = scrape(ledger)
    assert of(found, "rounds_missed_total") == [2.0]
    assert of(found, "rounds_judged_total") == [1.0]
    assert of(found, "last_missed_round") == [3.0]
    spent = read_state(ledger).epsilon_spent
    assert of(found, "privacy_epsilon_left") == [pytest.approx(8.0 - spent)]
    assert of(found, "stopped") == [0.0]


def test_a_scrape_sees_the_ledger_as_it_is_now(ledger, plan):
    from unsilent.alerts.prometheus import serve

    with serve(lambda: read_state(ledger), 0) as url:

        def judged():
            with urllib.request.urlopen(url, timeout=10) as answer:
                return of(samples(answer.read().decode()), "rounds_judged_total")

        assert judged() == [0.0]
        judge(ledger, plan, 1)
        assert judged() == [1.0]


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "unsilent.alerts.prometheus", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InputError, match=r"pip install 'unsilent\[alerts-prometheus\]'"):
        import unsilent.alerts.prometheus  # noqa: F401


def test_statistics_of_performance_are_series_of_their_own(ledger, plan, folder, tmp_path):
    judge(ledger, plan, 1)
    assert of(scrape(ledger), "statistic_status") == []
    found = scrape(perform(tmp_path / "other"))
    for status in ("failure", "healthy", "undetermined", "not_judged"):
        told = of(found, "statistic_status", statistic="sens", group="B", status=status)
        assert told == [float(status == "failure")]
    assert of(found, "statistic_lower", group="B") == [0.2]
    assert of(found, "statistic_support", group="B") == [300.0]
    # Nothing is known of it, and no 0 stands for that.
    assert of(found, "statistic_value", group="A") == []
    assert of(found, "records_shifted", what="classes") == [1.0]
