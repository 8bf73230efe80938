"""Replay of traces: every method judges the same recorded federations, and is scored by truth."""

from unsilent_bench.replay.rows import ReplayRow
from unsilent_bench.replay.run import EPSILONS, METHODS, SCHEMA, Replay, replay
from unsilent_bench.replay.table import summary, table

__all__ = ["EPSILONS", "METHODS", "SCHEMA", "Replay", "ReplayRow", "replay", "summary", "table"]
