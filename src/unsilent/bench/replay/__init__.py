"""Replay of traces: every method judges the same recorded federations, and is scored by truth."""

from unsilent.bench.replay.rows import Row
from unsilent.bench.replay.run import EPSILONS, METHODS, SCHEMA, Replay, replay
from unsilent.bench.replay.table import summary, table

__all__ = ["EPSILONS", "METHODS", "SCHEMA", "Replay", "Row", "replay", "summary", "table"]
