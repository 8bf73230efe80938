"""Where items come from: own templates, packaged sets, and a user's JSONL."""

from unsilent.probes.sources import PROBE_ROLES, load_probes

__all__ = ["PROBE_ROLES", "load_probes"]
