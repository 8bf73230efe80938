"""Recorded federations with known truth: Parquet tables that any method can be scored on."""

from unsilent.bench.traces.federation import Federation
from unsilent.bench.traces.format import Traces, read, verify, write

__all__ = ["Federation", "Traces", "read", "verify", "write"]
