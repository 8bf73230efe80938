"""Alerts: what a run finds, told where people look.

Prometheus, OpenTelemetry, MLflow and webhooks are told of each judged round, each missed one, and
the end of monitoring. The ledger is the queue: what is due is read from it, so nothing is lost when
a process ends, and training never waits. Which channels there are is in a file of its own, outside
the plan. UNDETERMINED is never shown as HEALTHY: each verdict has a series of its own.
"""
