"""An adversary of the verdicts: it looks for the world in which most of them are false.

The other simulations judge worlds that someone thought of. Here a world is a row of genes: types of
clients with numbers anywhere in every range, what few items carry, who is missing, what changes
over the rounds. Evolution makes it worse, against the product's own bands and decision.
"""

from unsilent_bench.verdicts.adversary.rows import AttackRow
from unsilent_bench.verdicts.adversary.run import Attack, attack, replayed
from unsilent_bench.verdicts.adversary.table import summary, table

__all__ = ["Attack", "AttackRow", "attack", "replayed", "summary", "table"]
