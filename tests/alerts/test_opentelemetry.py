"""A collector receives, by OTLP over HTTP, each status as a point of its own and each finding."""

import gzip
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.alerts.conftest import judge, miss
from unsilent.alerts.state import STATUSES, alert_of
from unsilent.errors import AlertError, InputError

pytest.importorskip(
    "opentelemetry.exporter.otlp.proto.http", reason="the extra alerts-otel is not installed"
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from unsilent.alerts.opentelemetry import OpenTelemetry


class Collector:
    """A real HTTP server that takes what an OpenTelemetry collector takes."""

    def __init__(self, code=200):
        self.got = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.got.setdefault(self.path, []).append(body)
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def points(self):
        """Values of all metrics by name and labels."""
        found = {}
        for body in self.got["/v1/metrics"]:
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in resource.scope_metrics[0].metrics:
                    for point in metric.gauge.data_points:
                        value = point.as_double if point.HasField("as_double") else point.as_int
                        found[metric.name, frozenset(labels(point).items())] = value
        return found

    def spans(self):
        """All spans."""
        return [
            span
            for body in self.got["/v1/traces"]
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for span in resource.scope_spans[0].spans
        ]


def labels(thing):
    return {a.key: a.value.string_value for a in thing.attributes if a.value.string_value}


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


def test_metrics_have_a_point_for_each_status(ledger, plan, collector):
    judge(ledger, plan, 1)
    OpenTelemetry.to(collector.url).send(alert_of(ledger, ledger.entries("findings")[0]))
    points = collector.points()
    for code, status in (("SF-1", "failure"), ("SF-3", "undetermined"), ("SF-4", "healthy")):
        shown = {
            dict(has)["unsilent.status"]: value
            for (name, has), value in points.items()
            if name == "unsilent.mode.status" and ("unsilent.code", code) in has
        }
        assert shown == {each: int(each == status) for each in STATUSES}
    plan_only = frozenset({("unsilent.plan", "ward")})
    assert points["unsilent.rounds.judged", plan_only] == 1
    assert ("unsilent.rounds.last_missed", plan_only) not in points
    of_first = plan_only | {("unsilent.code", "SF-1"), ("unsilent.mode", "amplified_bias")}
    assert points["unsilent.effect", of_first] == 0.214
    assert points["unsilent.effect.upper", of_first] == pytest.approx(0.284)


def test_a_judged_round_is_a_span_with_its_findings(ledger, plan, collector):
    judge(ledger, plan, 1)
    OpenTelemetry.to(collector.url).send(alert_of(ledger, ledger.entries("findings")[0]))
    (span,) = collector.spans()
    assert span.name == "unsilent judged"
    told = {labels(e)["unsilent.code"]: labels(e)["unsilent.status"] for e in span.events}
    assert told["SF-3"] == "undetermined"
    assert told["SF-6"] == "not_planned"
    assert len(told) == 6


def test_a_missed_round_is_an_error_with_its_reason(ledger, collector):
    miss(ledger, 2)
    OpenTelemetry.to(collector.url).send(alert_of(ledger, ledger.entries("missed")[0]))
    (span,) = collector.spans()
    assert (span.name, span.status.code) == ("unsilent missed", 2)
    assert span.status.message == "7 of 10 needed releases arrived"


def test_a_collector_that_refuses(ledger):
    miss(ledger, 2)
    refusing = Collector(code=400)
    try:
        with pytest.raises(AlertError, match="the collector did not take it"):
            OpenTelemetry.to(refusing.url).send(alert_of(ledger, ledger.entries("missed")[0]))
    finally:
        refusing.close()


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "unsilent.alerts.opentelemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(InputError, match=r"pip install 'unsilent\[alerts-otel\]'"):
        import unsilent.alerts.opentelemetry  # noqa: F401
