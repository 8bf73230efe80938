"""MLflow: one MLflow run for each ledger, with a step for each monitoring round.

Metrics are ``SF-1.effect``, ``SF-1.lower``, ``SF-1.upper`` and, for each status,
``SF-1.is.failure`` and so on, of which exactly one is 1; the tags ``SF-1`` hold the last status as
a word.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from unsilent.alerts.extras import missing
from unsilent.alerts.state import STATUSES, VERDICTS, Alert
from unsilent.errors import AlertError

try:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, RunTag
    from mlflow.exceptions import MlflowException
except ModuleNotFoundError as error:
    raise missing("mlflow", error) from None

_PLAN = "unsilent.plan"


class MLflow:
    """Logs to a tracking server or store.

    Args:
        tracking_uri: As MLflow's own, such as ``sqlite:///mlflow.db`` or ``http://host:5000``.
        experiment: The experiment's name; made if it is not there.
    """

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        self._uri = tracking_uri
        self._experiment = experiment

    def send(self, event: Alert) -> None:
        """Log an event. Raises AlertError if the store does not take it."""
        try:
            client = MlflowClient(tracking_uri=self._uri)
            run = self._run(client, event)
            now = int(time.time() * 1000)
            client.log_batch(
                run,
                metrics=[Metric(key, value, now, event.round) for key, value in _metrics(event)],
                tags=[RunTag(key, value) for key, value in _tags(event)],
            )
        except (MlflowException, OSError) as error:
            # Its text may hold an address with credentials.
            raise AlertError(
                f"the store did not take it ({type(error).__name__})",
                where="mlflow",
                remedy="Check its tracking_uri; a folder of files is no longer one, use "
                "sqlite:///FILE.",
            ) from None

    def _run(self, client: MlflowClient, event: Alert) -> str:
        found = client.get_experiment_by_name(self._experiment)
        experiment = (
            client.create_experiment(self._experiment) if found is None else found.experiment_id
        )
        known = client.search_runs(
            [experiment], filter_string=f"tags.`{_PLAN}` = '{event.state.plan}'", max_results=1
        )
        if known:
            return str(known[0].info.run_id)
        made = client.create_run(
            experiment, run_name=event.state.name, tags={_PLAN: event.state.plan}
        )
        return str(made.info.run_id)


def _metrics(event: Alert) -> Iterator[tuple[str, float]]:
    state = event.state
    if event.happening == "judged":
        for mode in state.modes:
            for status in STATUSES:
                yield f"{mode.code}.is.{status}", float(mode.status == status)
            for name, value in mode.numbers().items():
                yield f"{mode.code}.{name}", value
        for each in state.statistics:
            for status in VERDICTS:
                yield f"{each.key}.is.{status}", float(each.status == status)
            for name, value in each.numbers().items():
                yield f"{each.key}.{name}", value
        for drift in state.drift:
            yield f"drift.{drift.what}.shifted", float(drift.shifted)
    if state.epsilon_spent is not None and state.epsilon_left is not None:
        yield "privacy.epsilon_spent", state.epsilon_spent
        yield "privacy.epsilon_left", state.epsilon_left
    yield "rounds.judged", float(state.judged)
    yield "rounds.missed", float(state.missed)


def _tags(event: Alert) -> Iterator[tuple[str, str]]:
    state = event.state
    for mode in state.modes:
        yield mode.code, mode.status
    for each in state.statistics:
        yield each.key, each.status
    yield "unsilent.last_judged_round", str(state.judged_round)
    yield "unsilent.last_missed_round", str(state.missed_round)
    if event.reason is not None:
        yield f"unsilent.{event.happening}", event.reason
