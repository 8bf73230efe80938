"""unsilent measured against known truth."""
