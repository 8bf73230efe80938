"""Recorded federations with known truth: Parquet tables that any method can be scored on."""

from unsilent_bench.traces.federation import Federation
from unsilent_bench.traces.format import Traces, read, together, verify, write
from unsilent_bench.traces.parts import keep, kept

__all__ = ["Federation", "Traces", "keep", "kept", "read", "together", "verify", "write"]
