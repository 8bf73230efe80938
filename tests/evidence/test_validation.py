"""What the benchmark showed of injected failures, at the pack's own plan."""

import pytest
from unsilent_bench import traces

from unsilent.evidence.facts import validation
from unsilent.modes import FIRST
from unsilent.plans import demo_plan


@pytest.mark.usefixtures("few_draws")
def test_every_mode_is_validated_on_federations_of_the_plans_kind() -> None:
    shipped = demo_plan("healthy", "fleet")
    # The last rounds alone, which takes less time.
    monitor = shipped.monitor.model_copy(update={"rounds": shipped.monitoring_rounds[-3:]})
    plan = shipped.model_copy(update={"monitor": monitor})
    found = validation(plan)
    assert found["reason"] is None
    assert {row["mode"] for row in found["rows"]} == set(FIRST)
    assert {row["dose"] for row in found["rows"]} >= {"none", "strong"}
    for row in found["rows"]:
        assert (row["clients"], row["epsilon"]) == (plan.federation.clients, 8.0)
        low, high = row["interval"]
        assert low <= row["detection"] <= high
        assert row["seeds"] >= 1


def test_where_nothing_was_recorded_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = traces.read()
    fleet = tuple(each for each in shipped.federations if each.tier == "fleet")
    monkeypatch.setattr(traces, "read", lambda: traces.Traces(fleet, shipped.where))
    found = validation(demo_plan("healthy", "lm"))
    assert found["rows"] == []
    assert "no traces of this kind of model" in found["reason"]
