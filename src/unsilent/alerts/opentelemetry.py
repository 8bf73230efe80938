"""OpenTelemetry: metrics of how a run stands, and a span for each event with its findings.

The metrics are those of ``alerts.prometheus`` by the names of OpenTelemetry:
``unsilent.mode.status`` has one point for each mode and status, of which exactly one is 1.
"""

from __future__ import annotations

from unsilent import __version__
from unsilent.alerts.extras import missing
from unsilent.alerts.state import STATUSES, VERDICTS, Alert, ModeState, RunStatus
from unsilent.errors import AlertError

try:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        InMemoryMetricReader,
        MetricExporter,
        MetricExportResult,
    )
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        SimpleSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import StatusCode
    from opentelemetry.util.types import AttributeValue
except ModuleNotFoundError as error:
    raise missing("otel", error) from None

_TIMEOUT_S = 10
_SCOPE = "unsilent"


class OpenTelemetry:
    """Exports each event when it is sent, so that a failed export is known at once.

    Args:
        metrics, spans: Exporters of the OpenTelemetry SDK.
    """

    def __init__(self, metrics: MetricExporter, spans: SpanExporter) -> None:
        self._metrics = metrics
        self._spans = spans
        self._resource = Resource.create(
            {"service.name": "unsilent", "service.version": __version__}
        )

    @classmethod
    def to(cls, endpoint: str) -> OpenTelemetry:
        """Export by OTLP over HTTP to a collector, such as ``http://localhost:4318``."""
        base = endpoint.rstrip("/")
        return cls(
            OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=_TIMEOUT_S),
            OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=_TIMEOUT_S),
        )

    def send(self, event: Alert) -> None:
        """Export the metrics and a span. Raises AlertError if the collector does not take them."""
        reader = InMemoryMetricReader()
        meters = MeterProvider([reader], resource=self._resource, shutdown_on_exit=False)
        self._measure(meters.get_meter(_SCOPE, __version__), event.state)
        measured = reader.get_metrics_data()
        meters.shutdown()
        done = InMemorySpanExporter()
        tracers = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(done))
        self._trace(tracers, event)
        taken = measured is None or self._metrics.export(measured) is MetricExportResult.SUCCESS
        spans = done.get_finished_spans()
        if self._spans.export(spans) is not SpanExportResult.SUCCESS or not taken:
            raise AlertError(
                "the collector did not take it",
                where="opentelemetry",
                remedy="Check that it runs, and that the endpoint is its OTLP over HTTP.",
            )

    def _measure(self, meter: Meter, state: RunStatus) -> None:
        plan: dict[str, AttributeValue] = {"unsilent.plan": state.name}
        status = meter.create_gauge("unsilent.mode.status", description="1 for what the mode is.")
        numbers = {name: meter.create_gauge(metric) for name, metric in _NUMBERS.items()}
        for mode in state.modes:
            labels = {**plan, **_labels(mode)}
            for name in STATUSES:
                status.set(int(mode.status == name), {**labels, "unsilent.status": name})
            for name, value in mode.numbers().items():
                numbers[name].set(value, labels)
        self._measure_statistics(meter, state, plan)
        for name, value in (
            ("unsilent.privacy.epsilon.spent", state.epsilon_spent),
            ("unsilent.privacy.epsilon.left", state.epsilon_left),
            ("unsilent.rounds.planned", state.planned),
            ("unsilent.rounds.judged", state.judged),
            ("unsilent.rounds.missed", state.missed),
            ("unsilent.rounds.last_judged", state.judged_round),
            ("unsilent.rounds.last_missed", state.missed_round),
        ):
            if value is not None:
                meter.create_gauge(name).set(value, plan)

    def _measure_statistics(
        self, meter: Meter, state: RunStatus, plan: dict[str, AttributeValue]
    ) -> None:
        """Performance on clients' records; no series where the plan declares no statistics."""
        if not state.statistics:
            return
        status = meter.create_gauge("unsilent.statistic.status", description="1 for what it is.")
        for each in state.statistics:
            labels: dict[str, AttributeValue] = {**plan, "unsilent.statistic": each.key}
            for name in VERDICTS:
                status.set(int(each.status == name), {**labels, "unsilent.status": name})
            for name, value in each.numbers().items():
                meter.create_gauge(f"unsilent.statistic.{name}").set(value, labels)
        for drift in state.drift:
            gauge = meter.create_gauge("unsilent.records.shifted")
            gauge.set(int(drift.shifted), {**plan, "unsilent.what": drift.what})

    def _trace(self, tracers: TracerProvider, event: Alert) -> None:
        tracer = tracers.get_tracer(_SCOPE, __version__)
        attributes: dict[str, AttributeValue] = {
            "unsilent.plan": event.state.name,
            "unsilent.event": event.happening,
            "unsilent.round": event.round,
            "unsilent.ledger_entry": event.key,
        }
        name = f"unsilent {event.happening}"
        with tracer.start_as_current_span(name, attributes=attributes) as span:
            if event.happening != "judged":
                span.set_status(StatusCode.ERROR, event.reason)
                return
            for mode in event.state.modes:
                numbers = {f"unsilent.{name}": value for name, value in mode.numbers().items()}
                told = {**_labels(mode), "unsilent.status": mode.status, **numbers}
                span.add_event("unsilent.finding", told)
            for each in event.state.statistics:
                numbers = {f"unsilent.{name}": value for name, value in each.numbers().items()}
                told = {
                    "unsilent.statistic": each.key,
                    "unsilent.status": each.status,
                    **numbers,
                }
                span.add_event("unsilent.performance", told)


_NUMBERS = {
    "effect": "unsilent.effect",
    "lower": "unsilent.effect.lower",
    "upper": "unsilent.effect.upper",
    "tolerance": "unsilent.tolerance",
}


def _labels(mode: ModeState) -> dict[str, AttributeValue]:
    return {"unsilent.code": mode.code, "unsilent.mode": mode.mode}
