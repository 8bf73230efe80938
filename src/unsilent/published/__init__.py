"""What the benchmark showed of this version: its published results, named by their digest.

``results.json`` is written by ``unsilent bench publish`` from a replay and never by hand. It holds
what ``landscape`` and ``evidence`` cite, and the digest of the replay that it was taken from.
"""

from unsilent.published.results import Results, results

__all__ = ["Results", "results"]
