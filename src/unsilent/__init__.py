"""unsilent: hear the silent failures of federated personalization of foundation models."""

__version__ = "0.1.0"
