"""What a client promises and is promised, in words: derived from a plan, never typed in."""

from unsilent.contract.document import CONTRACT_SCHEMA, OWN_WORDS, Contract, Leaving, contract

__all__ = ["CONTRACT_SCHEMA", "OWN_WORDS", "Contract", "Leaving", "contract"]
