"""Evidence pack: what a run declared, found, spent and decided, for someone who was not there.

``pack`` writes it, ``verify`` checks one offline: container, signature, ledger, and that the
findings follow from the recorded sums.
"""

from unsilent.evidence.pack import write_pack
from unsilent.evidence.verify import Fault, Verification, verify

__all__ = ["Fault", "Verification", "verify", "write_pack"]
