"""Prometheus: how a run stands, as metrics to scrape or as a node exporter's text file.

``unsilent_mode_status`` has one series for each mode and status, of which exactly one is 1: there
is no number that stands for a verdict, so none can be taken for another. A mode that has no
estimate has no effect series, not a 0. ``unsilent_last_judged_round`` and
``unsilent_last_missed_round`` say how old a status is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from unsilent.alerts.extras import missing
from unsilent.alerts.state import STATUSES, VERDICTS, Alert, RunStatus, StatisticState
from unsilent.errors import InputError
from unsilent.files import write_whole

try:
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        generate_latest,
        start_http_server,
    )
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise missing("prometheus", error) from None

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what ``exposition`` returns, for the HTTP header."""

_VISIBILITIES = ("silent", "loud", "undetermined")


class RunCollector(Collector):
    """Collects one run's metrics whenever a registry is scraped.

    Args:
        state: Reads how the run stands now, as ``lambda: read_state(ledger)``.
    """

    def __init__(self, state: Callable[[], RunStatus]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """The metrics, all labelled with the plan's name."""
        state = self._state()
        yield from _modes(state)
        yield from _statistics(state)
        for name, text, value in (
            ("privacy_epsilon_spent", "Epsilon of all releases so far.", state.epsilon_spent),
            ("privacy_epsilon_budget", "Epsilon that the plan allows.", state.epsilon),
            ("privacy_epsilon_left", "Epsilon that is left of the budget.", state.epsilon_left),
            ("rounds_planned", "Monitoring rounds of the plan.", state.planned),
            ("last_judged_round", "The last round that was judged.", state.judged_round),
            ("last_missed_round", "The last round that was missed.", state.missed_round),
            ("stopped", "1 if monitoring ended for good.", int(state.stopped is not None)),
            ("duties_open", "What the plan's triggers ask for and is not done.", state.duties_open),
            ("duties_unheard", "Of these, what nobody is aware of.", state.duties_unheard),
            ("overdue", "Duties and reviews that are overdue now.", state.overdue),
        ):
            gauge = GaugeMetricFamily(f"unsilent_{name}", text, labels=["plan"])
            if value is not None:
                gauge.add_metric([state.name], value)
            yield gauge
        for name, text, count in (
            ("rounds_judged", "Monitoring rounds that were judged.", state.judged),
            ("rounds_missed", "Monitoring rounds that gave no sum.", state.missed),
        ):
            counter = CounterMetricFamily(f"unsilent_{name}", text, labels=["plan"])
            counter.add_metric([state.name], count)
            yield counter


def exposition(state: RunStatus) -> bytes:
    """The metrics in the text format that Prometheus scrapes; see ``CONTENT_TYPE``."""
    registry = CollectorRegistry()
    registry.register(RunCollector(lambda: state))
    return generate_latest(registry)


@contextmanager
def serve(
    state: Callable[[], RunStatus], port: int, address: str = "127.0.0.1"
) -> Generator[str, None, None]:
    """Serve the metrics of one run while the context lasts; its URL.

    Raises InputError if the port cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(RunCollector(state))
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise InputError(
            f"cannot listen ({error.strerror})",
            where=f"{address}:{port}",
            remedy="Choose another --port.",
        ) from None
    try:
        yield f"http://{address}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class TextFile:
    """A text file for the node exporter's textfile collector, rewritten at each event."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, event: Alert) -> None:
        """Rewrite the file. Raises OSError."""
        write_whole(self._path, exposition(event.state))


def _modes(state: RunStatus) -> Iterator[Metric]:
    status = _by_mode("mode_status", "1 for what the mode is, 0 for what it is not.", "status")
    visibility = _by_mode("failure_visibility", "Whether today's metrics show it.", "visibility")
    numbers = {
        "effect": _by_mode("effect", "Degradation, mean over the clients; positive is worse."),
        "lower": _by_mode("effect_lower", "Lower end of the effect's interval."),
        "upper": _by_mode("effect_upper", "Upper end of the effect's interval."),
        "tolerance": _by_mode("tolerance", "The largest effect that the plan accepts."),
    }
    for mode in state.modes:
        labels = [state.name, mode.code, mode.mode]
        for name in STATUSES:
            status.add_metric([*labels, name], int(mode.status == name))
        for name, value in mode.numbers().items():
            numbers[name].add_metric(labels, value)
        if mode.finding is not None and mode.finding.visibility is not None:
            for name in _VISIBILITIES:
                visibility.add_metric([*labels, name], int(mode.finding.visibility == name))
    yield status
    yield visibility
    yield from numbers.values()


def _statistics(state: RunStatus) -> Iterator[Metric]:
    """Performance on clients' records; series only where the plan declares statistics."""
    status = _by_statistic("statistic_status", "1 for what the statistic is.", "status")
    texts = {
        "effect": "Shortfall over all records; positive is worse.",
        "lower": "Lower end of the shortfall's interval.",
        "upper": "Upper end of the shortfall's interval.",
        "tolerance": "The largest shortfall that the plan accepts.",
        "value": "The statistic itself, under the personalized models.",
        "support": "Records in a round that it rests on, noise included.",
    }
    numbers = {name: _by_statistic(f"statistic_{name}", text) for name, text in texts.items()}
    for each in state.statistics:
        labels = [state.name, *_named(each)]
        for name in VERDICTS:
            status.add_metric([*labels, name], int(each.status == name))
        for name, value in each.numbers().items():
            numbers[name].add_metric(labels, value)
    shifted = GaugeMetricFamily(
        "unsilent_records_shifted",
        "1 if the records themselves are shown to have changed.",
        labels=["plan", "what"],
    )
    for drift in state.drift:
        shifted.add_metric([state.name, drift.what], int(drift.shifted))
    yield status
    yield from numbers.values()
    yield shifted


def _named(each: StatisticState) -> tuple[str, str]:
    """The statistic's key in the plan, and its group; empty for all records."""
    name, _, group = each.key.partition("/")
    return name, group


def _by_statistic(name: str, text: str, *more: str) -> GaugeMetricFamily:
    labels = ["plan", "statistic", "group", *more]
    return GaugeMetricFamily(f"unsilent_{name}", text, labels=labels)


def _by_mode(name: str, text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"unsilent_{name}", text, labels=["plan", "code", "mode", *more])
