"""One MLflow run for each ledger, a step for each round, each status a metric of its own."""

import sys

import pytest

from tests.alerts.conftest import judge, miss
from unsilent.alerts.state import STATUSES, alert_of
from unsilent.errors import AlertError, InputError

# MLflow's own use of SQLAlchemy 2.1, and of it by its migrations.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
mlflow = pytest.importorskip("mlflow", reason="the extra alerts-mlflow is not installed")


def test_a_run_is_logged(ledger, plan, tmp_path):
    from unsilent.alerts.mlflow import MLflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for number in (1, 3):
        judge(ledger, plan, number)
    miss(ledger, 4)
    sink = MLflow(uri, "ward watch")
    for entry in ledger.entries():
        if entry.kind in ("findings", "missed"):
            sink.send(alert_of(ledger, entry))
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("ward watch")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["unsilent.plan"] == plan.digest
    assert run.data.tags["SF-3"] == "undetermined"
    assert run.data.tags["unsilent.missed"] == "7 of 10 needed releases arrived"
    for code, status in (("SF-1", "failure"), ("SF-3", "undetermined"), ("SF-4", "healthy")):
        shown = {each: run.data.metrics[f"{code}.is.{each}"] for each in STATUSES}
        assert shown == {each: float(each == status) for each in STATUSES}
    assert run.data.metrics["SF-1.upper"] == pytest.approx(0.284)
    assert run.data.metrics["rounds.missed"] == 1.0
    effects = client.get_metric_history(run.info.run_id, "SF-1.effect")
    assert [(m.step, m.value) for m in effects] == [(1, 0.214), (3, 0.214)]
    assert "SF-6.effect" not in run.data.metrics


def test_a_store_that_cannot_be(ledger, tmp_path):
    from unsilent.alerts.mlflow import MLflow

    miss(ledger, 1)
    with pytest.raises(AlertError, match="the store did not take it"):
        MLflow(f"{tmp_path}/hunter2", "x").send(alert_of(ledger, ledger.entries("missed")[0]))


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "unsilent.alerts.mlflow", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'unsilent\[alerts-mlflow\]'"):
        import unsilent.alerts.mlflow  # noqa: F401
