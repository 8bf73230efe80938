"""How often verdicts err, and what they find: ours and others' on the same simulated sums."""

from unsilent_bench.verdicts.figure import figure
from unsilent_bench.verdicts.rows import VerdictRow
from unsilent_bench.verdicts.run import run
from unsilent_bench.verdicts.table import summary, table

__all__ = ["VerdictRow", "figure", "run", "summary", "table"]
