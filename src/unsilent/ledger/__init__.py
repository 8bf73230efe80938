"""The ledger: an append-only chain of entries, in a file or a database."""

from unsilent.ledger.chain import GENESIS, START, Entry, Ledger, Verified

__all__ = ["GENESIS", "START", "Entry", "Ledger", "Verified"]
